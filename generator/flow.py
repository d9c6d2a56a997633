"""Rectified flow: straight lines from noise to clips, learned as "what is the clean clip?", walked back in few steps.

noisy = (1 - s) clean + s noise, s from 1 to 0. The network predicts the clean latents (which lie near a low-dimensional
set; noise and velocity do not) and is weighted as if it predicted the velocity (JiT, "Back to Basics", 2025).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from generator.codec import PatchCodec

TIME_MEAN, TIME_DEVIATION = 0.4, 1.1  # of logit(s): leaning to noise, where the words decide what is seen
LEAST_TIME = 0.1  # the weight 1 / s^2 stops growing here
SHIFT = 2.0  # the sampler's steps lean to noise by this factor (SD3's timestep shift)


@dataclass(frozen=True, eq=False)
class Clue:
    """What the network is told besides the noisy latents."""

    visible: Tensor  # (B, t, h, w, K) latents of the given frames, held where nothing is given; zeros where none is
    mask: Tensor  # (B, t, h, w, 4), 1 where a frame is given
    tokens: Tensor  # (B, M)


def look(codec: PatchCodec, pixels: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
    """The visible latents and the mask of clips (B, T, H, W, 3) in [-1, 1] of which frames `given` (B, T) are known.

    Unknown frames show the nearest known one, so that a patch is never half of nothing; the mask says which are real.
    """
    B, T = given.shape
    held = pixels.clone()
    for row in range(B):
        known = torch.nonzero(given[row]).flatten()  # (n,)
        if len(known):
            nearest = (torch.arange(T)[:, None] - known).abs().argmin(dim=1)  # (T,)
            held[row] = pixels[row, known[nearest]]
    visible = codec.encode(held) * given.any(dim=1)[:, None, None, None, None]  # (B, t, h, w, K)
    t, h, w = visible.shape[1:4]
    mask = given.float().view(B, t, 1, 1, T // t).expand(B, t, h, w, T // t)  # (B, t, h, w, 4)
    return visible, mask


def loss(net: nn.Module, clean: Tensor, clue: Clue, random: torch.Generator) -> Tensor:
    """The velocity error of one random time per clip, a scalar: clean (B, t, h, w, K)."""
    B = len(clean)
    s = torch.sigmoid(torch.randn(B, generator=random) * TIME_DEVIATION + TIME_MEAN)  # (B,)
    noise = torch.randn(clean.shape, generator=random)  # (B, t, h, w, K)
    at = s[:, None, None, None, None]
    noisy = (1 - at) * clean + at * noise
    guess = net(noisy, clue.visible, clue.mask, s, clue.tokens)  # (B, t, h, w, K)
    error = (guess - clean).square().mean(dim=(1, 2, 3, 4))  # (B,)
    weighted: Tensor = error / s.clamp_min(LEAST_TIME).square()  # (B,)
    return weighted.mean()


def times(steps: int) -> list[float]:
    """The times of a walk, steps + 1 of them from 1 to 0."""
    even = [1 - i / steps for i in range(steps + 1)]
    return [SHIFT * u / (1 + (SHIFT - 1) * u) for u in even]


def walk(net: nn.Module, noise: Tensor, clue: Clue, steps: int, guidance: float) -> Generator[Tensor, None, None]:
    """Euler's steps with classifier-free guidance; yields the clean latents (1, t, h, w, K) believed in after each.

    `clue.tokens` holds two rows: the prompt and what to steer away from (the empty text, or the negative prompt). The
    last one yielded is the clip.
    """
    at = times(steps)
    two = Clue(clue.visible.expand(2, -1, -1, -1, -1), clue.mask.expand(2, -1, -1, -1, -1), clue.tokens)
    noisy = noise  # (1, t, h, w, K)
    for now, then in pairwise(at):
        time = torch.full((2,), now)
        with torch.no_grad():
            toward, away = net(noisy.expand(2, -1, -1, -1, -1), two.visible, two.mask, time, two.tokens).chunk(2)
        clean = away + guidance * (toward - away)  # (1, t, h, w, K)
        yield clean
        noisy = clean + (then / now) * (noisy - clean)
