"""Reads the landscape of a clip by making it: background, light, style and camera whose picture lies nearest.

A cell can differ by so much and no more, since a subject is in front of some of them. Weather is not read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from generator.request import Pixels
from generator.world.looks import PIXEL_ROWS, shown
from generator.world.render import SceneRenderer
from generator.world.scene import BACKDROPS, BACKGROUNDS, CAMERAS, LIGHTS, STYLES, SceneSpec

CELLS: Final = 15  # along the shorter side of what is compared
FOREIGN: Final = 40.0  # of a cell's difference, the sum of its channels: from which it is a subject's
CAP: Final = 60.0  # of a cell's difference, when cameras are compared
BLOCKY: Final = 1.8  # steps at the borders of blocks, against steps inside, from which a picture is of pixels
_SMALL: Final = 60  # shorter side at which landscapes are made to be compared
_FRAMES: Final = (0, 1, 2, 3, 4, 11, 12, 13, 14, 15)  # of sixteen: where cameras differ most
Cells = NDArray[np.float32]


@dataclass(frozen=True)
class Setting:
    """What was read; `seed` is which of its landscapes the background shows."""

    background: str
    light: str
    style: str
    camera: str
    seed: int

    def scene(self, kind: str = "ball", colour: str = "red", motion: str = "still") -> SceneSpec:
        """A scene in this setting."""
        return SceneSpec(
            kind, colour, motion, self.background, self.camera, style=self.style, light=self.light,
            backdrop_seed=self.seed,
        )  # fmt: skip


def read_setting(clip: Pixels) -> Setting:
    """The setting of a clip uint8 (T, H, W, 3)."""
    size = (clip.shape[2], clip.shape[1])
    total = len(clip)
    middle = _cells(clip[total // 2 - 1 : total // 2 + 1].astype(np.float32).mean(0))  # (h, w, 3)
    blocky = _is_blocky(clip)
    names, cells = _bank(_small(size))
    allowed = np.array([(name[2] == "pixel") == blocky for name in names])
    differences = np.abs(cells - middle).sum(3).reshape(len(cells), -1)  # (N, cells)
    unlike = np.minimum(differences, FOREIGN).mean(axis=1)  # (N,), smallest for the nearest
    background, light, style, seed, zoomed = names[int(np.where(allowed, unlike, np.inf).argmin())]
    found = Setting(background, light, style, CAMERAS[0], seed)
    return replace(found, camera=_camera(clip, found, zoomed))


def _camera(clip: Pixels, found: Setting, zoomed: bool) -> str:
    size, total = _small((clip.shape[2], clip.shape[1])), len(clip)
    at = [round(i * (total - 1) / 15) for i in _FRAMES]
    seen = np.stack([_cells(clip[i].astype(np.float32)) for i in at])
    differences = []
    for camera in CAMERAS:
        renderer = SceneRenderer(replace(found, camera=camera).scene(), size)
        made = np.stack([_cells(renderer.landscape(i / total)) for i in at])
        differences.append(np.abs(seen - made).sum(3))  # (frames, h, w)
    errors = np.stack(differences)  # (cameras, frames, h, w)
    # Where a subject is in front no camera explains a cell, nor the cells beside it, which are partly its own.
    hidden = (errors.min(axis=0) > FOREIGN).astype(np.uint8)  # (frames, h, w)
    free = np.stack([cv2.dilate(mask, np.ones((3, 3), np.uint8)) == 0 for mask in hidden])
    if not free.any():
        return CAMERAS[0]
    return CAMERAS[int(np.minimum(errors[:, free], CAP).mean(axis=1).argmin())]


def _is_blocky(clip: Pixels) -> bool:
    """Whether steps between neighbours gather at the borders of blocks, along both axes."""
    height, width = clip.shape[1:3]
    side = min(height, width) / PIXEL_ROWS
    if side < 2:
        return False
    ratios = []
    for axis, length in ((1, height), (2, width)):
        steps = np.abs(np.diff(clip.astype(np.float32), axis=axis)).mean(axis=(0, 3 - axis, 3))  # (length - 1,)
        blocks = (np.arange(length) * round(length / side) // length).astype(int)
        border = np.diff(blocks) > 0
        ratios.append(steps[border].mean() / max(float(steps[~border].mean()), 1e-3))
    return bool(min(ratios) > BLOCKY)


@lru_cache(maxsize=4)
def _bank(size: tuple[int, int]) -> tuple[list[tuple[str, str, str, int, bool]], Cells]:
    """Every setting in the middle of a clip, as cells; the camera stands or has zoomed half-way in."""
    names, cells = [], []
    for background, seed, light, zoomed in product(BACKGROUNDS, range(BACKDROPS), LIGHTS, (False, True)):
        camera = "zoom in" if zoomed else "static"
        scene = SceneSpec("ball", "red", "still", background, camera, light=light, backdrop_seed=seed)
        plain = SceneRenderer(scene, size).landscape(0.5)
        for style in STYLES:
            names.append((background, light, style, seed, zoomed))
            cells.append(_cells(shown(plain, style, None)))
    return names, np.stack(cells)


def _small(size: tuple[int, int]) -> tuple[int, int]:
    factor = _SMALL / min(size)
    return round(size[0] * factor), round(size[1] * factor)


def _cells(picture: NDArray[np.float32]) -> Cells:
    """A picture averaged down to cells (h, w, 3)."""
    height, width = picture.shape[:2]
    factor = CELLS / min(height, width)
    cells = (round(width * factor), round(height * factor))
    return np.asarray(cv2.resize(picture, cells, interpolation=cv2.INTER_AREA), np.float32)
