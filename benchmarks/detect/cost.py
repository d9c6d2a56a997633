"""What detecting costs beside decoding: one 10 s clip of 720p, both in turn, and their ratio."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np

from assay.detect import detect
from assay.eyes import shipped
from media import Encoder, probe
from provenance import Trust

ROUNDS = 5


def clip(path: Path) -> Path:
    """300 frames of 1280x720 with grain and movement, which no decoder gets for nothing."""
    rng = np.random.default_rng(1)
    ground = rng.integers(0, 256, (90, 160, 3), np.uint8).repeat(16, 0).repeat(16, 1)  # (1440, 2560, 3)
    with Encoder(path, size=(1280, 720), rate=Fraction(30), crf=23) as encoder:
        for number in range(300):
            view = ground[2 * number : 2 * number + 720, 3 * number : 3 * number + 1280].astype(np.int16)
            encoder.write(np.clip(view + rng.integers(-6, 7, (720, 1280, 1)), 0, 255).astype(np.uint8))
    return path


def cost() -> None:
    """Prints CPU and wall seconds of both, and the ratio of the medians."""
    with tempfile.TemporaryDirectory() as folder:
        path = clip(Path(folder) / "clip.mp4")
        detect(path, Trust())  # imports and weights are not of the second that is measured
        taken: dict[str, list[tuple[float, float]]] = {"decode": [], "detect": []}
        for _ in range(ROUNDS):
            for name, work in (("decode", lambda: _decode(path)), ("detect", lambda: _detect(path))):
                taken[name].append(_timed(work))
    for place, kind in ((0, "CPU"), (1, "wall")):
        decode, found = (statistics.median(one[place] for one in taken[name]) for name in ("decode", "detect"))
        print(f"{kind}: decode {decode:.2f} s, detect {found:.2f} s, ratio {found / decode:.2f}")


def _decode(path: Path) -> None:
    for _ in probe(path).frames(looks=()):
        pass


def _detect(path: Path) -> None:
    row = detect(path, Trust(), shipped())
    assert row["error"] is None, row


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall
