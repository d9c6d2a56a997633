"""Drawing with torch, on any device: pictures moved by affine maps, and a sheet's parts put where views say.

All frames of a clip are drawn at once. `generator.world` draws with OpenCV, frame by frame, and needs no torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from generator.world.looks import PIXEL_ROWS
from generator.world.path import PILLAR, Pose
from generator.world.sheet import FRONT, GREY, LANDSCAPE, SUBJECT, View

HAZE: Final = 0.12  # alpha below it is none, and above 1 less it is all


def warped(
    picture: Tensor, maps: NDArray[np.floating], size: tuple[int, int], *,
    mode: Literal["bilinear", "bicubic"] = "bilinear", beyond: Literal["zeros", "border"] = "zeros",
) -> Tensor:  # fmt: skip
    """A picture (C, h, w) seen through affine maps (n, 2, 3) from pixels of the outcome to pixels of it: (n, C, H, W).

    `size` is the outcome's width and height; `beyond` is what lies outside the picture.
    """
    (w, h), (high, wide) = size, picture.shape[1:]
    at = torch.from_numpy(np.asarray(maps, np.float32)).to(picture.device)  # (n, 2, 3)
    x = torch.arange(w, device=picture.device, dtype=torch.float32)
    y = torch.arange(h, device=picture.device, dtype=torch.float32)
    # (n, 1, 1, 2) x (w, 1) + (n, 1, 1, 2) x (h, 1, 1) + (n, 1, 1, 2)
    place = at[:, None, None, :, 0] * x[:, None] + at[:, None, None, :, 1] * y[:, None, None] + at[:, None, None, :, 2]
    ends = torch.tensor([max(wide - 1, 1), max(high - 1, 1)], device=picture.device)
    grid = (2 * place / ends - 1).flatten(0, 1)[None]  # (1, n h, w, 2)
    seen = F.grid_sample(picture[None], grid, mode=mode, padding_mode=beyond, align_corners=True)  # (1, C, n h, w)
    return seen.view(len(picture), len(maps), h, w).transpose(0, 1)


def into_layer(pose: Pose, side: int) -> NDArray[np.float64]:
    """The affine map from pixels of a picture to pixels of a subject's square layer of `side`, (2, 3)."""
    c, s = (f(pose.turn) * side / (2 * pose.radius) for f in (math.cos, math.sin))
    x, y, middle = pose.x - 0.5, pose.y - 0.5, side / 2 - 0.5
    flip = -1 if pose.mirrored else 1
    return np.array([[flip * c, flip * s, middle - flip * (c * x + s * y)], [-s, c, middle + s * x - c * y]])


def over(pictures: Tensor, layer: Tensor) -> Tensor:
    """Layers (n, 4, H, W), colours multiplied by alpha, over pictures (n, 3, H, W)."""
    return pictures * (1 - layer[:, 3:]) + layer[:, :3]


@dataclass(frozen=True, eq=False)
class Layers:
    """A sheet taken apart, as tensors on one device with values in [0, 255] and alpha in [0, 1]."""

    landscape: Tensor  # (3, 72, 144)
    subject: Tensor  # (4, S, S), colours multiplied by alpha
    front: Tensor  # (3, 60, 24), shown where a scene has something in front

    @classmethod
    def of(cls, sheet: Tensor) -> Layers:
        """From a sheet (132, 144, 3). What is hardly there is not there: no haze around a subject."""
        planes = sheet.float().movedim(-1, 0)  # (3, 132, 144)
        below = planes[:, LANDSCAPE[1] :]
        alpha = below[:, :, SUBJECT : 2 * SUBJECT].mean(0, keepdim=True) / 255
        alpha = ((alpha - HAZE) / (1 - 2 * HAZE)).clamp(0, 1)
        paint = torch.minimum((below[:, :, :SUBJECT] - GREY * (1 - alpha)).clamp_min(0), 255 * alpha)
        return cls(planes[:, : LANDSCAPE[1]], torch.cat([paint, alpha]), below[:, :, -FRONT:])

    def pictures(self, views: Sequence[View]) -> Tensor:
        """What is seen in views of one size, (n, 3, H, W) in [0, 255]."""
        coarse = [view.blocks and view.size[1] > PIXEL_ROWS for view in views]
        out = self.with_subject(self.landscapes(views), views)
        if any(coarse):
            some = [view.scaled(few(view.size)) for view, blocks in zip(views, coarse, strict=True) if blocks]
            small = self.with_subject(self.landscapes(some), some)
            out[torch.tensor(coarse, device=out.device)] = enlarged(small, views[0].size)
        return out

    def landscapes(self, views: Sequence[View]) -> Tensor:
        """What is seen of the landscape alone, (n, 3, H, W)."""
        maps = np.stack([view.into_landscape() for view in views])
        return warped(self.landscape, maps, views[0].size, mode="bicubic", beyond="border").clamp(0, 255)

    def covers(self, views: Sequence[View]) -> Tensor:
        """The subject where each view has it, (n, 4, H, W), of which the last plane is alpha."""
        maps = np.stack([into_layer(view.pose, SUBJECT) for view in views])
        return warped(self.subject, maps, views[0].size)

    def with_subject(self, pictures: Tensor, views: Sequence[View]) -> Tensor:
        """Landscapes (n, 3, H, W) with the subject where the views have it, and with what stands in front."""
        out = over(pictures, self.covers(views))
        width, height = views[0].size
        hidden = torch.tensor([view.pillar for view in views], device=out.device)
        if hidden.any():
            left, right = (round((0.5 + side * PILLAR) * width) for side in (-1, 1))
            strip = F.interpolate(self.front[None], (height, right - left), mode="bilinear", align_corners=False)
            out[hidden, :, :, left:right] = strip
        return out.clamp(0, 255)


def few(size: tuple[int, int]) -> tuple[int, int]:
    """How many large pixels a picture of a size is shown in."""
    factor = PIXEL_ROWS / min(size)
    return round(size[0] * factor), round(size[1] * factor)


def enlarged(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures (n, C, h, w) as large pixels of pictures of a size, (n, C, H, W), as OpenCV enlarges to the nearest."""
    columns, rows = (
        (torch.arange(new, dtype=torch.float64) * (1 / (new / old))).long().to(pictures.device)
        for new, old in zip(size, (pictures.shape[3], pictures.shape[2]), strict=True)
    )
    return pictures[:, :, rows][..., columns]
