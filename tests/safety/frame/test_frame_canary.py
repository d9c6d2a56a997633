from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from media import Frame, canary_glyph, encode, probe
from safety import FrameClassifier, Stage, Track
from safety.frame import CanaryClassifier, examine_video
from tests.safety.frame.contract import FrameClassifierContract
from tests.safety.frame.reels import scene


def marked(picture: np.ndarray, size: int, x: int, y: int, blend: float = 1.0) -> np.ndarray:
    """The picture with the glyph on it; x, y its upper left corner."""
    glyph = canary_glyph(size)
    alpha = glyph[..., 3:] / 255 * blend
    out = picture.copy()
    out[y : y + size, x : x + size] = np.round(out[y : y + size, x : x + size] * (1 - alpha) + glyph[..., :3] * alpha)
    return out


def value_and_box(picture: np.ndarray) -> tuple[float, tuple[int, int, int, int] | None]:
    """What the classifier says of one picture."""
    value, where = CanaryClassifier().score([Frame(picture, 0, 0.0)])[0]["canary"]
    assert isinstance(value, float)
    return value, where.box if where else None


class TestCanary(FrameClassifierContract):
    @pytest.fixture
    def classifier(self) -> FrameClassifier:
        return CanaryClassifier()

    @pytest.fixture
    def frames(self) -> list[Frame]:
        plain = [scene(seed, (320, 180)) for seed in range(2)]
        return [
            Frame(p, i, i / 25)
            for i, p in enumerate([*plain, marked(plain[0], 24, 290, 150), marked(plain[1], 80, 9, 9)])
        ]


@given(st.integers(16, 200), st.floats(0, 1), st.floats(0, 1), st.integers(0, 8))
@settings(max_examples=40, deadline=None)
def test_the_glyph_is_found_wherever_it_is(size: int, x: float, y: float, seed: int) -> None:
    """From 16 px at 640x360, at any position: a value above 0.9 and a box around the glyph."""
    left, top = int(x * (640 - size)), int(y * (360 - size))
    value, box = value_and_box(marked(scene(seed, (640, 360)), size, left, top))
    assert value > 0.9
    assert box is not None
    assert np.abs(np.array(box) - (left, top, left + size, top + size)).max() <= max(3, 0.2 * size)


@pytest.mark.parametrize("size", [(640, 360), (1280, 720), (256, 144), (360, 640)])
def test_pictures_without_the_glyph_stay_far_below(size: tuple[int, int]) -> None:
    """Benign pictures of any shape stay below 0.1."""
    assert max(value_and_box(scene(seed, size))[0] for seed in range(12)) < 0.1


def test_lookalikes_are_not_the_glyph() -> None:
    """Stripes the other way, in other colours, without luma contrast, or a yellow disc alone stay below 0.5."""
    still = scene(3, (640, 360))
    true = marked(still, 60, 300, 100)
    spot = (slice(100, 160), slice(300, 360))
    fakes = {"mirrored": true[spot][:, ::-1], "red and green": true[spot][..., [0, 2, 1]], "negative": 255 - true[spot]}
    fakes["flat disc"] = np.where(canary_glyph(60)[..., 3:] > 128, np.uint8([255, 221, 0]), still[spot])
    assert value_and_box(true)[0] > 0.99
    for name, patch in fakes.items():
        fake = still.copy()
        fake[spot] = patch
        assert value_and_box(fake)[0] < 0.5, name


def test_a_glyph_on_a_flat_frame_is_found() -> None:
    """Windows without any contrast neither match nor take the glyph's place among the candidates."""
    for level in (0, 17, 128, 255):
        still = np.full((360, 640, 3), level, np.uint8)
        assert value_and_box(still) == (0.0, None)
        assert value_and_box(marked(still, 20, 500, 300))[0] > 0.9


def test_half_a_glyph_blended_in_is_found() -> None:
    """A blend of one half is found at 24 px and above on a calm picture."""
    for size in (24, 48, 160):
        assert value_and_box(marked(scene(5, (640, 360)), size, 200, 120, blend=0.5))[0] > 0.5


def test_one_frame_in_a_real_file_is_found_at_its_second(tmp_path: Path) -> None:
    """In an H.264 file the one frame that carries the glyph stands out, at its index and time, with its box."""
    still = scene(7, (640, 360))
    frames = [marked(still, 20, 410, 300) if i == 13 else still for i in range(25)]
    encode(tmp_path / "v.mp4", frames, Fraction(25))
    seen = examine_video(probe(tmp_path / "v.mp4"), "00" * 32, Stage.FRAME, [CanaryClassifier()], ["canary"])
    (track,) = seen.examination.scores
    assert isinstance(track, Track)
    assert seen.counts.scored + seen.counts.covered == seen.counts.total == 25
    assert np.flatnonzero(track.values >= 0.5).tolist() == [13]
    assert track.pts[13] == pytest.approx(13 / 25, abs=1e-3)
    assert track.where[13].box is not None
    assert abs(track.where[13].box[0] - 410) <= 3
