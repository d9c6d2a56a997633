"""What the pictures of a stretch look like one by one: spectrum, noise residuals, their spread and their colours' ties.

All of it on canonical planes; every number is a shape (a logarithm of a ratio, a correlation), not a level, so that
brightness, contrast and the overall strength of detail say little.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Named = dict[str, float]

PICTURES: Final = 6  # of a stretch, evenly spread: what is measured here hardly changes within two seconds
_EDGES: Final = np.array([0.02, 0.045, 0.07, 0.1, 0.14, 0.18, 0.225, 0.27, 0.32, 0.37, 0.43, 0.5])  # cycles a pixel
_BLOCK: Final = 16
_TINY: Final = 1e-3

_SECOND = np.array([[0, 0, 0], [1, -2, 1], [0, 0, 0]], np.float32) / 2
SQUARE: Final = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], np.float32) / 4
_FIFTH = (
    np.array(
        [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]], np.float32
    )
    / 12
)
_FILTERS: Final = {"second": _SECOND, "upright": _SECOND.T.copy(), "square": SQUARE, "fifth": _FIFTH}


def measured(luma: NDArray[np.uint8], chroma: NDArray[np.uint8]) -> Named:
    """The spatial numbers of a stretch: luma (T, H, W) and chroma (T, 2, H / 2, W / 2), the mean over its pictures."""
    places = np.unique(np.linspace(0, len(luma) - 1, PICTURES).round().astype(int))
    Y = luma[places].astype(np.float32)  # (P, H, W)
    C = chroma[places].astype(np.float32)  # (P, 2, H / 2, W / 2)
    return {
        **_spectrum("luma", Y),
        **_residuals(Y),
        **_blocks(Y),
        **_ties(Y, C),
        **_lattice(Y),
    }


def chroma_measured(_luma: NDArray[np.uint8], chroma: NDArray[np.uint8]) -> Named:
    """The shape of the colours' spectrum, chroma (T, 2, H / 2, W / 2): generators hold colour at a coarser grid."""
    places = np.unique(np.linspace(0, len(chroma) - 1, PICTURES).round().astype(int))
    return _spectrum("spectrum", chroma[places].astype(np.float32).reshape(-1, *chroma.shape[2:]))


def filtered(planes: Floats, kernel: NDArray[Any]) -> Floats:
    """Planes (N, H, W) through one small filter."""
    return np.stack([cv2.filter2D(plane, -1, kernel) for plane in planes])


def halved(planes: Floats) -> Floats:
    """Means of 2 x 2."""
    size = (planes.shape[2] // 2, planes.shape[1] // 2)
    return np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in planes])


@lru_cache(maxsize=4)
def _rings(side: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Of every frequency of an rfft2: its ring, its sector (along x, y, diagonal), and the window's weights."""
    fy, fx = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    radius, angle = np.hypot(fx, fy), np.abs(np.arctan2(np.abs(fy), np.abs(fx)))
    sector = np.where(angle < np.pi / 8, 0, np.where(angle > 3 * np.pi / 8, 1, 2))
    window = np.hanning(side + 2)[1:-1]
    return np.digitize(radius, _EDGES), sector, np.outer(window, window).astype(np.float32)


def _spectrum(name: str, planes: Floats) -> Named:
    """Shape of the power spectrum: rings against their mean, curvature, anisotropy, and peaks within rings."""
    ring, sector, window = _rings(planes.shape[-1])
    centred = planes - planes.mean((1, 2), keepdims=True)
    half = planes.shape[-1] // 2 + 1
    waves = [cv2.dft(one * window, flags=cv2.DFT_COMPLEX_OUTPUT)[:, :half] for one in centred]
    logs = np.log(np.mean([(wave**2).sum(2) for wave in waves], axis=0, dtype=np.float64) + 1.0)  # (S, S / 2 + 1)
    count = len(_EDGES)
    key = (ring * 3 + sector).ravel()
    cells = np.bincount(key, minlength=3 * (count + 1))[: 3 * (count + 1)]
    sums = np.bincount(key, logs.ravel(), minlength=len(cells))[: len(cells)]
    squares = np.bincount(key, (logs**2).ravel(), minlength=len(cells))[: len(cells)]
    means = (sums / np.maximum(cells, 1)).reshape(-1, 3)[1:count]  # (rings, sectors)
    total = sums.reshape(-1, 3).sum(1)[1:count] / cells.reshape(-1, 3).sum(1)[1:count]
    spread = squares.reshape(-1, 3).sum(1)[1:count] / cells.reshape(-1, 3).sum(1)[1:count] - total**2
    made: Named = {}
    flat = total - total.mean()
    for place, value in enumerate(flat):
        made[f"{name}/ring{place}"] = float(value)
        made[f"{name}/peaks{place}"] = float(np.sqrt(max(spread[place], 0.0)))
    for place in range(1, count - 1, 2):
        along, upright, diagonal = means[place]
        made[f"{name}/lying{place}"] = float(along - upright)
        made[f"{name}/diagonal{place}"] = float(diagonal - (along + upright) / 2)
    for place in range(1, count - 2, 2):
        made[f"{name}/bend{place}"] = float(total[place + 1] - 2 * total[place] + total[place - 1])
    return made


def _residuals(Y: Floats) -> Named:
    """Moments of four high-pass residuals at two scales, against the strength of the picture's own gradients."""
    made: Named = {}
    for scale, planes in (("whole", Y), ("half", halved(Y))):
        steps = np.abs(np.diff(planes, axis=2)).mean() + _TINY
        for name, kernel in _FILTERS.items():
            r = filtered(planes, kernel)[:, 4:-4, 4:-4]
            size = np.abs(r).mean() + _TINY
            deviation = r.std() + _TINY
            made[f"{scale}/{name}/strength"] = float(np.log(size / steps))
            made[f"{scale}/{name}/peaked"] = float(np.log(deviation / size))
            made[f"{scale}/{name}/tail"] = float(np.log((np.abs(r) > 3 * deviation).mean() + 1e-4))
            made[f"{scale}/{name}/flat"] = float((np.abs(r) < 0.25 * size).mean())
            made[f"{scale}/{name}/along"] = _correlation(r[:, :, 1:], r[:, :, :-1])
            made[f"{scale}/{name}/down"] = _correlation(r[:, 1:], r[:, :-1])
    return made


def _blocks(Y: Floats) -> Named:
    """How detail is spread over the picture: cameras have one plane in focus and noise that follows the light."""
    fine = np.abs(filtered(Y, SQUARE))
    coarse = np.abs(filtered(halved(halved(Y)), SQUARE))
    light = _pooled(Y, _BLOCK)
    inner = np.log(_pooled(fine, _BLOCK) + 0.05)  # (P, blocks)
    outer = np.log(_pooled(coarse, _BLOCK // 4) + 0.05)
    low, middle, high = np.quantile(inner, [0.1, 0.5, 0.9], axis=1)
    below, centre, above = np.quantile(outer, [0.1, 0.5, 0.9], axis=1)
    gap = inner - outer
    tie = float(np.mean([_correlation(a, b) for a, b in zip(inner, outer, strict=True)]))
    shade = float(np.mean([_correlation(a, b) for a, b in zip(gap, light, strict=True)]))
    return {
        "blocks/lower": float((middle - low).mean()),
        "blocks/upper": float((high - middle).mean()),
        "blocks/outer-lower": float((centre - below).mean()),
        "blocks/outer-upper": float((above - centre).mean()),
        "blocks/tie": tie,
        "blocks/gap-spread": float(gap.std(1).mean()),
        "blocks/gap-light": shade,
        "blocks/gap-smooth": float(np.mean([_correlation(a[1:], a[:-1]) for a in gap])),
    }


def _pooled(planes: Floats, block: int) -> Floats:
    N, H, W = planes.shape
    cut = planes[:, : H // block * block, : W // block * block]
    return np.asarray(cut.reshape(N, H // block, block, W // block, block).mean((2, 4)).reshape(N, -1), np.float32)


def _ties(Y: Floats, C: Floats) -> Named:
    """What colour shares with light: a sensor's mosaic ties them in every edge, a decoder learned them apart."""
    small = filtered(halved(Y), SQUARE)
    blue, red = (filtered(np.ascontiguousarray(C[:, k]), SQUARE) for k in (0, 1))
    size = [np.abs(one).mean() + _TINY for one in (small, blue, red)]
    broad = [one - cv2.GaussianBlur(one, (0, 0), 4) for one in (halved(Y)[0], C[0, 0], C[0, 1])]
    return {
        "ties/blue": _correlation(small, blue),
        "ties/red": _correlation(small, red),
        "ties/colours": _correlation(blue, red),
        "ties/blue-size": float(np.log(size[1] / size[0])),
        "ties/red-size": float(np.log(size[2] / size[0])),
        "ties/edges-blue": _correlation(np.abs(small), np.abs(blue)),
        "ties/edges-red": _correlation(np.abs(small), np.abs(red)),
        "ties/broad-blue": _correlation(broad[0], broad[1]),
        "ties/broad-red": _correlation(broad[0], broad[2]),
    }


def _lattice(Y: Floats) -> Named:
    """Correlation of the residual with itself some pixels on: upsampling leaves a grid."""
    r = filtered(Y, _FIFTH)[:, 8:-8, 8:-8]
    r = np.clip(r, -3 * r.std(), 3 * r.std())
    made: Named = {}
    for lag in (2, 3, 4, 6, 8):
        made[f"lattice/along{lag}"] = _correlation(r[:, :, lag:], r[:, :, :-lag])
        made[f"lattice/down{lag}"] = _correlation(r[:, lag:], r[:, :-lag])
    return made


def _correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Pearson's, 0 where one of them does not vary."""
    n = a.size
    a, b = np.ascontiguousarray(a).ravel(), np.ascontiguousarray(b).ravel()
    mine, theirs = float(a.mean(dtype=np.float64)), float(b.mean(dtype=np.float64))
    over = float(a @ b) - n * mine * theirs
    below = (float(a @ a) - n * mine**2) * (float(b @ b) - n * theirs**2)
    return over / float(np.sqrt(below)) if below > _TINY else 0.0
