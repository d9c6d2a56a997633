"""How much fine detail pictures hold, octave by octave, where they hold any: at their strongest edges.

The detector reads the finest detail, from 128 to 256 lines. Where there is none, because somebody scaled the clip down
and up again or the camera was soft, an answer would be about the scaling. Codec noise lies in flat parts and would pass
for detail, so the edges are asked: one that a lens or a generator drew holds every octave, one that was scaled up holds
the lower ones only.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

LINES: Final = (256, 192, 128, 96, 64, 32)  # between which detail is measured
NUMBERS: Final = len(LINES) - 1
_PICTURES: Final = 4  # that are looked at
_EDGES: Final = 0.9  # the strongest tenth of what lies between 128 and 64 lines
_FLOOR: Final = 1e-2  # squared grey levels; pictures without any edge hold nothing anywhere

Floats = NDArray[np.float64]


def fineness(pixels: NDArray[np.uint8]) -> Floats:
    """How the energy at edges changes from each band of LINES to the next coarser one, as logarithms, and from what
    lies above 128 lines to what lies between 128 and 64: (NUMBERS,).

    pixels  (T, 256, 256, 3) RGB, as in `classifier.canonical.Squares`: before the codec pass, which hides some of it
    """
    chosen = pixels[np.unique(np.linspace(0, len(pixels) - 1, _PICTURES).round().astype(int))]
    energy = np.mean([_bands(picture) for picture in chosen], axis=0) + _FLOOR
    logs = np.log(energy)
    return np.append(logs[: NUMBERS - 1] - logs[1:NUMBERS], logs[NUMBERS] - logs[NUMBERS + 1])


def _bands(picture: NDArray[np.uint8]) -> Floats:
    """Mean squares at edges of the bands between LINES, of all above 128 lines, and of 128 to 64: (NUMBERS + 2,)."""
    luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)
    views = {LINES[0]: luma} | {lines: _through(luma, lines) for lines in LINES[1:]}
    bands = [(views[fine] - views[coarse]) ** 2 for fine, coarse in (*pairwise(LINES), (256, 128), (128, 64))]
    edges = bands[-1] >= np.quantile(bands[-1], _EDGES)
    return np.array([band[edges].mean() for band in bands], np.float64)


def _through(luma: NDArray[np.float32], lines: int) -> NDArray[np.float32]:
    """A picture (S, S) scaled down to so many lines and up again."""
    small = cv2.resize(luma, (lines, lines), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, luma.shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)
