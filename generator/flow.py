"""Rectified flow: straight lines from noise to sheets, learned as "what is the clean one?", walked back in few steps.

noisy = (1 - s) clean + s noise, s from 1 to 0. The network predicts the clean latents (which lie near a low-dimensional
set; noise and velocity do not; JiT, "Back to Basics", 2025), weighted by 1 / s: between an even error and a velocity's.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

TIME_MEAN, TIME_DEVIATION = 0.4, 1.1  # of logit(s): leaning to noise, where the words decide what is seen
NOISE_SHARE, NOISE_FROM = 0.5, 0.9  # of the times are drawn evenly from here to 1: pure noise is where a clip begins
LEAST_TIME = 0.1  # the weight 1 / s stops growing here
SHIFT = 2.0  # the sampler's steps lean to noise by this factor (SD3's timestep shift)


@dataclass(frozen=True, eq=False)
class Weights:
    """What counts how much in a loss."""

    patches: Tensor  # (B, t, h, w)
    channels: Tensor  # (K,)


def loss(net: nn.Module, clean: Tensor, tokens: Tensor, random: torch.Generator, weights: Weights) -> Tensor:
    """The weighted error of one random time per sheet, a scalar: clean (B, t, h, w, K), tokens (B, S)."""
    B, device = len(clean), random.device
    s = torch.sigmoid(torch.randn(B, generator=random, device=device) * TIME_DEVIATION + TIME_MEAN)  # (B,)
    late = torch.rand(2, B, generator=random, device=device)  # (2, B)
    s = torch.where(late[0] < NOISE_SHARE, NOISE_FROM + (1 - NOISE_FROM) * late[1], s)
    noise = torch.randn(clean.shape, generator=random, device=device)  # (B, t, h, w, K)
    at = s[:, None, None, None, None]
    guess = net((1 - at) * clean + at * noise, tokens, s)  # (B, t, h, w, K)
    error = ((guess - clean).square() * weights.channels).mean(dim=4) * weights.patches  # (B, t, h, w)
    weighted: Tensor = error.mean(dim=(1, 2, 3)) / s.clamp_min(LEAST_TIME)  # (B,)
    return weighted.mean()


def times(steps: int) -> list[float]:
    """The times of a walk, steps + 1 of them from 1 to 0."""
    even = [1 - i / steps for i in range(steps + 1)]
    return [SHIFT * u / (1 + (SHIFT - 1) * u) for u in even]


@dataclass(frozen=True, eq=False)
class Pull:
    """Latents (B, t, h, w, K) that hold a sheet while the time is above `until` (B,); 1: never."""

    latents: Tensor
    until: Tensor


def walk(
    net: nn.Module, noise: Tensor, tokens: Tensor, pull: Pull, *, steps: int, guidance: float
) -> Generator[Tensor, None, None]:
    """Euler's steps with classifier-free guidance; yields the clean latents (B, t, h, w, K) believed in after each.

    tokens (2 B, S): the prompts' rows, then the rows of what to steer away from. The last one yielded is the answer.
    """
    noisy, B = noise, len(noise)  # (B, t, h, w, K)
    for now, then in pairwise(times(steps)):
        held = (pull.until < now)[:, None, None, None, None]  # (B, 1, 1, 1, 1)
        noisy = torch.where(held, (1 - now) * pull.latents + now * noise, noisy)
        with torch.no_grad():
            toward, away = net(noisy.repeat(2, 1, 1, 1, 1), tokens, torch.full((2 * B,), now)).chunk(2)
        clean = away + guidance * (toward - away)
        yield clean
        noisy = clean + (then / now) * (noisy - clean)
