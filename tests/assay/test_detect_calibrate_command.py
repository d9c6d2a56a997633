"""`assay calibrate` and `assay detect` as commands: footage sets a threshold, and the answer cites it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from toy_encoders import wandering

from assay.cli.main import run
from assay.errors import ExitCode
from classifier import ForensicSignal
from media import Video, encode, probe


class ByBrightness:
    """A forensic detector for tests: the brighter the first frame, the more generated."""

    version = "brightness@1"

    def judge(self, video: Video | Path) -> ForensicSignal:
        opened = video if isinstance(video, Video) else probe(video)
        value = float(next(iter(opened.frames())).pixels.mean() / 255)  # type: ignore[union-attr]
        likely = None if value < 0.02 else value >= 0.99
        return ForensicSignal(value, None if likely is not None else "dark", 0.5, 0.99, likely, (), self.version)


class Renamed(ByBrightness):
    """The same under another version."""

    version = "brightness@2"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSAY_DETECT__DETECTORS", f'["{__name__}:ByBrightness"]')
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("ASSAY_DETECT__DETECTORS", '["test_detect_calibrate_command:ByBrightness"]')
    return tmp_path


NAME = "test_detect_calibrate_command:ByBrightness"


def grey(path: Path, level: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    encode(path, [np.full((16, 16, 3), level, np.uint8)] * 2, Fraction(8))
    return path


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_footage_sets_the_threshold_that_detect_cites(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nineteen cameras support 5 %; the threshold lies where they say, and the next answer is held against it."""
    for n in range(19):
        grey(home / "real" / f"camera {n}" / "a.mp4", 40 + 5 * n)
    (home / "real" / "notes.txt").write_text("not a video")
    (home / "real" / "broken.mp4").write_text("not a video either")
    bright = grey(home / "bright.mp4", 180)
    assert run(["detect", str(bright), "--json"]) == ExitCode.OK
    assert rows(capsys)[0]["answer"] == "no-evidence"  # the shipped threshold is 0.99
    assert run(["calibrate", "real", "--fpr", "0.05", "--detector", NAME, "--json"]) == ExitCode.OK
    (made,) = rows(capsys)
    assert (made["sources"], made["clips"], made["fpr"], made["least_fpr"]) == (19, 19, 0.05, 0.05)
    assert sorted(made["unread"]) == ["broken.mp4", "notes.txt"]  # type: ignore[call-overload]
    assert 0.5 < float(made["threshold"]) < 0.55  # type: ignore[arg-type]  # just above the brightest, 130 / 255
    assert run(["detect", str(bright), "--json"]) == ExitCode.OK
    (row,) = rows(capsys)
    assert (row["answer"], row["fpr"]) == ("likely-synthetic", 0.05)
    assert f"19 sources, calibration {str(made['digest'])[:12]}" in row["signals"]["forensic"]["version"]  # type: ignore[index]


def test_a_rate_that_sources_do_not_support_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three cameras do not support 1 %, nor does a heap of files without folders; nothing is written."""
    for n in range(3):
        grey(home / "real" / f"camera {n}" / "a.mp4", 100)
    assert run(["calibrate", "real", "--fpr", "0.01", "--detector", NAME]) == ExitCode.USAGE
    assert "3 sources" in capsys.readouterr().err
    for n in range(4):
        grey(home / "heap" / f"{n}.mp4", 100)
    assert run(["calibrate", "heap", "--fpr", "0.25", "--detector", NAME]) == ExitCode.USAGE
    assert "1 sources of real footage" in capsys.readouterr().err
    (home / "empty").mkdir()
    assert run(["calibrate", "empty", "--fpr", "0.25", "--detector", NAME]) == ExitCode.USAGE
    assert not (home / "home" / "calibrations").exists()


def test_words_for_people(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report says what the sources support, how many clips got no answer, and where the file lies."""
    for n in range(9):
        grey(home / "real" / f"camera {n}" / "a.mp4", 60 + 9 * n)
        grey(home / "real" / f"camera {n}" / "dark.mp4", 16)
    assert run(["calibrate", "real", "--fpr", "0.2", "--detector", NAME]) == ExitCode.OK
    told = capsys.readouterr().out
    assert "20.00% of a new source's clips are flagged at most" in told
    assert "9 sources with 18 clips" in told
    assert "support 10.00% and no less" in told
    assert "each source judged by the others' threshold" in told
    assert run(["detect", str(grey(home / "b.mp4", 200)), str(grey(home / "d.mp4", 80))]) == ExitCode.OK
    told = capsys.readouterr().out
    assert "LIKELY-SYNTHETIC" in told
    assert "which 20.0% of real clips reach" in told
    assert "NO-EVIDENCE" in told


def test_another_detectors_calibration_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the detector changed, its old threshold is refused with the remedy, and used no more where that is said."""
    for n in range(4):
        grey(home / "real" / f"camera {n}" / "a.mp4", 60 + 9 * n)
    assert run(["calibrate", "real", "--fpr", "0.2", "--detector", NAME]) == ExitCode.OK
    calibrations = home / "home" / "calibrations"
    (made,) = calibrations.iterdir()
    made.rename(calibrations / made.name.replace("ByBrightness", "Renamed"))
    monkeypatch.setenv("ASSAY_DETECT__DETECTORS", '["test_detect_calibrate_command:Renamed"]')
    clip = str(grey(home / "c.mp4", 100))
    capsys.readouterr()
    assert run(["detect", clip]) == ExitCode.UNDECIDED
    assert "calibrate again" in capsys.readouterr().err
    monkeypatch.setenv("ASSAY_DETECT__CALIBRATION", "shipped")
    assert run(["detect", clip]) == ExitCode.OK


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"DETECTORS": '["d3"]'}, "calibrate DIR --detector d3"),
        ({"DETECTORS": '["no-such"]'}, "no-such"),
        ({"ZERO_SHOT": "true"}, "openclip"),
    ],
)
def test_what_is_not_configured_is_said(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    words: str,
) -> None:
    """A score without a calibration, an unknown detector and a hint without a model are errors that name the remedy."""
    for name, value in variables.items():
        monkeypatch.setenv(f"ASSAY_DETECT__{name}", value)
    assert run(["detect", str(grey(home / "c.mp4", 100))]) != ExitCode.OK
    assert words in capsys.readouterr().err


def test_a_score_needs_its_encoder(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Calibrating d3 without an encoder says which setting names one."""
    for n in range(4):
        encode(home / f"c{n}.mp4", wandering(9, n), Fraction(8))
    for n in range(4):
        target = home / "real" / f"camera {n}"
        target.mkdir(parents=True)
        (home / f"c{n}.mp4").rename(target / "a.mp4")
    assert run(["calibrate", "real", "--fpr", "0.3", "--detector", "d3"]) == ExitCode.USAGE
    assert "detect.encoder" in capsys.readouterr().err
