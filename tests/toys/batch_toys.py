"""Files for scans of many: tiny clips of every kind, and stages that say how often they were asked."""

from __future__ import annotations

import os
import shutil
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from assay_toys import CalmFrame

from media import encode

GREY, RED, GREEN = (90, 90, 90), (255, 0, 0), (0, 255, 0)


class CountingFrame(CalmFrame):
    """Calm; notes each batch in the file that ASSAY_TOY_LOG names, so that a test sees what was looked at."""

    name = "counting"

    def score(self, frames: Any) -> Any:
        if (log := os.environ.get("ASSAY_TOY_LOG")) is not None:
            with open(log, "a", encoding="ascii") as file:
                file.write("x\n")
        return super().score(frames)


class SlowFrame(CalmFrame):
    """Calm, and takes its time without computing: a scan that can be killed in the middle of a file."""

    name = "slow"

    def score(self, frames: Any) -> Any:
        time.sleep(0.2)
        return super().score(frames)


def clip(path: Path, colour: tuple[int, int, int] = GREY, *, frames: int = 4, mark: int = 0) -> Path:
    """A clip of one colour; `mark` (below 512) makes it another content of the same kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((32, 48, 3), colour, np.uint8)
    for bit in range(9):
        pixels[28:32, bit * 5 : bit * 5 + 5] = 200 if mark >> bit & 1 else 40
    encode(path, [pixels] * frames, Fraction(24))
    return path


def renumbered(original: Path, path: Path, number: int) -> Path:
    """A copy with other bytes and the same pictures: a free box at its end holds the number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(original, path)
    with path.open("ab") as file:
        file.write((16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big"))
    return path
