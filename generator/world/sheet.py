"""A clip as a sheet: its landscape, its subject and the subject's alpha side by side in one still picture.

What things look like does not change while they move. So a sheet and a track (`generator.world.track`) say all of a
clip but its weather, its grain and what a style does to edges (compare layered neural atlases, 2021).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from generator.request import Pixels
from generator.world.backdrop import MARGIN, backdrop
from generator.world.looks import lit, toned
from generator.world.path import PILLAR, TILT, Pose
from generator.world.render import RATIO, SceneRenderer
from generator.world.scene import SceneSpec
from generator.world.sprites import sprite
from generator.world.track import Track, camera_in, pose_at

SUBJECT: Final = 60  # side of the subject and of its alpha, in pixels of the sheet
LANDSCAPE: Final = (144, 72)  # width, height of the landscape
SHEET: Final = (144, 132)  # of all: the landscape above, the subject and its alpha below
FRONT: Final = 24  # width of what stands in front of everything
GREY: Final = 128.0  # what stands around a subject
_WIDE, _HIGH = 1 + 2 * MARGIN, 1 + TILT  # what the landscape holds, in widths and heights of the view
Floats = NDArray[np.float32]


def sheet_of(scene: SceneSpec) -> Pixels:
    """The sheet of a scene in clear weather, uint8 (132, 144, 3). The second subject and the grain are left out."""
    layer = _styled(scene.kind, scene.colour, scene.style)  # (S, S, 4)
    out = np.full((SHEET[1], SHEET[0], 3), GREY, np.float32)
    out[: LANDSCAPE[1]] = _landscape(scene.background, scene.backdrop_seed, scene.light, scene.style)
    alpha = layer[..., 3:]
    out[LANDSCAPE[1] :, :SUBJECT] = layer[..., :3] + GREY * (1 - alpha)
    out[LANDSCAPE[1] :, SUBJECT : 2 * SUBJECT] = 255 * alpha
    if scene.motion == "behind":
        out[LANDSCAPE[1] :, -FRONT:] = _front(scene.style)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


@lru_cache(maxsize=1024)
def _styled(kind: str, colour: str, style: str) -> Floats:
    """A subject with alpha in a style, (S, S, 4), colours multiplied by alpha."""
    small = cv2.resize(sprite(kind, colour, False, 128), (SUBJECT, SUBJECT), interpolation=cv2.INTER_AREA)
    alpha = small[..., 3:]
    paint = np.where(alpha > 0.02, small[..., :3] / np.maximum(alpha, 0.02), 0).astype(np.float32)
    return np.dstack([toned(paint, style) * alpha, alpha]).astype(np.float32)


@lru_cache(maxsize=8)
def _front(style: str) -> Floats:
    """The pillar (60, 24, 3) that a subject passes behind."""
    scene = SceneSpec("ball", "red", "behind", "room", "static")
    size = (160, 100)
    picture = SceneRenderer(scene, size).landscape(0.5, raw=True)
    strip = picture[:, round((0.5 - PILLAR) * size[0]) : round((0.5 + PILLAR) * size[0])]
    return np.asarray(cv2.resize(toned(strip, style), (FRONT, SUBJECT), interpolation=cv2.INTER_AREA), np.float32)


@lru_cache(maxsize=1024)
def _landscape(background: str, seed: int, light: str, style: str) -> Floats:
    """The landscape (72, 144, 3), with what a tilt uncovers above and below."""
    height = 180
    canvas = backdrop(background, seed, (round(height * RATIO), height)).pixels.astype(np.float32)
    more = round(height * TILT / 2)
    tall = np.asarray(cv2.copyMakeBorder(canvas, more, more, 0, 0, cv2.BORDER_REPLICATE), np.float32)
    return np.asarray(cv2.resize(toned(lit(tall, light), style), LANDSCAPE, interpolation=cv2.INTER_AREA), np.float32)


@dataclass(frozen=True)
class View:
    """One moment of a scene: what the camera sees of the landscape, and where the subject is."""

    size: tuple[int, int]
    right: float
    down: float
    zoom: float
    pose: Pose
    pillar: bool = False  # something stands in front
    blocks: bool = False  # shown in large pixels

    @classmethod
    def of(cls, numbers: Track, size: tuple[int, int]) -> View:
        """The view that one row of a track describes, in a picture of `size`."""
        right, down, zoom = camera_in(numbers)
        return cls(size, right, down, zoom, pose_at(numbers, size), bool(numbers[9] > 0), bool(numbers[10] > 0))

    def scaled(self, size: tuple[int, int]) -> View:
        """The same view in a picture of another size and about the same ratio, not in large pixels."""
        kx, ky = size[0] / self.size[0], size[1] / self.size[1]
        pose = replace(self.pose, x=self.pose.x * kx, y=self.pose.y * ky, radius=self.pose.radius * min(kx, ky))
        return replace(self, size=size, pose=pose, blocks=False)

    def into_landscape(self) -> NDArray[np.float64]:
        """The affine map from pixels of the picture to pixels of the landscape, (2, 3)."""
        width, height = self.size
        across, down = LANDSCAPE[0] / _WIDE, LANDSCAPE[1] / _HIGH  # pixels a width, pixels a height
        part = min(1.0, width / height / RATIO)
        kx, ky = across * part / self.zoom / width, down / self.zoom / height
        x = across * (self.right * part + _WIDE / 2) - kx * width / 2
        y = down * (self.down + _HIGH / 2) - ky * height / 2
        return np.array([[kx, 0, x + kx / 2 - 0.5], [0, ky, y + ky / 2 - 0.5]])


def sheet_from(picture: Floats, view: View) -> Floats:
    """The sheet that a picture (H, W, 3) is most like in a view: for what only pulls. Its subject fills a disc."""
    out = np.full((SHEET[1], SHEET[0], 3), GREY, np.float32)
    out[: LANDSCAPE[1]] = cv2.warpAffine(
        picture, view.into_landscape(), LANDSCAPE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    k = 2 * view.pose.radius / SUBJECT
    move = np.array([[k, 0, view.pose.x - view.pose.radius], [0, k, view.pose.y - view.pose.radius]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(picture, move, (SUBJECT, SUBJECT), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    y, x = np.mgrid[:SUBJECT, :SUBJECT] - (SUBJECT - 1) / 2
    disc = (np.hypot(x, y) < 0.45 * SUBJECT).astype(np.float32)[..., None]
    out[LANDSCAPE[1] :, :SUBJECT] = crop * disc + GREY * (1 - disc)
    out[LANDSCAPE[1] :, SUBJECT : 2 * SUBJECT] = 255 * disc
    return out
