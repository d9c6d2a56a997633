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

BODY, SHADE, DARK, LIGHT, WOOD = "body", "shade", "dark", "light", "wood"


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


def _stroke(width: float, *numbers: float) -> Points:
    """A thick line through points, tapering to its end."""
    path = np.array(numbers, float).reshape(-1, 2)
    step = np.gradient(path, axis=0)
    normal = np.stack([-step[:, 1], step[:, 0]], axis=1) / np.linalg.norm(step, axis=1, keepdims=True)
    half = width / 2 * np.linspace(1, 0.6, len(path))[:, None]
    return np.concatenate([path + normal * half, (path - normal * half)[::-1]])


# Animals and vehicles look to the right; the renderer mirrors what moves to the left.
_DRAWINGS: Final[dict[str, tuple[Layer, ...]]] = {
    "ball": ((BODY, _ellipse(0, 0, 0.95, 0.95)), (SHADE, _ellipse(0.38, -0.38, 0.34, 0.34))),
    "square": ((BODY, _box(-0.85, -0.85, 0.85, 0.85)), (SHADE, _box(-0.6, -0.6, -0.05, -0.05))),
    "triangle": (
        (BODY, _polygon(0, -1, 1.05, 0.8, -1.05, 0.8)),
        (SHADE, _polygon(-0.35, 0.1, 0.05, 0.55, -0.65, 0.55)),
    ),
    "star": ((BODY, _star()), (SHADE, _ellipse(0, 0, 0.2, 0.2))),
    "heart": ((BODY, _heart()), (SHADE, _ellipse(-0.42, -0.42, 0.2, 0.16, -35))),
    "fish": (
        (BODY, _ellipse(0.2, 0, 0.8, 0.5)),
        (BODY, _polygon(-0.42, 0, -1.1, -0.55, -0.92, 0, -1.1, 0.55)),
        (BODY, _polygon(-0.1, -0.42, 0.15, -0.82, 0.5, -0.42)),
        (SHADE, _polygon(0.1, 0.05, -0.25, 0.3, 0.15, 0.28)),
        (LIGHT, _ellipse(0.62, -0.1, 0.13, 0.13)),
        (DARK, _ellipse(0.65, -0.1, 0.07, 0.07)),
    ),
    "bird": (
        (BODY, _ellipse(0, 0.2, 0.62, 0.34, -12)),
        (BODY, _ellipse(0.58, -0.12, 0.28, 0.27)),
        (BODY, _polygon(-0.45, 0.15, -1.15, 0.2, -1.0, 0.5, -0.35, 0.45)),
        (BODY, _polygon(0.3, 0.1, -0.35, 0.2, -0.6, -1.0, -0.1, -0.75)),
        (DARK, _polygon(0.82, -0.18, 1.15, -0.04, 0.82, 0.02)),
        (DARK, _ellipse(0.64, -0.18, 0.07, 0.07)),
    ),
    "cat": (
        (BODY, _ellipse(-0.1, 0.2, 0.62, 0.33)),
        (BODY, _ellipse(0.58, -0.25, 0.36, 0.33)),
        (BODY, _polygon(0.24, -0.35, 0.3, -0.9, 0.58, -0.5)),
        (BODY, _polygon(0.58, -0.5, 0.86, -0.9, 0.92, -0.35)),
        (BODY, _box(-0.6, 0.2, -0.36, 0.95)),
        (BODY, _box(0.2, 0.2, 0.44, 0.95)),
        (BODY, _stroke(0.24, -0.6, 0.15, -0.85, -0.1, -0.95, -0.45, -0.85, -0.85)),
        (DARK, _ellipse(0.48, -0.27, 0.07, 0.08)),
        (DARK, _ellipse(0.74, -0.27, 0.07, 0.08)),
    ),
    "house": (
        (BODY, _box(-0.72, -0.12, 0.72, 0.92)),
        (BODY, _polygon(-1.02, -0.08, 0, -0.98, 1.02, -0.08)),
        (BODY, _box(0.42, -0.95, 0.66, -0.3)),
        (DARK, _box(-0.16, 0.34, 0.16, 0.9)),
        (LIGHT, _box(-0.58, 0.08, -0.3, 0.36)),
        (LIGHT, _box(0.3, 0.08, 0.58, 0.36)),
    ),
    "tree": (
        (WOOD, _box(-0.14, 0.3, 0.14, 1.0)),
        (BODY, _ellipse(0, -0.5, 0.5, 0.48)),
        (BODY, _ellipse(-0.42, 0.0, 0.46, 0.42)),
        (BODY, _ellipse(0.42, 0.0, 0.46, 0.42)),
        (SHADE, _ellipse(0.1, -0.12, 0.26, 0.2)),
    ),
    "car": (
        (BODY, _polygon(-1.08, 0.02, -0.95, -0.05, 1.0, -0.02, 1.1, 0.1, 1.1, 0.5, -1.08, 0.5)),
        (BODY, _polygon(-0.72, 0.0, -0.45, -0.55, 0.3, -0.55, 0.66, 0.0)),
        (LIGHT, _polygon(-0.52, -0.04, -0.34, -0.4, -0.1, -0.4, -0.1, -0.04)),
        (LIGHT, _polygon(0.02, -0.04, 0.02, -0.4, 0.24, -0.4, 0.46, -0.04)),
        (DARK, _ellipse(-0.58, 0.5, 0.26, 0.26)),
        (DARK, _ellipse(0.6, 0.5, 0.26, 0.26)),
    ),
    "boat": (
        (WOOD, _box(-0.12, -0.2, 0.0, 0.42)),
        (BODY, _polygon(-1.05, 0.4, 1.05, 0.4, 0.72, 0.88, -0.75, 0.88)),
        (BODY, _polygon(0.0, -1.0, 0.0, 0.42, 0.16, 0.42, 0.16, 0.24, 0.86, 0.24)),
        (BODY, _polygon(-0.12, -0.6, -0.12, 0.24, -0.66, 0.24)),
    ),
}


@cache
def drawing(kind: str) -> tuple[Layer, ...]:
    """The layers of a subject, from back to front. Raises KeyError for a kind without a drawing (the emblem)."""
    return _DRAWINGS[kind]


def tone(name: str, colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """The colour a tone is filled with on a subject of `colour`."""
    fixed = {BODY: colour, DARK: (38, 38, 44), LIGHT: (250, 244, 222), WOOD: (112, 76, 48)}
    if name in fixed:
        return fixed[name]
    r, g, b = (round(0.72 * channel) for channel in colour)
    return (r, g, b)
