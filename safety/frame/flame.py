"""What a small patch of a picture looks like, where fire is the question: colours, glow and texture of every tile.

Flames are known by patches (bright, yellow to red, ragged, brighter than what surrounds them), not by the whole scene,
and may be anywhere: so each tile of 8x8 pixels of the canonical small picture is described by 25 numbers, and what is
learned from them (`safety.frame.trunk`) counts kinds of tiles.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

TILE = 8  # pixels of the canonical small picture
TILE_NUMBERS = 25  # numbers a tile

Plane = NDArray[Any]  # uint8, or float32 where said; OpenCV's own types do not tell them apart
Tiles = NDArray[np.float32]


def tiles(small: NDArray[np.uint8]) -> Tiles:
    """The tiles of a small RGB picture (H, W, 3), row by row: float32 (tiles, 25); at least one."""
    height, width = small.shape[:2]
    # Edges are repeated up to whole tiles, so that no pixel is left out and every halving is exact (the fast path).
    whole = cv2.copyMakeBorder(small, 0, -height % TILE, 0, -width % TILE, cv2.BORDER_REPLICATE)
    picture = _halved(whole)  # (4 gh, 4 gw, 3)
    ycc = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
    half = _halved(ycc)  # (2 gh, 2 gw, 3)
    mean = _unit(_halved(half))  # (gh, gw, 3)
    spread = _spread(_unit(half), mean)
    grain = _spread(ycc.astype(np.float32) / 255, mean)
    rules, edges = _rules(picture), _edges(picture, ycc)
    share = _unit(_halved(_halved(rules)))  # (gh, gw, 4)
    texture = _unit(_halved(_halved(edges)))  # (gh, gw, 3)
    parts = (
        mean,
        spread,
        np.log(grain + 0.01),
        share,
        texture[..., :1],
        np.log(texture[..., 1:] + 0.02),
        mean - cv2.blur(mean, (3, 3)),  # against the near and the wider surroundings
        mean - cv2.blur(mean, (7, 7)),
        cv2.blur(share, (3, 3))[..., 1:],
    )
    described = np.concatenate(parts, axis=-1)  # (gh, gw, 25)
    return np.ascontiguousarray(described.reshape(-1, TILE_NUMBERS), np.float32)


def _halved(picture: Plane) -> Plane:
    height, width = picture.shape[:2]
    halved = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(halved)


def _unit(picture: Plane) -> Tiles:
    return picture.astype(np.float32) / np.float32(255)


def _spread(fine: Plane, mean: Plane) -> Plane:
    """Standard deviation of the fine picture (n gh, n gw, C) within each tile, whose mean is given: (gh, gw, C)."""
    size = (mean.shape[1], mean.shape[0])
    squares = cv2.resize(fine * fine, size, interpolation=cv2.INTER_AREA).reshape(mean.shape)
    return np.asarray(np.sqrt(np.maximum(squares - mean * mean, 0)))


def _rules(picture: Plane) -> Plane:
    """Saturation; pixels as warm as a flame (R > G > B, bright, far from grey); as white as its core; reddish."""
    red, green, blue = cv2.split(picture)
    red_green, green_blue = cv2.subtract(red, green), cv2.subtract(green, blue)
    saturation = cv2.subtract(cv2.max(red, cv2.max(green, blue)), cv2.min(red, cv2.min(green, blue)))
    ordered = cv2.bitwise_and(_above(red_green, 0), _above(green_blue, 0))
    strong = cv2.bitwise_and(_above(red, 140), _above(cv2.subtract(red, blue), 51))
    white = cv2.bitwise_and(_above(red, 229), _above(green, 217))
    reddish = cv2.bitwise_and(_above(red_green, 30), _above(red, 115))
    return np.asarray(cv2.merge([saturation, cv2.bitwise_and(ordered, strong), white, reddish]), np.uint8)


def _edges(picture: Plane, ycc: Plane) -> Plane:
    """Red over blue, and how ragged brightness and redness are."""
    red, _, blue = cv2.split(picture)
    luma, redness, _ = cv2.split(ycc)
    return np.asarray(cv2.merge([cv2.subtract(red, blue), _slope(luma), _slope(redness)]), np.uint8)


def _slope(plane: Plane) -> Plane:
    across = cv2.convertScaleAbs(cv2.Sobel(plane, cv2.CV_16S, 1, 0))
    down = cv2.convertScaleAbs(cv2.Sobel(plane, cv2.CV_16S, 0, 1))
    return np.asarray(cv2.add(across, down), np.uint8)


def _above(plane: Plane, level: int) -> Plane:
    return np.asarray(cv2.threshold(plane, level, 255, cv2.THRESH_BINARY)[1], np.uint8)
