"""What the networks are told besides noise: the planner a clock, the painter words, the filmer a draft.

In one place for training and for sampling, so that they cannot come apart.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from generator.codec import CLIP_PATCH, fold, to_signed
from generator.world.scene import UNSAID

BEATS: Final = 6  # waves of the clock, the fastest of a period of two patches (one second)
CLOCK: Final = 2 * BEATS + 1  # channels
DRAFT: Final = CLIP_PATCH[0] * CLIP_PATCH[1] * CLIP_PATCH[2] * 3 + CLIP_PATCH[0]  # channels: its pixels, and the mask


def in_clear_weather(words: dict[str, str]) -> dict[str, str]:
    """What the painter is told: sheets have no weather, since what falls is the filmer's."""
    return {**words, "weather": UNSAID["weather"]}


def clock(batch: int, t: int) -> Tensor:
    """What the planner is told of a track of t patches: when each is, and how long all is, (B, t, 1, 1, CLOCK)."""
    angle = math.pi * torch.arange(t)[:, None] / 2.0 ** torch.arange(BEATS)  # (t, BEATS)
    length = torch.full((t, 1), math.log(t / 4))
    return torch.cat([angle.sin(), angle.cos(), length], dim=1)[None, :, None, None].expand(batch, -1, -1, -1, -1)


def drafted(draft: Tensor, known: Tensor) -> Tensor:
    """What the filmer is told: a draft (B, T, H, W, 3) in [0, 255] and which frames are known (B, T): (.., DRAFT)."""
    patches = fold(to_signed(draft), CLIP_PATCH)  # (B, t, h, w, P)
    B, t, h, w, _ = patches.shape
    mask = known.float().view(B, t, 1, 1, CLIP_PATCH[0]).expand(B, t, h, w, CLIP_PATCH[0])
    return torch.cat([patches, mask], dim=-1)
