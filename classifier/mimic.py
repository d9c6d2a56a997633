"""Fakes that share their content with a real clip: its pictures after a bottleneck like those of video generators.

A detector that is fitted on generated clips and on camera footage learns what is shown, for generators draw other
scenes than cameras film. A real clip and its copy through a bottleneck show the same scene, so that only the traces
differ. Used in training alone. Clips are uint8 (T, H, W, 3) RGB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Clip = NDArray[np.uint8]


def patches(clip: Clip, shape: tuple[int, int, int], keep: int, rng: np.random.Generator) -> Clip:
    """Spacetime patches of `shape` (frames, rows, columns) reduced to their `keep` principal numbers and back."""
    frames, rows, columns = shape
    T, H, W = (count // one * one for count, one in zip(clip.shape[:3], shape, strict=True))
    x = clip[:T, :H, :W].astype(np.float32) / 127.5 - 1
    x = x.reshape(T // frames, frames, H // rows, rows, W // columns, columns, 3)
    flat = x.transpose(0, 2, 4, 1, 3, 5, 6).reshape(-1, frames * rows * columns * 3)  # (N, P)
    mean = flat.mean(0)
    few = flat[rng.permutation(len(flat))[:6000]] - mean
    basis = np.linalg.eigh(few.T @ few)[1][:, -keep:]  # (P, K)
    numbers = (flat - mean) @ basis
    numbers += rng.normal(0, 0.02, numbers.shape) * numbers.std(0)  # a sampler never hits its latents exactly
    back = (numbers @ basis.T + mean).reshape(T // frames, H // rows, W // columns, frames, rows, columns, 3)
    return _bytes(back.transpose(0, 3, 1, 4, 2, 5, 6).reshape(T, H, W, 3) * 127.5 + 127.5)


def cosines(clip: Clip, side: int, keep: int) -> Clip:
    """Square blocks reduced to their lowest `keep` x `keep` cosines, the blocks' steps smoothed over."""
    H, W = (count // side * side for count in clip.shape[1:3])
    orders, places = np.arange(keep)[:, None], np.arange(side)[None] + 0.5
    basis = np.cos(np.pi * orders * places / side) * np.where(orders == 0, np.sqrt(1 / side), np.sqrt(2 / side))
    x = clip[:, :H, :W].astype(np.float32).reshape(len(clip), H // side, side, W // side, side, 3)
    low = np.einsum("ka,tiajbc,lb->tikjlc", basis, x, basis)
    back = np.einsum("ka,tikjlc,lb->tiajbc", basis, low, basis).reshape(len(clip), H, W, 3)
    return _bytes(np.stack([cv2.bilateralFilter(one.astype(np.float32), 5, 20, 2) for one in back]))


def swapped(clip: Clip, sigma: float, rng: np.random.Generator) -> Clip:
    """The low band of every picture with a high band that is another's: of one picture, carried along by the motion."""
    x = clip.astype(np.float32)
    low = np.stack([cv2.GaussianBlur(one, (0, 0), sigma) for one in x])
    source = int(rng.integers(len(clip)))
    high = x[source] - low[source]
    made = []
    for number, one in enumerate(clip):
        flow = motion(one, clip[source])
        made.append(low[number] + 0.9 * carried(high, flow))
    return _bytes(np.stack(made))


def between(clip: Clip, every: int) -> Clip:
    """Every `every`-th picture kept, and the others drawn between them along the motion, as interpolators do."""
    made: list[NDArray[np.uint8]] = []
    for start in range(0, len(clip) - every, every):
        first, last = clip[start], clip[start + every]
        there, back = motion(first, last), motion(last, first)
        made.append(first)
        for step in range(1, every):
            share = step / every
            early, late = carried(first, -share * there), carried(last, -(1 - share) * back)
            made.append(_bytes((1 - share) * early.astype(np.float32) + share * late.astype(np.float32)))
    return np.stack([*made, clip[(len(clip) - 1) // every * every]])


def drifting(clip: Clip, rng: np.random.Generator) -> Clip:
    """One picture set in smooth motion: what a model that animates a still makes of it."""
    still, (height, width) = clip[len(clip) // 2], clip.shape[1:3]
    grids = [rng.normal(0, 1, (4, 5, 2)).astype(np.float32) for _ in range(3)]
    fields = [cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) for grid in grids]
    size = 0.012 * min(height, width) * float(rng.uniform(0.4, 1.6))
    made = []
    for number in range(len(clip)):
        t = number / 8
        field = fields[0] * t + fields[1] * np.sin(2.2 * t) + 0.4 * fields[2] * np.sin(5.1 * t + 1)
        made.append(carried(still, size * field))
    return np.stack(made)


def denoised(clip: Clip, strength: float) -> Clip:
    """Smooth surfaces between edges, picture by picture: the finish of many decoders."""
    return np.stack([cv2.bilateralFilter(cv2.bilateralFilter(one, 7, strength, 3), 5, strength, 2) for one in clip])


def motion(first: NDArray[np.uint8], last: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Dense motion (H, W, 2) from one picture to another, pixels."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    grey = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (first, last)]
    return np.asarray(search.calc(grey[0], grey[1], None), np.float32)  # type: ignore[call-overload]


def carried(picture: NDArray[Any], flow: NDArray[Any]) -> NDArray[Any]:
    """The picture read at every place plus the flow there."""
    height, width = picture.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32) + flow
    grid = grid.astype(np.float32)
    made = cv2.remap(picture, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(made, picture.dtype)


def _bytes(values: NDArray[Any]) -> Clip:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


Mimic = Callable[[Clip, np.random.Generator], Clip]

MIMICS: Final[Mapping[str, Mimic]] = {
    "patches-1x8": lambda clip, rng: patches(clip, (1, 8, 8), int(rng.integers(6, 20)), rng),
    "patches-4x8": lambda clip, rng: patches(clip, (4, 8, 8), int(rng.integers(16, 48)), rng),
    "patches-2x4": lambda clip, rng: patches(clip, (2, 4, 4), int(rng.integers(6, 14)), rng),
    "cosines-8": lambda clip, rng: cosines(clip, 8, int(rng.integers(3, 5))),
    "cosines-4": lambda clip, rng: cosines(clip, 4, 2),
    "swapped": lambda clip, rng: swapped(clip, float(rng.uniform(1.0, 2.5)), rng),
    "between-2": lambda clip, rng: between(clip, 2),
    "between-4": lambda clip, rng: between(clip, 4),
    "drifting": drifting,
    "denoised": lambda clip, rng: denoised(clip, float(rng.uniform(12, 30))),
}
