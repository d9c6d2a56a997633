"""Rectified flow: straight lines from noise to sheets, learned as "what is the clean one?", walked back in few steps.

noisy = (1 - s) clean + s noise, s from 1 to 0. The network predicts the clean latents (which lie near a low-dimensional
set; noise and velocity do not; JiT, "Back to Basics", 2025), weighted by 1 / s: between an even error and a velocity's.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

TIME_MEAN, TIME_DEVIATION = 0.4, 1.1  # of logit(s): leaning to noise, where the words decide what is seen
NOISE_SHARE, NOISE_FROM = 0.5, 0.9  # of the times are drawn evenly from here to 1: pure noise is where a clip begins
LEAST_TIME = 0.1  # the weight 1 / s stops growing here
# Steps lean to noise by this factor (SD3's timestep shift). Where what is told leaves nothing open, the clean clip is
# best told from noise alone, and lower noise adds the network's own errors: sheets come out with an error of .037 in
# one step, of .039 in four at a shift of 40, of .056 at one of 2. What is given at some strength needs low noise.
SHIFT, PULLED_SHIFT = 40.0, 2.0


@dataclass(frozen=True, eq=False)
class Weights:
    """What counts how much in a loss."""

    patches: Tensor  # (B, t, h, w)
    channels: Tensor  # (K,)


@dataclass(frozen=True, eq=False)
class Clue:
    """What a network is told besides the noisy latents.

    In a loss one row of tokens belongs to each clip. In a walk the prompts' rows come first and then, where guidance is
    to steer away from something, as many rows of that.
    """

    tokens: Tensor  # (B, S) or (2 B, S)
    told: Tensor | None = None  # (B, t, h, w, C)


def loss(net: nn.Module, clean: Tensor, clue: Clue, random: torch.Generator, weights: Weights) -> Tensor:
    """The weighted error of one random time per clip, a scalar: clean (B, t, h, w, K)."""
    B, device = len(clean), random.device
    s = torch.sigmoid(torch.randn(B, generator=random, device=device) * TIME_DEVIATION + TIME_MEAN)  # (B,)
    late = torch.rand(2, B, generator=random, device=device)  # (2, B)
    s = torch.where(late[0] < NOISE_SHARE, NOISE_FROM + (1 - NOISE_FROM) * late[1], s)
    noise = torch.randn(clean.shape, generator=random, device=device)  # (B, t, h, w, K)
    at = s[:, None, None, None, None]
    guess = net((1 - at) * clean + at * noise, clue.tokens, s, clue.told)  # (B, t, h, w, K)
    error = ((guess - clean).square() * weights.channels).mean(dim=4) * weights.patches  # (B, t, h, w)
    weighted: Tensor = error.mean(dim=(1, 2, 3)) / s.clamp_min(LEAST_TIME)  # (B,)
    return weighted.mean()


def times(steps: int, shift: float = SHIFT) -> list[float]:
    """The times of a walk, steps + 1 of them from 1 to 0."""
    even = [1 - i / steps for i in range(steps + 1)]
    return [shift * u / (1 + (shift - 1) * u) for u in even]


@dataclass(frozen=True, eq=False)
class Pull:
    """Latents (B, T, h, w, K) that hold a latent frame while the time is above `until` (B, T); 1: never."""

    latents: Tensor
    until: Tensor

    @classmethod
    def none(cls, like: Tensor) -> Pull:
        """Nothing pulls on noise (B, T, h, w, K)."""
        return cls(torch.zeros_like(like), torch.ones(like.shape[:2]))

    @property
    def shift(self) -> float:
        """How far steps lean to noise: less where something pulls."""
        return PULLED_SHIFT if bool((self.until < 1).any()) else SHIFT


def walk(
    net: nn.Module, noise: Tensor, clues: Sequence[Clue], starts: Sequence[int], pull: Pull, *, steps: int,
    guidance: float = 1.0,
) -> Generator[Tensor, None, None]:  # fmt: skip
    """Euler's steps with classifier-free guidance; yields the clean latents (B, T, h, w, K) believed in after each.

    The network sees one window of latent frames at a time: clue i is for the window from latent frame starts[i] on, and
    all are as long as the last, which ends with the clip. Where windows overlap, what they believe is averaged at every
    step (MultiDiffusion, 2023), so no window has a border to jump at. The last one yielded is the answer.
    """
    noisy = noise  # (B, T, h, w, K)
    for now, then in pairwise(times(steps, pull.shift)):
        held = (pull.until < now)[:, :, None, None, None]  # (B, T, 1, 1, 1)
        noisy = torch.where(held, (1 - now) * pull.latents + now * noise, noisy)
        clean = _believed(net, noisy, clues, starts, (now, guidance))
        yield clean
        noisy = clean + (then / now) * (noisy - clean)


def _believed(
    net: nn.Module, noisy: Tensor, clues: Sequence[Clue], starts: Sequence[int], at: tuple[float, float]
) -> Tensor:
    """What all windows together believe to be clean, (B, T, h, w, K); at: time and guidance."""
    T = noisy.shape[1]
    length = T - starts[-1]
    total, weight, trust = torch.zeros_like(noisy), torch.zeros(T), _trust(length)
    for start, clue in zip(starts, clues, strict=True):
        window = slice(start, start + length)
        total[:, window] += _guided(net, noisy[:, window], clue, at) * trust[:, None, None, None]
        weight[window] += trust
    return total / weight[:, None, None, None]


def _guided(net: nn.Module, noisy: Tensor, clue: Clue, at: tuple[float, float]) -> Tensor:
    """What one window believes in, (B, t, h, w, K)."""
    time, guidance = at
    copies = len(clue.tokens) // len(noisy)  # 2 where there is something to steer away from
    told = None if clue.told is None else clue.told.repeat(copies, 1, 1, 1, 1)
    with torch.no_grad():
        clean = net(noisy.repeat(copies, 1, 1, 1, 1), clue.tokens, torch.full((len(clue.tokens),), time), told)
    if copies == 1:
        return clean  # type: ignore[no-any-return]
    toward, away = clean.chunk(2)
    return away + guidance * (toward - away)  # type: ignore[no-any-return]


def _trust(t: int) -> Tensor:
    """How much a window counts at each of its t latent frames: most in its middle, never nothing."""
    place = torch.arange(t) + 0.5
    return torch.minimum(place, t - place)
