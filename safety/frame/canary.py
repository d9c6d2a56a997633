"""Finds the canary glyph (`media.canary_glyph`): a benign emblem by which anybody can see the gate work.

Matched filters on two signals that the glyph's stripes move together and everyday things do not: blue against yellow,
and luma. A coarse search over position and scale in a picture of 320 pixels finds where the first fits best; there the
original pixels are compared under the glyph's own mask, and the worse of the two correlations counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from media import Frame, canary_glyph
from safety.score import Where
from safety.stages import FrameScore

Plane = NDArray[np.float32]

# Cells of the templates; a glyph of 16 pixels at 640 wide is 8. With the picture halved again and again, any size.
_SIZES = (8, 9, 11, 13)
_CANDIDATES = 2  # in 400 trials the glyph was always the first
_LOOK = 0.33  # coarse correlation that earns a second look: glyphs of 16 px had 0.58 or more, half the photos less
_FINE = 24  # pixels of the glyph in the second look; larger ones are reduced to this, it has the detail
_STEPS = (0.80, 0.86, 0.93, 1.0, 1.07, 1.15, 1.24)  # sizes tried in the second look, between two coarse ones
_AGAINST, _LUMA = np.array([[0.5, 0.5, -1.0]], np.float32), np.array([[0.299, 0.587, 0.114]], np.float32)
_FLOOR = 2.0  # grey levels; flat and nearly flat windows correlate with nothing
# Worst correlation of the glyph from 16 px after H.264 at CRF 32: 0.70; best of 1,100 photos and frames: see the card.
_MIDDLE, _SLOPE = 0.64, 25.0


class CanaryClassifier:
    """Category `canary`: how surely the glyph is somewhere in the picture, and its box. 0.5 is the threshold to use."""

    name, version, licence = "canary", "2", "Apache-2.0"
    look = "small"  # where the glyph may be; only there it looks at the whole picture
    weights_sha256 = None
    runtime: str | None = "opencv, one thread"
    categories: tuple[str, ...] = ("canary",)
    cost_ms = 8.0  # at 640x360

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """One value a frame, each by itself."""
        return [{"canary": _score(frame)} for frame in frames]


@dataclass(frozen=True)
class _Spot:
    """Where the glyph may be: correlation, centre and size in pixels of the picture."""

    fit: float
    x: float
    y: float
    size: float


def _score(frame: Frame) -> FrameScore:
    spots = _candidates(frame)
    best = max((_second_look(frame.pixels, spot) for spot in spots), key=lambda spot: spot.fit, default=None)
    if best is None:
        return 0.0, None
    value = 1.0 / (1.0 + math.exp(-_SLOPE * (best.fit - _MIDDLE)))
    width, height = frame.size
    left, top = max(0, round(best.x - best.size / 2)), max(0, round(best.y - best.size / 2))
    right, bottom = min(width, round(best.x + best.size / 2)), min(height, round(best.y + best.size / 2))
    return value, Where(box=(left, top, right, bottom))


def _candidates(frame: Frame) -> list[_Spot]:
    """The few places that deserve a second look, best first."""
    scale = frame.size[0] / frame.small.shape[1]  # pixels a cell
    plane = _contrast(frame.small)
    found: list[_Spot] = []
    while min(plane.shape) >= _SIZES[0]:
        for template in _coarse_templates():
            n = template.shape[0]
            if n <= min(plane.shape):
                fit = _correlation(plane, template)
                _, best, _, (x, y) = cv2.minMaxLoc(fit)
                found.append(_Spot(best, (x + n / 2) * scale, (y + n / 2) * scale, n * scale))
        plane = _halved(plane)
        scale *= 2
    apart: list[_Spot] = []
    for spot in sorted(found, key=lambda spot: -spot.fit):
        if spot.fit >= _LOOK and not any(_same(spot, other) for other in apart):
            apart.append(spot)
    return apart[:_CANDIDATES]


def _same(a: _Spot, b: _Spot) -> bool:
    near = 0.4 * max(a.size, b.size)
    return abs(a.x - b.x) < near and abs(a.y - b.y) < near and max(a.size, b.size) < 1.5 * min(a.size, b.size)


def _second_look(pixels: NDArray[np.uint8], spot: _Spot) -> _Spot:
    """The best fit of both signals around the spot, under the glyph's mask, in the original pixels."""
    reach = spot.size * 0.85 + 2
    height, width = pixels.shape[:2]
    left, top = max(0, round(spot.x - reach)), max(0, round(spot.y - reach))
    crop = pixels[top : min(height, round(spot.y + reach)), left : min(width, round(spot.x + reach))]
    scale = _FINE / spot.size if spot.size > _FINE else 2.0  # half-pixel steps for a small glyph
    size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    planes = _planes(np.asarray(cv2.resize(crop, size, interpolation=how), np.uint8))
    best = _Spot(-1.0, spot.x, spot.y, spot.size)
    for step in _STEPS:
        n = round(spot.size * scale * step)
        if not 8 <= n <= min(planes[0].shape):
            continue
        *templates, mask = _fine_templates(n)
        fits = [_masked_correlation(plane, t, mask) for plane, t in zip(planes, templates, strict=True)]
        _, fit, _, (x, y) = cv2.minMaxLoc(np.minimum(*fits))
        if fit > best.fit:
            best = _Spot(fit, left + (x + n / 2) / scale, top + (y + n / 2) / scale, n / scale)
    return best


def _planes(pixels: NDArray[np.uint8]) -> tuple[Plane, Plane]:
    """Yellow against blue, and luma (BT.601), each float32 (H, W)."""
    return _contrast(pixels), np.asarray(cv2.transform(pixels.astype(np.float32), _LUMA), np.float32)


def _contrast(pixels: NDArray[np.uint8]) -> Plane:
    return np.asarray(cv2.transform(pixels.astype(np.float32), _AGAINST), np.float32)


def _halved(plane: Plane) -> Plane:
    size = (max(1, plane.shape[1] // 2), max(1, plane.shape[0] // 2))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


@cache
def _coarse_templates() -> tuple[Plane, ...]:
    """Yellow against blue at the coarse sizes, zero outside the disc, mean zero."""
    large, _, mask = _fine_templates(160)
    shapes = [np.asarray(cv2.resize(large * mask, (n, n), interpolation=cv2.INTER_AREA), np.float32) for n in _SIZES]
    return tuple(shape - shape.mean() for shape in shapes)


@cache
def _fine_templates(n: int) -> tuple[Plane, Plane, Plane]:
    """Yellow against blue, luma, and the mask (1 where the glyph covers the pixel), each float32 (n, n)."""
    glyph = canary_glyph(n)
    contrast, luma = _planes(glyph[..., :3])
    return contrast, luma, (glyph[..., 3] > 230).astype(np.float32)


def _correlation(plane: Plane, template: Plane) -> Plane:
    """Normalised correlation with a template of mean zero at every position; near 0 where the plane is flat."""
    n = template.shape[0]
    rows, columns = plane.shape[0] - n + 1, plane.shape[1] - n + 1
    mean = cv2.boxFilter(plane, -1, (n, n), anchor=(0, 0))[:rows, :columns]
    square = cv2.sqrBoxFilter(plane, -1, (n, n), anchor=(0, 0))[:rows, :columns]
    spread = np.sqrt(np.maximum(square - mean * mean, _FLOOR**2)) * n
    fit = cv2.matchTemplate(plane, template, cv2.TM_CCORR) / (spread * float(np.linalg.norm(template)))
    return np.asarray(fit, np.float32)


def _masked_correlation(plane: Plane, template: Plane, mask: Plane) -> Plane:
    """The same with only the pixels under the mask counted, for small planes."""
    count = float(mask.sum())
    centred = (template - float((template * mask).sum()) / count) * mask
    total = cv2.matchTemplate(plane, mask, cv2.TM_CCORR)
    square = cv2.matchTemplate(plane * plane, mask, cv2.TM_CCORR)
    spread = np.sqrt(np.maximum(square - total * total / count, count * _FLOOR**2))
    fit = cv2.matchTemplate(plane, centred, cv2.TM_CCORR) / (spread * float(np.linalg.norm(centred)))
    return np.asarray(fit, np.float32)
