"""Models that an operator names for `detect`: an encoder with a score, and the zero-shot hint. Plumbing only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from toy_encoders import wandering, write_dinov2, write_openclip

from assay.cli.main import run
from assay.errors import ExitCode
from assay.eyes import configured, shipped
from assay.settings import Settings
from assay.zeroshot import ZeroShotHint
from media import Frame, encode, probe
from safety.frame import OpenClipClassifier


class Steady:
    """In place of an open_clip classifier: the same value for every frame."""

    def __init__(self, value: float | None) -> None:
        self.value, self.seen = value, 0

    def score(self, frames: Sequence[Frame]) -> list[Mapping[str, Any]]:
        self.seen += len(frames)
        return [{"deception": (self.value, None)} for _ in frames]


@pytest.mark.parametrize(("value", "says"), [(0.25, "0.25"), (None, None)])
def test_the_zero_shot_hint_is_words_for_people(tmp_path: Path, value: float | None, says: str | None) -> None:
    """The hint tells the mean over a few frames; where the model has no value, it says that nobody looked."""
    encode(tmp_path / "a.mp4", wandering(40, 1), Fraction(8))
    net = Steady(value)
    found = ZeroShotHint(cast(OpenClipClassifier, net)).hint(probe(tmp_path / "a.mp4"))
    assert (found.name, found.says) == ("zero-shot", says)
    assert net.seen == 4  # of 40 frames, every twelfth
    assert "no detector" in found.meaning or "not looked at" in found.meaning


def test_a_video_that_vanished_gives_a_hint_that_says_so(tmp_path: Path) -> None:
    """A file that is gone by now is a hint without words, and no error."""
    encode(tmp_path / "a.mp4", wandering(3, 1), Fraction(8))
    video = probe(tmp_path / "a.mp4")
    (tmp_path / "a.mp4").unlink()
    assert "not looked at" in ZeroShotHint(cast(OpenClipClassifier, Steady(0.5))).hint(video).meaning


def test_nobody_may_be_configured(tmp_path: Path) -> None:
    """With no detector named, nobody looks at pixels; what ships is made once."""
    settings = Settings(home=tmp_path, detect={"detectors": ()})  # type: ignore[arg-type]
    assert configured(settings).forensic == ()
    assert shipped() is shipped()


@pytest.mark.full
def test_an_encoders_score_is_calibrated_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Footage calibrates d3 on a named encoder; detect then asks it beside the hint, and cites the footage; another
    encoder's calibration is refused.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSAY_DETECT__ENCODER__FAMILY", "dinov2")
    monkeypatch.setenv("ASSAY_DETECT__ENCODER__MODEL", str(write_dinov2(tmp_path / "dinov2")))
    for n in range(4):
        (tmp_path / "real" / f"camera {n}").mkdir(parents=True)
        encode(tmp_path / "real" / f"camera {n}" / "a.mp4", wandering(9, n), Fraction(8))
    assert run(["calibrate", "real", "--fpr", "0.25", "--detector", "d3", "--json"]) == ExitCode.OK
    made = json.loads(capsys.readouterr().out)
    assert made["detector"].startswith("d3@1 on dinov2 dinov2 ")
    monkeypatch.setenv("ASSAY_DETECT__DETECTORS", '["d3"]')
    monkeypatch.setenv("ASSAY_DETECT__ZERO_SHOT", "true")
    monkeypatch.setenv("ASSAY_OPENCLIP__MODEL", str(write_openclip(tmp_path / "openclip")))
    even = np.stack([wandering(1, 8, 128)[0][:64, step : step + 64] for step in range(0, 45, 5)])
    encode(tmp_path / "even.mp4", even, Fraction(8))
    assert run(["detect", "even.mp4", "--json"]) == ExitCode.OK
    row = json.loads(capsys.readouterr().out)
    forensic = row["signals"]["forensic"]
    assert 0.0 <= forensic["value"] <= 1.0
    assert forensic["fpr"] == 0.25
    assert f"4 sources, calibration {made['digest'][:12]}" in forensic["version"]
    assert row["answer"] == ("likely-synthetic" if forensic["likely"] else "no-evidence")
    assert any(hint["name"] == "zero-shot" and hint["says"] for hint in row["hints"])
    monkeypatch.setenv("ASSAY_DETECT__ENCODER__MODEL", str(write_dinov2(tmp_path / "other", seed=1)))
    assert run(["detect", "even.mp4", "--json"]) == ExitCode.UNDECIDED
    assert "calibrate again" in capsys.readouterr().err
