"""Every mode from the command line: extend, fill, remix, storyboard, expand; previews stop what output would refuse."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generator.world.parse import read_prompt
from media import Frame, encode, probe

Run = Callable[..., subprocess.CompletedProcess[str]]
CALM = {
    "ASSAY_PROMPT_CLASSIFIERS": '["assay_toys:CalmPrompt"]',
    "ASSAY_FRAME_CLASSIFIERS": '["assay_toys:CalmFrame"]',
    "ASSAY_NUDENET": "off",
}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """One second at 12 frames a second, a moving bar."""
    path = tmp_path / "film.mp4"
    frames = np.zeros((12, 96, 160, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[:, 10 * number : 10 * number + 30] = (200, 40 + 10 * number, 90)
    encode(path, iter(frames), Fraction(12))
    return path


def generated(run: Run, *arguments: str, **environment: str) -> dict[str, Any]:
    done = run("generate", *arguments, "--json", **{**CALM, **environment})
    assert done.stdout, done.stderr
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def frames_of(path: str | Path) -> np.ndarray:
    return np.stack([frame.pixels for frame in probe(Path(path)).frames() if isinstance(frame, Frame)]).astype(float)


@pytest.mark.parametrize(
    ("extend", "mode", "own"),
    [("forward", "extension", range(12)),
     pytest.param("backward", "extension", range(12, 24), marks=pytest.mark.full),
     pytest.param("fill", "in-filling", [*range(6), *range(18, 24)], marks=pytest.mark.full)],
)  # fmt: skip
def test_a_video_is_extended_and_its_own_frames_stand(
    run_assay: Run, film: Path, tmp_path: Path, extend: str, mode: str, own: Any
) -> None:
    """The new file has the video's size and rate, the length asked for, its frames in place, and its parent."""
    out = tmp_path / "out.mp4"
    row = generated(run_assay, "a red ball", "--video", str(film), "--extend", extend, "--seconds", "2", "-o", str(out))
    assert row["action"] == "allow", row
    assert (row["record"]["mode"], row["record"]["size"], row["record"]["fps"]) == (mode, [160, 96], "12")
    assert "input video" in {entry["stage"] for entry in row["posture"]}
    given, made = frames_of(film), frames_of(out)
    assert made.shape == (24, 96, 160, 3)
    assert np.abs(made[list(own)] - given).mean() < 4  # encoded twice
    verified = json.loads(run_assay("verify", str(out), "--json").stdout)
    assert verified["state"] == "trusted"
    assert verified["ingredients"]


def test_a_video_is_remixed(run_assay: Run, film: Path, tmp_path: Path) -> None:
    """Without --extend a video pulls as far as it is strong, and the record says so."""
    out = tmp_path / "out.mp4"
    row = generated(run_assay, "a red ball", "--video", str(film), "--strength", "0.5", "-o", str(out))
    assert row["record"]["mode"] == "remix"
    assert any("strength 0.5" in note for note in row["record"]["notes"])
    assert len(frames_of(out)) == 12


def test_a_storyboard_is_judged_prompt_by_prompt(run_assay: Run, tmp_path: Path) -> None:
    """A later prompt that is forbidden refuses the whole request, and is named."""
    board = ("a red ball", "--prompt-at", "1.0=a blue star", "--seconds", "2", "--backend", "procedural")
    row = generated(run_assay, *board, "--size", "64x48", "-o", str(tmp_path / "a.mp4"))
    assert row["action"] == "allow", row
    row = generated(run_assay, *board, "--prompt-at", "1.5=a forbidden star", "-o", str(tmp_path / "b.mp4"))
    assert row["action"] == "block"
    assert not (tmp_path / "b.mp4").exists()
    bad = run_assay("generate", "a ball", "--prompt-at", "soon=a star", "-o", str(tmp_path / "c.mp4"), **CALM)
    assert bad.returncode == 1
    assert "write seconds" in bad.stderr


def test_a_prompt_is_written_out_and_both_texts_are_kept(run_assay: Run, tmp_path: Path) -> None:
    """With --expand the record holds what was written and what was made of it, and both were judged."""
    out = tmp_path / "out.mp4"
    row = generated(
        run_assay, "a red ball", "--expand", "--backend", "procedural", "--size", "64x48", "--seconds", "0.5", "-o",
        str(out),
    )  # fmt: skip
    (both,) = row["record"]["written_out"]
    assert both["prompt"] == "a red ball"
    assert read_prompt(both["written_out"]).attributes.items() >= {"kind": "ball", "colour": "red"}.items()
    assert len(both["written_out"]) > len("a red ball")
    assert row["record"]["written_by"] == "grammar@1"
    (entry,) = [entry for entry in row["posture"] if entry["stage"] == "prompt"]
    assert entry["items"] == 2


@pytest.mark.parametrize("preview", [True, False])
def test_the_emblem_is_stopped_by_a_preview_or_refused_in_the_file(
    run_assay: Run, tmp_path: Path, preview: bool
) -> None:
    """With previews what carries the canary ends early, at a named step; without, the finished file is refused."""
    out = tmp_path / "out.mp4"
    more = ["--preview"] if preview else []
    row = generated(
        run_assay, "a striped emblem in the snow", "--backend", "procedural", "--size", "320x192", "--seconds", "4",
        "--policy", "demo", "-o", str(out), *more, ASSAY_FRAME_CLASSIFIERS='["canary", "assay_toys:CalmFrame"]',
    )  # fmt: skip
    assert row["action"] == "block"
    assert not out.exists()
    reasons = [reason for decision in row["decisions"] for reason in decision["reasons"]]
    canary = next(reason for reason in reasons if reason["category"] == "canary")
    if preview:
        assert row["stopped"]["step"] < row["stopped"]["steps"]
        assert "two previews in a row: canary" in row["stopped"]["why"]
    else:
        assert row["stopped"] is None
        assert canary["start_s"] == pytest.approx(0.0, abs=0.1)
        assert canary["end_s"] > 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--extend", "forward"], "--extend needs --video"),
        (["--video", "none.mp4"], "no such file"),
        (["--video", "FILM", "--image", "FILM"], "cannot both"),
        (["--video", "FILM", "--extend", "forward", "--seconds", "0.5"], "lasts 1 s already"),
        (["--backend", "diffusers"], "needs the settings"),
    ],
)
def test_what_cannot_be_made_is_said_at_once(
    run_assay: Run, film: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """Wishes that contradict each other or name nothing are usage errors, and no file is left."""
    words = [str(film) if word == "FILM" else word for word in arguments]
    done = run_assay("generate", "a red ball", *words, "-o", str(tmp_path / "out.mp4"), **CALM)
    assert done.returncode == 1, done.stderr
    assert message in done.stderr.replace("\n", " ")
    assert not (tmp_path / "out.mp4").exists()
