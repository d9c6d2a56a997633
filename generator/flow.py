"""Rectified flow: straight lines from noise to clips, learned as "what is the clean clip?", walked back in few steps.

noisy = (1 - s) clean + s noise, s from 1 to 0. The network predicts the clean latents (which lie near a low-dimensional
set; noise and velocity do not) and is weighted as if it predicted the velocity (JiT, "Back to Basics", 2025).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
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


@dataclass(frozen=True, eq=False)
class Pull:
    """Latents (1, T, h, w, K) that hold the clip at latent frames while the time is above `until` (T,); 1: never."""

    latents: Tensor
    until: Tensor


def walk(
    net: nn.Module, noise: Tensor, clues: Sequence[Clue], starts: Sequence[int], pull: Pull, *, steps: int,
    guidance: float,
) -> Generator[Tensor, None, None]:  # fmt: skip
    """Euler's steps with classifier-free guidance; yields the clean latents (1, T, h, w, K) believed in after each.

    The network sees t latent frames at a time, so a longer clip is walked in windows that overlap: clue i is for the
    window from latent frame starts[i] on, and where windows overlap, what they believe is averaged at every step
    (MultiDiffusion, 2023), so no window has a border to jump at. Each clue's `tokens` holds two rows: the prompt and
    what to steer away from. The last one yielded is the clip.
    """
    noisy = noise  # (1, T, h, w, K)
    for now, then in pairwise(times(steps)):
        held = (pull.until < now)[:, None, None, None]  # (T, 1, 1, 1)
        noisy = torch.where(held, (1 - now) * pull.latents + now * noise, noisy)
        clean = _believed(net, noisy, clues, starts, (now, guidance))
        yield clean
        noisy = clean + (then / now) * (noisy - clean)


def _believed(
    net: nn.Module, noisy: Tensor, clues: Sequence[Clue], starts: Sequence[int], at: tuple[float, float]
) -> Tensor:
    """What all windows together believe the clean clip to be, (1, T, h, w, K); at: time and guidance."""
    time, guidance = torch.full((2,), at[0]), at[1]
    total = torch.zeros_like(noisy)
    weight = torch.zeros(noisy.shape[1])
    for start, clue in zip(starts, clues, strict=True):
        t = clue.visible.shape[1]
        seen = noisy[:, start : start + t].expand(2, -1, -1, -1, -1)
        two = (clue.visible.expand(2, -1, -1, -1, -1), clue.mask.expand(2, -1, -1, -1, -1))
        with torch.no_grad():
            toward, away = net(seen, *two, time, clue.tokens).chunk(2)
        trust = _trust(t)  # (t,)
        total[:, start : start + t] += (away + guidance * (toward - away)) * trust[:, None, None, None]
        weight[start : start + t] += trust
    return total / weight[:, None, None, None]


def _trust(t: int) -> Tensor:
    """How much a window counts at each of its t latent frames: most in its middle, never nothing."""
    place = torch.arange(t) + 0.5
    return torch.minimum(place, t - place)
