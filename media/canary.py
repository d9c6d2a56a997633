"""The canary glyph: a harmless emblem that a test policy forbids, so that the gate can be proved without harm.

A white ring round a disc of five diagonal stripes, yellow and blue. The two differ as much in luma (0.83 to 0.14) as
in blue against yellow, so that the stripes survive a faint blend, 4:2:0 chroma and a size of 16 pixels, and no
everyday object has them. Never change it: detectors are trained on it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_YELLOW = (255, 221, 0)
_BLUE = (0, 30, 200)
_WHITE = (255, 255, 255)
_STRIPES = 5  # yellow at both ends; at 16 pixels each is 2.6 wide, and more of them would melt into grey
_DISC = 0.82  # the striped disc's share of the radius; the rest is the ring
_SAMPLES = 8  # a side: 64 samples a pixel, an edge is exact to 1.6 %


def canary_glyph(size: int) -> NDArray[np.uint8]:
    """The emblem as uint8 (size, size, 4) RGBA, straight alpha, antialiased; alpha is 0 outside the ring.

    Raises:
        ValueError: a size below 8 pixels, which cannot show five stripes.
    """
    if size < 8:
        raise ValueError(f"the canary glyph needs 8 pixels or more to show its stripes, not {size}")
    n = size * _SAMPLES
    axis = (np.arange(n) + 0.5) / n * 2 - 1  # (n,): pixel centres on [-1, 1]
    x, y = axis[None, :], axis[:, None]
    radius = np.hypot(x, y)  # (n, n)
    across = (x + y) / np.sqrt(2) / _DISC  # -1 to 1 over the disc
    stripe = np.clip(np.floor((across + 1) / 2 * _STRIPES), 0, _STRIPES - 1).astype(int)
    colour = np.where((stripe % 2 == 0)[..., None], _YELLOW, _BLUE)  # (n, n, 3)
    colour = np.where((radius > _DISC)[..., None], _WHITE, colour)
    inside = (radius <= 1).astype(np.float64)  # (n, n)
    cover = _pooled(inside, size)  # (size, size): the share of each pixel that the glyph covers
    premultiplied = _pooled(colour * inside[..., None], size)  # (size, size, 3)
    straight = premultiplied / np.maximum(cover, 1e-9)[..., None]
    return np.dstack([straight, cover * 255]).round().astype(np.uint8)


def _pooled(samples: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Means over the samples of each pixel: (n, n, ...) -> (size, size, ...)."""
    pooled: NDArray[np.float64] = samples.reshape(size, _SAMPLES, size, _SAMPLES, *samples.shape[2:]).mean(axis=(1, 3))
    return pooled
