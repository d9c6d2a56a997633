"""Pictures that the tests of banks render, and what happens to copies of them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def picture(seed: int, width: int = 640, height: int = 360) -> Pixels:
    """A picture with a look of its own: soft colours, shapes, some grain."""
    random = np.random.default_rng(seed)
    soft = cv2.resize(
        random.integers(0, 256, (5, 8, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC
    )
    for _ in range(12):
        centre = (int(random.integers(0, width)), int(random.integers(0, height)))
        colour = tuple(int(c) for c in random.integers(0, 256, 3))
        cv2.circle(soft, centre, int(random.integers(10, 90)), colour, -1)
    grain = random.integers(-6, 7, soft.shape)
    return np.clip(soft.astype(np.int64) + grain, 0, 255).astype(np.uint8)


def logo(seed: int, side: int = 128) -> Pixels:
    """An emblem: flat colours, hard edges, two letters."""
    random = np.random.default_rng(1000 + seed)
    drawn = np.full((side, side, 3), random.integers(0, 256, 3), np.uint8)
    for _ in range(6):
        colour = tuple(int(c) for c in random.integers(0, 256, 3))
        a, b = (tuple(int(v) for v in random.integers(8, side - 8, 2)) for _ in range(2))
        if random.random() < 0.5:
            cv2.circle(drawn, a, int(random.integers(8, side // 3)), colour, -1)
        else:
            cv2.rectangle(drawn, a, b, colour, -1)
    letters = "".join(chr(65 + int(n)) for n in random.integers(0, 26, 2))
    cv2.putText(drawn, letters, (side // 8, side * 3 // 4), 0, side / 60, (255, 255, 255), side // 20)
    return drawn


def reencoded(pixels: Pixels, quality: int = 40, scale: float = 0.5) -> Pixels:
    """Resized and through JPEG."""
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", small, [1, quality])[1], 1), np.uint8)


def pasted(onto: Pixels, what: Pixels, x: int, y: int, side: int) -> Pixels:
    """The frame with a small picture in it."""
    shown = onto.copy()
    shown[y : y + side, x : x + side] = cv2.resize(what, (side, side), interpolation=cv2.INTER_AREA)
    return shown
