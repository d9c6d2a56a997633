"""The subjects as pictures with alpha: emoji cut from an atlas, drawn shapes, and the canary glyph as it is.

The atlas holds glyphs of Noto Color Emoji (SIL Open Font License 1.1, beside it), drawn by scripts/make-sprites.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from generator.request import Pixels
from generator.world.scene import COLOURS, EMBLEM, SHAPES, SPRITES
from generator.world.shapes import drawing, tone

ATLAS: Final = Path(__file__).parent / "sprites.png"
CELL, COLUMNS, RIM = 128, 8, 4
_GLYPH: Final = 256  # side of the canary glyph: never recoloured, and sharp where it is large
# Sides at which sprites are kept: each is drawn from the next larger one, so that nothing aliases.
_SIDES: Final = (12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 80, 96, 128, 192, 256)
Layer = NDArray[np.float32]  # (side, side, 4), colours multiplied by alpha, in [0, 255], alpha in [0, 1]


@lru_cache(maxsize=2048)
def sprite(kind: str, colour: str, mirrored: bool, wanted: int) -> Layer:
    """A subject at the smallest kept side that is at least `wanted`, or as large as it is kept."""
    whole = _whole(kind, colour)
    side = next((s for s in _SIDES if s >= wanted), _SIDES[-1])
    side = min(side, max(len(whole), CELL))
    small = whole if side >= len(whole) else cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[:, ::-1]) if mirrored else np.asarray(small, np.float32)


@lru_cache(maxsize=512)
def _whole(kind: str, colour: str) -> Layer:
    if kind == EMBLEM:
        from media import canary_glyph

        picture = canary_glyph(_GLYPH)
    elif kind in SHAPES:
        picture = _shape(kind, colour)
    else:
        number = tuple(SPRITES).index(kind)
        row, column = number // COLUMNS * CELL, number % COLUMNS * CELL
        picture = _atlas()[row : row + CELL, column : column + CELL]
        picture = _dyed(picture, COLOURS[colour]) if colour in COLOURS else picture
    layer = picture.astype(np.float32)
    layer[..., 3] /= 255
    layer[..., :3] *= layer[..., 3:]
    return layer


@cache
def _atlas() -> Pixels:
    packed = np.frombuffer(ATLAS.read_bytes(), np.uint8)
    picture = cv2.imdecode(packed, cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3 or picture.shape[2] != 4:
        raise ValueError(f"{ATLAS}: not a picture with four channels; restore it from a release")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA), np.uint8)


def _dyed(picture: Pixels, colour: tuple[int, int, int]) -> Pixels:
    """The picture in shades of one colour: what is dark stays dark, what is bright takes the colour."""
    light = picture[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255  # (S, S)
    shade = np.clip(0.25 + 0.85 * light, 0, 1)[..., None]  # (S, S, 1)
    gloss = np.clip(light - 0.85, 0, 1)[..., None] * 2
    dyed = np.array(colour, np.float32) * shade * (1 - gloss) + 255 * gloss
    return np.dstack([np.rint(np.clip(dyed, 0, 255)).astype(np.uint8), picture[..., 3]])


def _shape(kind: str, colour: str) -> Pixels:
    """A drawn shape at four times its kept size, averaged down."""
    side = 4 * CELL
    canvas = np.zeros((side, side, 4), np.uint8)
    radius = side / 2 * (1 - 2 * RIM / CELL) / 1.06
    for name, points in drawing(kind):
        placed = np.rint((points * radius + side / 2) * 16).astype(np.int32)
        cv2.fillPoly(canvas, [placed], (*tone(name, COLOURS[colour]), 255), cv2.LINE_8, 4)
    canvas[canvas[..., 3] == 0, :3] = COLOURS[colour]
    return np.asarray(cv2.resize(canvas, (CELL, CELL), interpolation=cv2.INTER_AREA), np.uint8)


def stamp(picture: NDArray[np.float32], layer: Layer, at: tuple[float, float], radius: float, turn: float) -> None:
    """Draws a layer into a picture (H, W, 3) in place: middle `at` (x, y), half a side `radius`, turned clockwise."""
    side = len(layer)
    reach = radius * (abs(math.cos(turn)) + abs(math.sin(turn))) + 1
    x0, y0 = max(math.floor(at[0] - reach), 0), max(math.floor(at[1] - reach), 0)
    x1, y1 = min(math.ceil(at[0] + reach), picture.shape[1]), min(math.ceil(at[1] + reach), picture.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    c, s, h = math.cos(turn) * 2 * radius / side, math.sin(turn) * 2 * radius / side, side / 2 - 0.5
    matrix = np.array([[c, -s, at[0] - 0.5 - x0 - h * (c - s)], [s, c, at[1] - 0.5 - y0 - h * (s + c)]])
    placed = cv2.warpAffine(layer, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)  # (h, w, 4)
    window = picture[y0:y1, x0:x1, : picture.shape[2]]
    window *= 1 - placed[..., 3:]
    window += placed[..., : picture.shape[2]]
