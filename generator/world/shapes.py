"""The subjects as vector drawings: polygons in a square from -1 to 1 (y down), each with the tone it is filled with.

The body's union is the silhouette a reader compares; the other tones are details that lie inside it or are small.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (N, 2)
Layer = tuple[str, Points]  # tone, polygon

BODY, SHADE = "body", "shade"


def _ellipse(x: float, y: float, rx: float, ry: float, turn_deg: float = 0.0, n: int = 40) -> Points:
    angle = np.linspace(0, 2 * math.pi, n, endpoint=False)
    c, s = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    px, py = rx * np.cos(angle), ry * np.sin(angle)
    return np.stack([x + c * px - s * py, y + s * px + c * py], axis=1)  # (N, 2)


def _polygon(*numbers: float) -> Points:
    return np.array(numbers, float).reshape(-1, 2)  # (N, 2)


def _box(x0: float, y0: float, x1: float, y1: float) -> Points:
    return _polygon(x0, y0, x1, y0, x1, y1, x0, y1)


def _star() -> Points:
    angle = -math.pi / 2 + np.arange(10) * math.pi / 5
    radius = np.where(np.arange(10) % 2 == 0, 1.05, 0.44)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _heart() -> Points:
    t = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x / 16.5, (y - 2.5) / 15], axis=1)


_DRAWINGS: Final[dict[str, tuple[Layer, ...]]] = {
    "ball": ((BODY, _ellipse(0, 0, 0.95, 0.95)), (SHADE, _ellipse(0.38, -0.38, 0.34, 0.34))),
    "square": ((BODY, _box(-0.85, -0.85, 0.85, 0.85)), (SHADE, _box(-0.6, -0.6, -0.05, -0.05))),
    "triangle": (
        (BODY, _polygon(0, -1, 1.05, 0.8, -1.05, 0.8)),
        (SHADE, _polygon(-0.35, 0.1, 0.05, 0.55, -0.65, 0.55)),
    ),
    "star": ((BODY, _star()), (SHADE, _ellipse(0, 0, 0.2, 0.2))),
    "heart": ((BODY, _heart()), (SHADE, _ellipse(-0.42, -0.42, 0.2, 0.16, -35))),
}


@cache
def drawing(kind: str) -> tuple[Layer, ...]:
    """The layers of a subject, from back to front. Raises KeyError for a kind without a drawing ."""
    return _DRAWINGS[kind]


def tone(name: str, colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """The colour a tone is filled with on a subject of `colour`."""
    if name == BODY:
        return colour
    r, g, b = (round(0.72 * channel) for channel in colour)
    return (r, g, b)
