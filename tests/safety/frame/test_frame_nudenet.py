from __future__ import annotations

import copy
import sys
from pathlib import Path

import nudenet.nudenet as nudenet_package
import numpy as np
import pytest

from media import Frame
from safety import FrameClassifier, ModelUnavailable
from safety.frame import NudenetClassifier
from safety.frame.nudenet import _CLASSES, COUNTED, _installed, _prepared, _prepared_whole, decoded
from tests.safety.frame.contract import FrameClassifierContract
from tests.safety.frame.reels import scene


@pytest.fixture(scope="module")
def nudenet() -> NudenetClassifier:
    """The adapter on the installed extra."""
    return NudenetClassifier()


class TestNudenet(FrameClassifierContract):
    @pytest.fixture
    def classifier(self, nudenet: NudenetClassifier) -> FrameClassifier:
        return nudenet

    def test_benign_pictures_stay_below_the_threshold(self, classifier: FrameClassifier) -> None:
        """Landscapes of blobs are not taken for bodies."""
        frames = [Frame(scene(seed, (320, 180)), seed, 0.0) for seed in range(8)]
        assert max(float(answer["sexual"][0]) for answer in classifier.score(frames)) < 0.5  # type: ignore[arg-type]

    def test_it_states_its_licence(self, classifier: FrameClassifier) -> None:
        """The copyleft licence is in what the adapter says of itself."""
        assert classifier.licence == "AGPL-3.0"


def boxes(*found: tuple[str, float, tuple[float, float, float, float]]) -> np.ndarray:
    """A raw output with these classes, probabilities and boxes (centre, size) among boxes without anything."""
    raw = np.zeros((4 + len(_CLASSES), 50), np.float32)
    raw[:4] = 160
    for column, (name, value, box) in enumerate(found, 7):
        raw[:4, column] = box
        raw[4 + _CLASSES.index(name), column] = value
    return raw


def test_exposed_parts_count_and_others_do_not() -> None:
    """The value is the surest counted class; faces, feet, bellies, male chests and covered parts are 0."""
    for name in _CLASSES:
        value, where = decoded(boxes((name, 0.75, (160, 80, 64, 32))), 640, 360)
        assert value == (0.75 if name in COUNTED else 0.0)
        assert (where is not None) == (name in COUNTED)
    both = boxes((COUNTED[0], 0.3, (10, 10, 4, 4)), (COUNTED[1], 0.6, (50, 50, 4, 4)), ("FACE_MALE", 0.9, (9, 9, 3, 3)))
    assert decoded(both, 640, 360)[0] == pytest.approx(0.6)


def test_a_box_speaks_for_its_likeliest_class() -> None:
    """A box that is more likely covered than exposed is covered."""
    raw = boxes(("FEMALE_BREAST_COVERED", 0.6, (160, 80, 64, 32)))
    raw[4 + _CLASSES.index("FEMALE_BREAST_EXPOSED"), 7] = 0.5
    assert decoded(raw, 640, 360)[0] == 0.0


def test_a_box_gives_way_to_a_surer_one_that_it_overlaps() -> None:
    """Where a surer box of another class covers the same place, that class is what is there; beside it, both stand."""
    surer = ("BELLY_EXPOSED", 0.8, (160.0, 80.0, 64.0, 32.0))
    assert decoded(boxes((COUNTED[0], 0.5, (162, 80, 64, 32)), surer), 640, 360)[0] == 0.0
    assert decoded(boxes((COUNTED[0], 0.5, (260, 80, 64, 32)), surer), 640, 360)[0] == 0.5


def test_boxes_are_in_pixels_of_the_frame() -> None:
    """Centre and size in the model's square become corners in the frame, cut at its edge."""
    _, where = decoded(boxes((COUNTED[0], 0.5, (160, 80, 64, 32))), 640, 360)
    assert where is not None
    assert where.box == (256, 128, 384, 192)
    _, where = decoded(boxes((COUNTED[0], 0.5, (0, 300, 64, 64))), 640, 360)
    assert where is not None
    assert where.box == (0, 359, 64, 360)


@pytest.mark.parametrize("broken", [np.zeros((21, 5), np.float32), np.full((22, 5), np.nan, np.float32)])
def test_an_output_that_cannot_be_read_is_an_error(broken: np.ndarray) -> None:
    """NaN or another shape raises, and so becomes a failure, never a 0."""
    with pytest.raises(RuntimeError, match="nudenet"):
        decoded(broken, 640, 360)


class Fixed:
    """A network that gives one output, whatever it is asked."""

    def __init__(self, *found: tuple[str, float, tuple[float, float, float, float]]) -> None:
        self.raw, self.calls = boxes(*found)[None], 0

    def run(self, feed: object) -> list[np.ndarray]:
        self.calls += 1
        return [self.raw]


def test_what_a_coarse_network_doubts_is_asked_again_exactly(nudenet: NudenetClassifier) -> None:
    """A value near what is reported comes from fp32, whatever bf16 said; of the many quiet frames nobody asks twice."""
    box, eye, frame = (160.0, 80.0, 64.0, 32.0), copy.copy(nudenet), Frame(scene(1, (320, 180)), 0, 0.0)
    for coarse, wanted, asked in ((0.22, 0.3, 1), (0.9, 0.3, 1), (0.05, 0.0, 0)):
        exact = Fixed((COUNTED[0], 0.3, box))
        vars(eye).update(_network=Fixed((COUNTED[0], coarse, box)), _exact=exact)
        assert eye.score([frame])[0]["sexual"][0] == pytest.approx(wanted)
        assert exact.calls == asked


def test_the_picture_is_shown_whole_and_in_the_channel_order_of_the_package() -> None:
    """A wide picture lies in the upper part of the square, red last, black below."""
    red = np.zeros((180, 320, 3), np.uint8)
    red[..., 0] = 255
    shown = _prepared(Frame(red, 0, 0.0))
    assert shown.shape == (1, 3, 320, 320)
    assert shown[0, :, 90, 160].tolist() == [0.0, 0.0, 1.0]
    assert shown[0, :, 250, 160].tolist() == [0.0, 0.0, 0.0]


def test_what_is_asked_again_is_shown_as_the_package_shows_it() -> None:
    """The second look at a picture of any shape gets the very numbers that the package makes of it."""
    for size in ((406, 720), (720, 405), (64, 64)):
        frame = Frame(scene(3, size), 0, 0.0)
        theirs = nudenet_package._read_image(np.ascontiguousarray(frame.pixels[..., ::-1]), 320)[0]
        np.testing.assert_array_equal(_prepared_whole(frame), theirs)


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, the adapter says what to install; importing its module needs nothing."""
    monkeypatch.setitem(sys.modules, "nudenet", None)
    with pytest.raises(ModelUnavailable, match=r"pip install 'assay-video\[nudenet\]'"):
        NudenetClassifier()


def test_a_package_without_its_model_is_unavailable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation that lost its model file is not taken for one that finds nothing."""
    import nudenet

    monkeypatch.setattr(nudenet, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(ModelUnavailable, match="without its model"):
        _installed()
