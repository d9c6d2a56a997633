"""From a scene to frames, at any size and length. The same drawing serves training (96x60) and full HD."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from generator.request import Pixels
from generator.world.backdrop import backdrop
from generator.world.looks import Picture, falling, lit, shown
from generator.world.path import PILLAR, camera_at, poses
from generator.world.scene import SceneSpec
from generator.world.sprites import sprite, stamp

RATIO: Final = 1.6  # of the picture that a landscape is made for
_BRICK: Final = (150, 104, 86)
_MORTAR: Final = (186, 158, 142)


class SceneRenderer:
    """One scene at one size: `frame(t, duration_s)` draws the picture at time t."""

    def __init__(self, scene: SceneSpec, size: tuple[int, int]) -> None:
        self.scene, self.size = scene, size
        # A narrower picture shows the middle of the same landscape.
        self._across = max(size[0], round(RATIO * size[1]))
        self.canvas = backdrop(scene.background, scene.backdrop_seed, (self._across, size[1]))

    def frame(self, t: float, duration_s: float) -> Pixels:
        """The picture `t` seconds into a clip of `duration_s`: uint8 (H, W, 3) RGB."""
        u = min(t / duration_s, 1.0)  # the share of the clip that has passed
        picture = lit(self._background(u), self.scene.light)
        for pose in poses(self.scene, self.size, t, u):
            layer = sprite(pose.kind, pose.colour, pose.mirrored, math.ceil(2 * pose.radius))
            stamp(picture, layer, (pose.x, pose.y), pose.radius, pose.turn)
        if self.scene.motion == "behind":
            self.pillar(picture)
        picture = shown(falling(picture, self.scene, t), self.scene.style, round(t * 8))
        return np.clip(np.rint(picture), 0, 255).astype(np.uint8)

    def landscape(self, u: float, raw: bool = False) -> Picture:
        """The picture without its subjects at the share u of the clip, float (H, W, 3); `raw`: before its style."""
        picture = lit(self._background(u), self.scene.light)
        if self.scene.motion == "behind":
            self.pillar(picture)
        return picture if raw else shown(picture, self.scene.style, None)

    def cover(self, t: float, duration_s: float) -> NDArray[np.float32]:
        """How much of each pixel the subjects take, (H, W, 4) of which the last plane is alpha."""
        plane = np.zeros((self.size[1], self.size[0], 4), np.float32)
        for pose in poses(self.scene, self.size, t, min(t / duration_s, 1.0)):
            layer = sprite(pose.kind, pose.colour, pose.mirrored, math.ceil(2 * pose.radius))
            stamp(plane, layer, (pose.x, pose.y), pose.radius, pose.turn)
        return plane

    def from_canvas(self, u: float) -> NDArray[np.float64]:
        """The affine map from pixels of the canvas to pixels of the picture at the share u of the clip, (2, 3)."""
        (right, down), zoom = camera_at(self.scene.camera, u)
        (w, h), margin = self.size, self.canvas.margin
        # The canvas point that lands on the middle of the picture stays there under zoom.
        x = w / 2 - zoom * (margin + self._across / 2 + right * w)
        y = h / 2 - zoom * (h / 2 + down * h)
        return np.array([[zoom, 0, x], [0, zoom, y]])

    def _background(self, u: float) -> Picture:
        picture = cv2.warpAffine(
            self.canvas.pixels, self.from_canvas(u), self.size, flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        return picture.astype(np.float32)

    def pillar(self, picture: Picture) -> None:
        """A brick pillar in the middle, from top to bottom: what passes behind it is hidden."""
        width, height = self.size
        left, right = round((0.5 - PILLAR) * width), round((0.5 + PILLAR) * width)
        picture[:, left:right] = _BRICK
        course = max(height // 10, 2)
        for number, y in enumerate(range(0, height, course)):
            picture[y : y + max(1, height // 60), left:right] = _MORTAR
            for x in range(left + (number % 2) * course, right, 2 * course):
                picture[y : y + course, x : x + max(1, height // 60)] = _MORTAR


def render_clip(scene: SceneSpec, size: tuple[int, int], frames: int = 16, fps: float = 8.0) -> Pixels:
    """A whole short clip: uint8 (T, H, W, 3) RGB."""
    renderer = SceneRenderer(scene, size)
    return np.stack([renderer.frame(i / fps, frames / fps) for i in range(frames)])  # (T, H, W, 3)
