"""From a scene to frames, at any size and length. The same drawing serves training (80x48) and full HD.

Motions along a line, growing and the camera take the whole clip; bouncing and spinning keep their pace in seconds.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import cv2
import numpy as np

from generator.request import Pixels
from generator.world.backdrop import backdrop
from generator.world.scene import COLOURS, EMBLEM, SceneSpec
from generator.world.shapes import drawing, tone

RADIUS: Final = 0.27  # of the shorter side: a subject takes half of it
TRAVEL_X, TRAVEL_Y = 0.46, 0.40  # of the width and of the height, from the first frame to the last
BOUNCE_HEIGHT, BOUNCE_S = 0.26, 1.0  # of the height; seconds from ground to ground
SPIN_S = 2.0  # seconds a turn
GROW = (0.55, 1.3)
PAN = 0.3  # of the width
ZOOM = 1.5
_FINE: Final = 256  # pictures with a shorter side are drawn at twice their size and averaged down
_SHIFT: Final = 4


class SceneRenderer:
    """One scene at one size: `frame(t, duration_s)` draws the picture at time t."""

    def __init__(self, scene: SceneSpec, size: tuple[int, int]) -> None:
        self.scene, self.size = scene, size
        self._factor = 2 if min(size) < _FINE else 1
        self._width, self._height = size[0] * self._factor, size[1] * self._factor
        self._canvas = backdrop(scene.background, scene.backdrop_seed, (self._width, self._height))

    def frame(self, t: float, duration_s: float) -> Pixels:
        """The picture `t` seconds into a clip of `duration_s`: uint8 (H, W, 3) RGB."""
        u = min(t / duration_s, 1.0)  # the share of the clip that has passed
        picture = self._background(u)
        if self.scene.kind == EMBLEM:
            self._stamp(picture, t, u)
        else:
            self._draw(picture, t, u)
        if self._factor == 1:
            return picture
        return cv2.resize(picture, self.size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)

    def _background(self, u: float) -> Pixels:
        shift, zoom = camera_at(self.scene.camera, u)
        w, h = self._width, self._height
        # The canvas point that lands on the middle of the picture stays there under zoom.
        matrix = np.array(
            [[zoom, 0, w / 2 - zoom * (self._canvas.margin + w / 2 + shift * w)], [0, zoom, h / 2 - zoom * h / 2]]
        )
        picture = cv2.warpAffine(
            self._canvas.pixels, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return picture.astype(np.uint8, copy=False)

    def _draw(self, picture: Pixels, t: float, u: float) -> None:
        x, y, radius, turn = self._pose(t, u)
        c, s = math.cos(turn) * radius, math.sin(turn) * radius
        mirror = -1.0 if self.scene.motion == "left" else 1.0
        matrix = np.array([[c * mirror, -s], [s * mirror, c]])
        for name, points in drawing(self.scene.kind):
            placed = np.rint((points @ matrix.T + (x, y)) * (1 << _SHIFT)).astype(np.int32)  # (N, 2)
            cv2.fillPoly(picture, [placed], tone(name, COLOURS[self.scene.colour]), cv2.LINE_AA, _SHIFT)

    def _stamp(self, picture: Pixels, t: float, u: float) -> None:
        """The canary glyph as it is: turned and scaled, never recoloured."""
        x, y, radius, turn = self._pose(t, u)
        # Reduced first, so that stripes do not alias where the subject is small.
        side = max(8, min(len(_glyph()), 2 * round(radius)))
        source = cv2.resize(_glyph(), (side, side), interpolation=cv2.INTER_AREA)  # (side, side, 4)
        c, s, h = math.cos(turn) * 2 * radius / side, math.sin(turn) * 2 * radius / side, side / 2
        matrix = np.array([[c, -s, x - h * (c - s)], [s, c, y - h * (s + c)]])
        placed = cv2.warpAffine(source, matrix, (self._width, self._height), flags=cv2.INTER_LINEAR)  # (H, W, 4)
        alpha = placed[:, :, 3:].astype(np.float32) / 255
        picture[:] = np.rint(placed[:, :, :3] * alpha + picture * (1 - alpha)).astype(np.uint8)

    def _pose(self, t: float, u: float) -> tuple[float, float, float, float]:
        """Where the subject's middle is, its radius (drawn pixels) and how far it is turned (radians, clockwise)."""
        scene, motion = self.scene, self.scene.motion
        dx = {"left": 0.5 - u, "right": u - 0.5}.get(motion, 0.0) * TRAVEL_X
        dy = {"up": 0.5 - u, "down": u - 0.5}.get(motion, 0.0) * TRAVEL_Y
        if motion == "bounce":
            dy = BOUNCE_HEIGHT * (0.5 - abs(math.sin(math.pi * t / BOUNCE_S)))
        turn = 2 * math.pi * t / SPIN_S if motion == "spin" else 0.0
        grown = GROW[0] + (GROW[1] - GROW[0]) * u if motion == "grow" else 1.0
        radius = RADIUS * min(self._width, self._height) * scene.scale * grown
        return (0.5 + scene.x + dx) * self._width, (0.5 + scene.y + dy) * self._height, radius, turn


@cache
def _glyph() -> Pixels:
    """The canary glyph, uint8 (256, 256, 4); made once, since every frame stamps it."""
    from media import canary_glyph

    return canary_glyph(256)


def camera_at(camera: str, u: float) -> tuple[float, float]:
    """How far the view has moved to the right (in widths) and how far it is zoomed in, at the share u of the clip."""
    shift = {"pan left": 0.5 - u, "pan right": u - 0.5}.get(camera, 0.0) * PAN
    zoom = {"zoom in": 1 + (ZOOM - 1) * u, "zoom out": ZOOM - (ZOOM - 1) * u}.get(camera, 1.0)
    return shift, zoom


def render_clip(scene: SceneSpec, size: tuple[int, int], frames: int = 16, fps: float = 8.0) -> Pixels:
    """A whole short clip: uint8 (T, H, W, 3) RGB."""
    renderer = SceneRenderer(scene, size)
    return np.stack([renderer.frame(i / fps, frames / fps) for i in range(frames)])  # (T, H, W, 3)
