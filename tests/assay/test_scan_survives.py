"""A file that takes the scanning process down costs its own row, and no other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from toy_run import TOY_ENVIRONMENT, assay_environment

from media import encode


def video(path: Path, colour: tuple[int, int, int], frames: int = 12) -> Path:
    """A video of one colour."""
    encode(path, [np.full((32, 48, 3), colour, np.uint8)] * frames, Fraction(24))
    return path


def environment(home: Path, classifier: str) -> dict[str, str]:
    """The toys, with one frame classifier."""
    toys = TOY_ENVIRONMENT | {"ASSAY_FRAME_CLASSIFIERS": f'["{classifier}"]'}
    return assay_environment(home, **toys)


def test_a_crash_costs_one_row(tmp_path: Path) -> None:
    """Of three files the middle one ends its process by SIGSEGV; it gets a clear error, the others their decision."""
    names = [("a.mp4", (90, 90, 90)), ("b.mp4", (0, 255, 0)), ("c.mp4", (255, 0, 0))]
    paths = [str(video(tmp_path / name, colour)) for name, colour in names]
    done = subprocess.run(
        [sys.executable, "-m", "assay", "scan", *paths, "--json"],
        cwd=tmp_path, env=environment(tmp_path, "scan_toys:DyingOnGreen"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["action"] for row in rows] == ["allow", None, "block"], done.stderr
    assert rows[1]["error"]["type"] == "WorkerDied"
    assert "nothing was released" in rows[1]["error"]["message"]
    assert rows[0]["posture"][0]["coverage"]["total"] == 12


def test_an_interrupted_scan_ends_although_a_model_hangs(tmp_path: Path) -> None:
    """Ctrl-C ends the command and the process whose model call never returns."""
    path = video(tmp_path / "a.mp4", (90, 90, 90))
    running = subprocess.Popen(
        [sys.executable, "-m", "assay", "scan", str(path), "--json"],
        cwd=tmp_path, env=environment(tmp_path, "assay_toys:HangingFrame"), stderr=subprocess.PIPE, text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a suite in the background ignores it
    )  # fmt: skip
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    waited = time.monotonic() + 120
    while not any((tmp_path / "home" / "private").glob("*/job*")) and time.monotonic() < waited:
        time.sleep(0.1)
    workers = [int(number) for number in children.read_text().split()]
    os.kill(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted" in said
    assert not any(Path(f"/proc/{number}/root").exists() and _runs(number) for number in workers)


def _runs(number: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except FileNotFoundError:
        return False
