"""Clips of the world drawn by torch on any device, all frames at once: for training where there is a GPU.

`generator.world.render` is what the world looks like; this draws the same scenes to within a rounding step of most
pixels, and stands outside the world because the world needs no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from generator.layers import enlarged, few, into_layer, over, warped
from generator.world.looks import LEVELS, Picture, brush_width, falling, lit, shown, toned
from generator.world.path import PILLAR, Pose, poses
from generator.world.render import SceneRenderer
from generator.world.scene import SceneSpec
from generator.world.sprites import sprite

KEPT: Final = 512  # landscapes and subjects that stay on the device


class Studio:
    """Draws clips of scenes on one device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._kept: dict[tuple[object, ...], Tensor] = {}

    def clip(self, scene: SceneSpec, size: tuple[int, int], frames: int = 16, fps: float = 8.0) -> Tensor:
        """A whole short clip as `generator.world.render` draws it, uint8 (T, H, W, 3) RGB on the device."""
        renderer = SceneRenderer(scene, size)
        times = [(i / fps, min(i / frames, 1.0)) for i in range(frames)]  # seconds, the share that has passed
        maps = np.stack([np.asarray(cv2.invertAffineTransform(renderer.from_canvas(u)), np.float64) for _, u in times])
        key = (scene.background, scene.backdrop_seed, size)
        canvas = self._keep(key, lambda: self._planes(renderer.canvas.pixels.astype(np.float32)))
        seen = warped(canvas, maps, size, beyond="border").round()  # (T, 3, H, W)
        out = self._in(lambda picture: lit(picture, scene.light), seen)
        for subject in zip(*(poses(scene, size, t, u) for t, u in times), strict=True):
            out = self._with(out, subject)
        if scene.motion == "behind":
            out = self._behind(out, renderer)
        out = self._weather(out, scene, fps)
        return self._styled(out, scene.style, fps).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)

    def _with(self, pictures: Tensor, subject: tuple[Pose, ...]) -> Tensor:
        """The pictures with a subject, each from the layer that is as large as it is shown, or the next larger one."""
        layers = [self._layer(pose) for pose in subject]
        out, size = pictures.clone(), (pictures.shape[3], pictures.shape[2])
        for side in {layer.shape[1] for layer in layers}:
            rows = [i for i, layer in enumerate(layers) if layer.shape[1] == side]
            maps = np.stack([into_layer(subject[i], side) for i in rows])
            out[rows] = over(pictures[rows], warped(layers[rows[0]], maps, size))
        return out

    def _behind(self, pictures: Tensor, renderer: SceneRenderer) -> Tensor:
        width, height = renderer.size
        drawn = np.zeros((height, width, 3), np.float32)
        renderer.pillar(drawn)
        left, right = (round((0.5 + side * PILLAR) * width) for side in (-1, 1))
        out = pictures.clone()
        out[..., left:right] = self._planes(drawn[:, left:right])
        return out

    def _weather(self, pictures: Tensor, scene: SceneSpec, fps: float) -> Tensor:
        if scene.weather in ("rain", "snowfall"):
            fall = self._fall(scene, tuple(pictures.shape), fps)
            return torch.where(fall < 0, pictures, fall)
        return self._in(lambda picture: falling(picture, scene, 0.0), pictures)

    def _styled(self, pictures: Tensor, style: str, fps: float) -> Tensor:
        if style == "watercolour":
            soft = medians(pictures.clamp(0, 255).floor(), brush_width(pictures.shape[2:]))
            return self._in(lambda picture: toned(picture, style), soft)
        if style == "pixel":
            size = (pictures.shape[3], pictures.shape[2])
            step = 255 / (LEVELS - 1)
            return enlarged((averaged(pictures, few(size)) / step).round() * step, size)
        if style == "film":
            blank = np.zeros((*pictures.shape[2:], 3), np.float32)
            dark = [shown(blank, style, round(i / fps * 8)) for i in range(len(pictures))]
            grain = torch.stack([self._planes(one) for one in dark]) - self._planes(shown(blank, style, None))
            return self._in(lambda picture: shown(picture, style, None), pictures) + grain
        return self._in(lambda picture: shown(picture, style, None), pictures)

    def _in(self, look: Callable[[Picture], Picture], pictures: Tensor) -> Tensor:
        """Pictures (T, 3, H, W) in a look that is affine in a pixel's colour, found out on black and three others."""
        told = look(np.concatenate([np.zeros((1, 3)), np.eye(3)])[None].astype(np.float32))[0]  # (4, 3)
        black, rest = torch.from_numpy(told[0]).to(self.device), torch.from_numpy(told[1:] - told[0]).to(self.device)
        return torch.einsum("tchw,cd->tdhw", pictures, rest) + black[:, None, None]

    def _planes(self, picture: Picture) -> Tensor:
        """A picture (H, W, C) as planes (C, H, W) on the device."""
        return torch.from_numpy(np.ascontiguousarray(picture)).to(self.device).movedim(-1, 0)

    def _keep(self, key: tuple[object, ...], drawn: Callable[[], Tensor]) -> Tensor:
        if key not in self._kept:
            if len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))  # the oldest
            self._kept[key] = drawn()
        return self._kept[key]

    def _layer(self, pose: Pose) -> Tensor:
        """The subject (4, side, side), colours multiplied by alpha."""
        wanted = math.ceil(2 * pose.radius)
        layer = sprite(pose.kind, pose.colour, False, wanted)
        return self._keep((pose.kind, pose.colour, len(layer)), lambda: self._planes(layer))

    def _fall(self, scene: SceneSpec, shape: tuple[int, ...], fps: float) -> Tensor:
        """Rain or snow (T, 3, H, W), below 0 where nothing falls."""

        def drawn() -> Tensor:
            nothing = np.full((*shape[2:], 3), -1, np.float32)
            return torch.stack([self._planes(falling(nothing, scene, i / fps)) for i in range(shape[0])])

        return self._keep((scene.weather, scene.backdrop_seed, shape, fps), drawn)


def averaged(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures (n, C, h, w) averaged down to a size by area, where the ratio need not be whole."""
    across, down = (
        _overlaps(old, new).to(pictures.device)
        for old, new in zip((pictures.shape[3], pictures.shape[2]), size, strict=True)
    )
    return down @ pictures @ across.T


def _overlaps(old: int, new: int) -> Tensor:
    """How much of each of `new` cells each of `old` pixels is, (new, old)."""
    edges = torch.arange(new + 1, dtype=torch.float64) * (old / new)
    pixels = torch.arange(old, dtype=torch.float64)
    inside = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return (inside.clamp_min(0) * (new / old)).float()


def medians(pictures: Tensor, width: int) -> Tensor:
    """The median of the square of `width` pixels around each pixel of pictures (n, C, h, w)."""
    padded = F.pad(pictures, [width // 2] * 4, mode="replicate")
    around = padded.unfold(2, width, 1).unfold(3, width, 1).flatten(4)  # (n, C, h, w, width x width)
    return around.median(dim=4).values
