"""The backgrounds: muted landscapes with landmarks, drawn once for a clip on a canvas wide enough for the camera."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from generator.request import Pixels
from generator.world.scene import Colour

MARGIN: Final = 0.34  # of a width, left and right: what a pan uncovers
_FINE: Final = 200  # pictures with a shorter side are averaged down from larger ones
_SHIFT: Final = 4  # cv2's fixed-point bits: edges at a sixteenth of a pixel

# Top of the picture, foot of the picture: what a reader compares.
SIGNATURES: Final[dict[str, tuple[Colour, Colour]]] = {
    "sky": ((112, 172, 226), (178, 212, 238)),
    "sea": ((206, 226, 234), (44, 108, 142)),
    "meadow": ((186, 220, 240), (166, 200, 122)),
    "night": ((12, 16, 46), (40, 40, 84)),
    "snow": ((158, 174, 198), (212, 222, 234)),
    "desert": ((240, 218, 184), (214, 176, 120)),
    "city": ((196, 206, 222), (112, 112, 120)),
    "room": ((232, 220, 204), (156, 122, 92)),
    "autumn": ((228, 214, 196), (186, 132, 74)),
    "blossom": ((214, 232, 242), (190, 214, 158)),
}


class Canvas:
    """A picture whose coordinates are widths and heights of the visible part; x from -MARGIN to 1 + MARGIN."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.width, self.height = size
        self.margin = round(size[0] * MARGIN)
        self.pixels: Pixels = np.zeros((size[1], size[0] + 2 * self.margin, 3), np.uint8)  # (H, W + 2M, 3)

    def gradient(self, top: Colour, foot: Colour, y0: float = 0.0, y1: float = 1.0) -> None:
        """Fills from height y0 to y1 with a vertical blend."""
        a, b = round(y0 * self.height), round(y1 * self.height)
        blend = np.linspace(0, 1, max(b - a, 1))[:, None]
        rows = np.array(top) * (1 - blend) + np.array(foot) * blend  # (h, 3)
        self.pixels[a:b] = np.rint(rows[: b - a, None]).astype(np.uint8)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """Filled; x in widths, y, rx and ry in heights."""
        unit = self.height * (1 << _SHIFT)
        centre = (round((x * self.width + self.margin) * (1 << _SHIFT)), round(y * unit))
        axes = (max(round(rx * unit), 1 << _SHIFT - 1), max(round(ry * unit), 1 << _SHIFT - 1))
        cv2.ellipse(self.pixels, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA, _SHIFT)

    def polygon(self, points: list[tuple[float, float]], colour: Colour) -> None:
        """Filled; x in widths, y in heights."""
        scaled = [((x * self.width + self.margin), y * self.height) for x, y in points]
        cv2.fillPoly(self.pixels, [np.rint(np.array(scaled) * 16).astype(np.int32)], colour, cv2.LINE_AA, _SHIFT)

    def ridge(self, rng: np.random.Generator, y: float, height: float, colour: Colour) -> None:
        """A line of hills: from their crest near y down to the foot of the picture."""
        x = np.linspace(-MARGIN, 1 + MARGIN, 60)
        phase, waves = rng.uniform(0, 6.28, 2), rng.uniform(4, 7)
        crest = y - height * (0.6 * np.sin(waves * x + phase[0]) + 0.4 * np.sin(2.3 * waves * x + phase[1]))
        crest_points = [(float(a), float(b)) for a, b in zip(x, crest, strict=True)]
        self.polygon([*crest_points, (1 + MARGIN, 1.0), (-MARGIN, 1.0)], colour)


def _along(rng: np.random.Generator, n: int) -> list[float]:
    """Places along the canvas, one in each n-th of it, so that every view holds some."""
    step = (1 + 2 * MARGIN) / n
    return [-MARGIN + (i + float(rng.uniform(0.15, 0.85))) * step for i in range(n)]


def _sky(c: Canvas, rng: np.random.Generator) -> None:
    c.gradient(*SIGNATURES["sky"])
    for x in _along(rng, 6):
        y, r = rng.uniform(0.12, 0.85), rng.uniform(0.07, 0.1)
        for dx, dy, k in ((-0.09, 0.02, 0.7), (0.0, -0.01, 1.0), (0.09, 0.02, 0.75)):
            c.ellipse(x + dx, y + dy, r * k * 1.3, r * k * 0.8, (208, 224, 240))


def _sea(c: Canvas, rng: np.random.Generator) -> None:
    top, foot = SIGNATURES["sea"]
    c.gradient(top, (224, 236, 238), 0, 0.36)
    c.gradient((84, 148, 176), foot, 0.36, 1)
    for x in _along(rng, 3):
        c.ellipse(x, 0.36, 0.14, 0.07, (134, 158, 164))  # islands; the water hides their lower half
    c.gradient((84, 148, 176), foot, 0.36, 1)
    for row in np.linspace(0.44, 0.94, 6):
        for x in _along(rng, 7):
            c.ellipse(x, float(row), 0.06, 0.014, (128, 178, 198))


def _meadow(c: Canvas, rng: np.random.Generator) -> None:
    top, foot = SIGNATURES["meadow"]
    c.gradient(top, (216, 234, 240), 0, 0.7)
    c.ridge(rng, 0.4, 0.07, (144, 182, 138))
    c.ridge(rng, 0.56, 0.03, foot)
    for x in _along(rng, 6):
        c.ellipse(x, rng.uniform(0.58, 0.66), 0.08, 0.055, (122, 164, 102))
    for row in (0.74, 0.84, 0.94):
        for x in _along(rng, 9):
            c.ellipse(x, row, 0.016, 0.016, (240, 236, 208))


def _night(c: Canvas, rng: np.random.Generator) -> None:
    c.gradient(*SIGNATURES["night"])
    for row in np.linspace(0.06, 0.78, 6):
        for x in _along(rng, 8):
            r = rng.uniform(0.008, 0.018)
            c.ellipse(x, float(row + rng.uniform(-0.05, 0.05)), r, r, (206, 204, 178))
    c.ellipse(float(rng.uniform(0.1, 0.9)), 0.16, 0.085, 0.085, (222, 216, 184))
    c.ridge(rng, 0.88, 0.05, (24, 26, 52))


def _snow(c: Canvas, rng: np.random.Generator) -> None:
    top, foot = SIGNATURES["snow"]
    c.gradient(top, (188, 200, 216), 0, 0.7)
    c.ridge(rng, 0.4, 0.1, (182, 196, 214))
    c.ridge(rng, 0.58, 0.03, foot)
    for x in _along(rng, 7):
        y, h = float(rng.uniform(0.6, 0.68)), float(rng.uniform(0.16, 0.24))
        c.polygon([(x - 0.03, y), (x, y - h), (x + 0.03, y)], (104, 128, 124))


def _desert(c: Canvas, rng: np.random.Generator) -> None:
    top, foot = SIGNATURES["desert"]
    c.gradient(top, (246, 230, 204), 0, 0.72)
    c.ridge(rng, 0.46, 0.08, (202, 162, 114))
    c.ridge(rng, 0.62, 0.04, foot)
    for x in _along(rng, 5):
        y, h = float(rng.uniform(0.66, 0.8)), float(rng.uniform(0.14, 0.2))
        c.polygon([(x - 0.012, y), (x - 0.012, y - h), (x + 0.012, y - h), (x + 0.012, y)], (118, 136, 92))
        c.polygon([(x, y - h / 2), (x + 0.04, y - h / 2), (x + 0.04, y - h), (x + 0.055, y - h),
                   (x + 0.055, y - h / 2.8), (x, y - h / 2.8)], (118, 136, 92))  # fmt: skip


def _city(c: Canvas, rng: np.random.Generator) -> None:
    top, foot = SIGNATURES["city"]
    c.gradient(top, (222, 226, 230), 0, 0.75)
    for x in _along(rng, 9):
        high, half = float(rng.uniform(0.24, 0.55)), float(rng.uniform(0.06, 0.09))
        grey = int(rng.integers(128, 176))
        c.polygon([(x - half, 0.74), (x - half, 0.74 - high), (x + half, 0.74 - high), (x + half, 0.74)],
                  (grey, grey, grey + 14))  # fmt: skip
        for row in np.arange(0.74 - high + 0.05, 0.68, 0.08):
            for dx in (-half / 2, half / 2):
                c.polygon([(x + dx - 0.012, row), (x + dx + 0.012, row), (x + dx + 0.012, row + 0.035),
                           (x + dx - 0.012, row + 0.035)], (232, 224, 188))  # fmt: skip
    c.gradient((136, 136, 142), foot, 0.74, 1)
    for x in _along(rng, 6):
        c.polygon([(x - 0.05, 0.88), (x + 0.05, 0.88), (x + 0.05, 0.9), (x - 0.05, 0.9)], (214, 214, 208))


def _room(c: Canvas, rng: np.random.Generator) -> None:
    top, foot = SIGNATURES["room"]
    c.gradient(top, (226, 210, 192), 0, 0.73)
    for x in _along(rng, 3):
        y = float(rng.uniform(0.14, 0.2))
        if rng.random() < 0.5:
            c.polygon([(x - 0.1, y), (x + 0.1, y), (x + 0.1, y + 0.36), (x - 0.1, y + 0.36)], (246, 244, 238))
            c.polygon([(x - 0.085, y + 0.025), (x + 0.085, y + 0.025), (x + 0.085, y + 0.335), (x - 0.085, y + 0.335)],
                      (176, 206, 226))  # fmt: skip
            c.polygon([(x - 0.006, y), (x + 0.006, y), (x + 0.006, y + 0.36), (x - 0.006, y + 0.36)], (246, 244, 238))
        else:
            c.polygon([(x - 0.07, y), (x + 0.07, y), (x + 0.07, y + 0.2), (x - 0.07, y + 0.2)], (142, 104, 76))
            c.polygon([(x - 0.055, y + 0.025), (x + 0.055, y + 0.025), (x + 0.055, y + 0.175), (x - 0.055, y + 0.175)],
                      (206, 188, 160))  # fmt: skip
    c.gradient((176, 142, 110), foot, 0.72, 1)
    c.gradient((248, 240, 228), (248, 240, 228), 0.7, 0.735)
    for row in (0.8, 0.88, 0.96):
        c.gradient((140, 108, 80), (140, 108, 80), row, row + 0.012)


def _autumn(c: Canvas, rng: np.random.Generator) -> None:
    top, foot = SIGNATURES["autumn"]
    c.gradient(top, (238, 226, 206), 0, 0.7)
    c.ridge(rng, 0.5, 0.06, (206, 168, 118))
    c.ridge(rng, 0.64, 0.02, foot)
    for x in _along(rng, 7):
        y = float(rng.uniform(0.6, 0.68))
        leaf = ((196, 104, 52), (206, 142, 58), (168, 84, 56))[rng.integers(3)]
        c.polygon([(x - 0.012, y), (x - 0.012, y - 0.2), (x + 0.012, y - 0.2), (x + 0.012, y)], (112, 84, 66))
        c.ellipse(x, y - 0.28, 0.12, 0.15, leaf)
    for row in (0.76, 0.86, 0.95):
        for x in _along(rng, 8):
            c.ellipse(x, row, 0.02, 0.013, (204, 104, 48))


def _blossom(c: Canvas, rng: np.random.Generator) -> None:
    top, foot = SIGNATURES["blossom"]
    c.gradient(top, (232, 240, 244), 0, 0.7)
    c.ridge(rng, 0.6, 0.03, foot)
    for x in _along(rng, 6):
        y = float(rng.uniform(0.62, 0.68))
        c.polygon([(x - 0.012, y), (x - 0.012, y - 0.22), (x + 0.012, y - 0.22), (x + 0.012, y)], (130, 104, 96))
        for dx, dy in ((-0.04, -0.2), (0.04, -0.22), (0.0, -0.32)):
            c.ellipse(x + dx, y + dy, 0.1, 0.09, (240, 196, 212))
    for row in (0.76, 0.86, 0.95):
        for x in _along(rng, 8):
            c.ellipse(x, row, 0.016, 0.012, (244, 214, 226))


_PAINTERS: Final[dict[str, Callable[[Canvas, np.random.Generator], None]]] = {
    "sky": _sky, "sea": _sea, "meadow": _meadow, "night": _night, "snow": _snow, "desert": _desert,
    "city": _city, "room": _room, "autumn": _autumn, "blossom": _blossom,
}  # fmt: skip


def backdrop(background: str, seed: int, size: tuple[int, int]) -> Canvas:
    """The canvas of a background for a picture of `size` (width, height); the seed places its landmarks.

    Small ones are drawn at three times their size and averaged down, and are kept: training asks for few of them often.
    """
    return (_small if min(size) < _FINE else _painted)(background, seed, size)


@lru_cache(maxsize=256)
def _small(background: str, seed: int, size: tuple[int, int]) -> Canvas:
    canvas, large = Canvas(size), _painted(background, seed, (3 * size[0], 3 * size[1]))
    small = cv2.resize(large.pixels, canvas.pixels.shape[1::-1], interpolation=cv2.INTER_AREA)
    canvas.pixels = small.astype(np.uint8, copy=False)
    return canvas


def _painted(background: str, seed: int, size: tuple[int, int]) -> Canvas:
    canvas = Canvas(size)
    _PAINTERS[background](canvas, np.random.default_rng(seed))
    return canvas
