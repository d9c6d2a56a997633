"""The threshold of a deployment's own footage: sources are the unit; no rate is promised that they do not support."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from classifier import Calibrated, Calibration, ForensicSignal, calibrate, read_calibration
from classifier.conformal import Rate, held_out, least_rate, threshold
from media import UsageError, Video
from safety import ModelUnavailable


def footage(sources: int, clips: int = 5, seed: int = 0) -> dict[str, list[float]]:
    """Values of clips that resemble others of their source."""
    rng = np.random.default_rng(seed)
    return {
        f"camera {n}": list(np.clip(rng.uniform(0, 0.8) + rng.uniform(0, 0.2, clips), 0, 1)) for n in range(sources)
    }


class Constant:
    """A detector that says of everything what it was told to say."""

    version = "toy@1"

    def __init__(self, value: float | None, likely: bool | None) -> None:
        self._signal = ForensicSignal(value, None if likely is not None else "told so", 0.5, 0.5, likely, (), "toy@1")

    def judge(self, video: Video | Path) -> ForensicSignal:
        return self._signal


@given(st.integers(2, 40), st.integers(1, 6), st.floats(0.02, 0.9), st.integers(0, 2**16))
@settings(max_examples=60, deadline=None)
def test_the_bound_holds_and_is_tight(sources: int, clips: int, fpr: float, seed: int) -> None:
    """At the threshold the bound is kept; at the next lower value of the footage it is not."""
    made = footage(sources, clips, seed)
    if fpr < least_rate(sources):
        with pytest.raises(UsageError, match=f"{sources} sources"):
            threshold(made, fpr)
        return
    line = threshold(made, fpr)

    def bound(at: float) -> float:
        return (1 + sum(np.mean(np.array(values) >= at) for values in made.values())) / (sources + 1)

    assert bound(line) <= fpr + 1e-6
    lower = [value for values in made.values() for value in values if value < line]
    if lower:
        assert bound(max(lower)) > fpr - 1e-6


def test_a_thousand_clips_of_one_camera_are_one_source() -> None:
    """No number of clips of one source supports a rate below one half."""
    with pytest.raises(UsageError, match=r"1 sources .* 50\.00%"):
        threshold({"camera": list(np.linspace(0, 1, 1000))}, 0.01)


def test_ninety_nine_sources_support_one_percent() -> None:
    """1 % needs 99 sources; 98 are refused, with the number that is needed."""
    assert 0.0 < threshold(footage(99), 0.01) <= 1.0
    with pytest.raises(UsageError, match="needs 99"):
        threshold(footage(98), 0.01)


@pytest.mark.parametrize("fpr", [0.0, 1.0, -0.1, 2.0])
def test_a_rate_is_a_share(fpr: float) -> None:
    """0, 1 and what lies beyond are no rates."""
    with pytest.raises(UsageError, match="between 0 and 1"):
        threshold(footage(9), fpr)


def test_new_sources_are_flagged_at_the_promised_rate() -> None:
    """Over many draws of footage, the mean share flagged of a source that was not in it is at most the rate."""
    shares = []
    for seed in range(400):
        made = footage(20, 3, seed)
        unseen = made.pop("camera 7")
        line = threshold(made, 0.1)
        shares.append(np.mean(np.array(unseen) >= line))
    assert np.mean(shares) <= 0.1 + 2 * np.std(shares) / 20


def test_undecided_clips_are_never_flagged_and_always_counted() -> None:
    """A clip without an answer lowers the share of its source that is flagged, as it does in use."""
    assert threshold({"a": [0.9, None, None, None], "b": [0.1]}, 0.59) < 0.9
    assert threshold({"a": [0.9], "b": [0.1]}, 0.59) > 0.9
    assert Calibration.of("toy@1", {"a": [0.9, None], "b": [0.1]}, 0.5).undecided == 1


def test_a_saturated_detector_has_no_threshold() -> None:
    """Where real clips reach the top of the scale too often, that is said instead of a threshold above it."""
    with pytest.raises(UsageError, match="top of the detector's scale"):
        threshold({name: [1.0] for name in "abc"}, 0.3)


def test_rate_of_held_out_sources() -> None:
    """Each source is judged by the others' threshold; the interval holds the share and narrows with more sources."""
    few, many = held_out(footage(30), 0.1), held_out(footage(120), 0.1)
    assert few is not None
    assert many is not None
    assert few.low <= few.share <= few.high
    assert many.high - many.low < few.high - few.low
    assert held_out(footage(10), 0.095) is None  # ten support it, nine do not
    assert Rate.of([0.0] * 10).high == pytest.approx(0.2775, abs=1e-3)  # Wilson, none of ten


def test_a_calibration_survives_its_file_and_refuses_other_detectors(tmp_path: Path) -> None:
    """What is written is read back; another detector's file, a damaged one and an unsupported claim are refused."""
    made = Calibration.of("toy@1", footage(30), 0.1, {"mean": [0.5, 1.5]})
    path = tmp_path / "toy.json"
    path.write_text(json.dumps(made.to_json()))
    assert read_calibration(path, "toy@1") == made
    assert read_calibration(path, "toy@1").digest == made.digest
    with pytest.raises(ModelUnavailable, match=r"made for the detector toy@1, not toy@2; calibrate again"):
        read_calibration(path, "toy@2")
    document = made.to_json()
    for wrong in ({"fpr": 0.001}, {"threshold": 7}, {"threshold": True}, {"format": "x"}, {"held_out": 3}):
        path.write_text(json.dumps(document | wrong))
        with pytest.raises(ModelUnavailable, match="no calibration"):
            read_calibration(path, "toy@1")
    path.write_text("[")
    with pytest.raises(ModelUnavailable, match=r"docs/detect\.md"):
        read_calibration(path, "toy@1")


@pytest.mark.parametrize(
    ("value", "was", "now"), [(0.6, True, False), (0.8, True, True), (0.8, None, None), (None, None, None)]
)
def test_a_detector_under_another_threshold(value: float | None, was: bool | None, now: bool | None) -> None:
    """The deployment's threshold decides, and is cited; where the detector would not answer, neither does it."""
    calibration = replace(Calibration.of("toy@1", footage(30), 0.1), threshold=0.7)
    found = Calibrated(Constant(value, was), calibration).judge(Path("x"))
    assert (found.likely, found.threshold, found.fpr) == (now, 0.7, 0.1)
    assert found.version.startswith("toy@1; threshold of 30 sources, calibration ")
    with pytest.raises(ModelUnavailable):
        Calibrated(Constant(0.5, True), replace(calibration, detector="other@1"))


class Banded(Constant):
    """Undecided from 0.2 below its threshold up to it."""

    def __init__(self, value: float, line: float) -> None:
        super().__init__(value, None if line - 0.2 <= value < line else value >= line)
        self.value, self.line = value, line

    def at(self, threshold: float) -> Banded:
        return Banded(self.value, threshold)


def test_doubts_move_with_the_threshold() -> None:
    """A detector that is undecided below its threshold is so below a deployment's, and calibrated by every value."""
    made = calibrate(Banded(0.4, 0.5), {name: [cast(Video, None)] for name in "abc"}, 0.3)
    assert made.undecided == 0
    assert made.threshold > 0.4
    lower = replace(made, threshold=0.3)
    assert Calibrated(Banded(0.4, 0.5), lower).judge(Path("x")).likely is True
    assert Calibrated(Banded(0.25, 0.5), lower).judge(Path("x")).likely is None
    assert Calibrated(Banded(0.05, 0.5), lower).judge(Path("x")).likely is False
