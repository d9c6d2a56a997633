"""The diffusion transformer: spacetime patches in, the clean patches it believes in out, steered by time and text.

AdaLN-Zero blocks with one shared modulation (PixArt's adaLN-single: a third of the weights of one per block), 3-D RoPE
and QK-norm in self-attention, cross-attention to the words. The conditioning is concatenated to the channels
([noisy | visible | mask]), so one set of weights does text-to-video, image-to-video, extension and in-filling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """The sizes of a network; they are kept in the weights file's header."""

    latent: int = 192  # K, channels of a latent patch
    patch_frames: int = 4  # mask channels: one a frame, since a patch may be half given
    width: int = 192
    heads: int = 4
    blocks: int = 6
    text_blocks: int = 1
    words: int = 384
    text_length: int = 24


class Attention(nn.Module):
    """Multi-head attention with QK-norm (RMS); `rope` turns queries and keys of self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.head = heads, width // heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.query_norm = nn.RMSNorm(self.head)
        self.key_norm = nn.RMSNorm(self.head)

    def forward(
        self, x: Tensor, context: Tensor, rope: tuple[Tensor, Tensor] | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """From x (B, N, D) to context (B, M, D): (B, N, D). `mask` (B, 1, 1, M) is True where a key may be seen."""
        B, N, D = x.shape
        q = self.query(x).view(B, N, self.heads, self.head).transpose(1, 2)  # (B, h, N, d)
        k, v = self.key_value(context).view(B, -1, 2, self.heads, self.head).permute(2, 0, 3, 1, 4)  # (B, h, M, d) x 2
        q, k = self.query_norm(q), self.key_norm(k)
        if rope is not None:
            q, k = turn(q, rope), turn(k, rope)
        # Written out: on CPUs the backward pass of torch's fused attention took a third of a training step.
        score = q @ (k * self.head**-0.5).transpose(2, 3)  # (B, h, N, M)
        if mask is not None:
            score = score.masked_fill(~mask, -1e4)  # finite in bfloat16 and float16 too
        y = score.softmax(dim=-1) @ v  # (B, h, N, d)
        mixed: Tensor = self.out(y.transpose(1, 2).reshape(B, N, D))  # (B, N, D)
        return mixed


class Block(nn.Module):
    """Self-attention, cross-attention to the words, and a two-layer network, each behind a gate that starts at zero."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm3 = nn.LayerNorm(width, elementwise_affine=False)
        self.attend = Attention(width, heads)
        self.read = Attention(width, heads)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.table = nn.Parameter(torch.zeros(9, width))  # this block's own part of the modulation

    def forward(
        self, x: Tensor, words: Tensor, seen: Tensor, modulation: Tensor, rope: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Tokens x (B, N, D), words (B, M, D), seen (B, 1, 1, M), modulation (B, 9, D): (B, N, D)."""
        a1, b1, g1, a2, b2, g2, a3, b3, g3 = (modulation + self.table).unsqueeze(2).unbind(1)  # (B, 1, D) each
        h = self.norm1(x) * (1 + a1) + b1
        x = x + g1 * self.attend(h, h, rope)  # (B, N, D)
        h = self.norm2(x) * (1 + a2) + b2
        x = x + g2 * self.read(h, words, mask=seen)  # (B, N, D)
        h = self.norm3(x) * (1 + a3) + b3
        y: Tensor = self.narrow(F.relu(self.widen(h)).square())  # (B, N, D); on a CPU cheaper than GELU
        return x + g3 * y


class TextBlock(nn.Module):
    """One plain transformer block over the words, so that "pans left" and "moves left" part ways."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = Attention(width, heads)
        self.widen = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """Words x (B, M, D), seen (B, 1, 1, M): (B, M, D)."""
        h = self.norm1(x)
        x = x + self.attend(h, h, mask=seen)
        y: Tensor = self.narrow(F.relu(self.widen(self.norm2(x))).square())  # (B, M, D)
        return x + y


class DiT(nn.Module):
    """The network: noisy latents, what is given, the time and the words to the clean latents."""

    spread: Tensor  # (K,) of the codec this network is trained with

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        D = shape.width
        self.register_buffer("spread", torch.ones(shape.latent))
        self.enter = nn.Linear(2 * shape.latent + shape.patch_frames, D)
        self.time = nn.Sequential(nn.Linear(D, D), nn.SiLU(), nn.Linear(D, D))
        self.word = nn.Embedding(shape.words, D, padding_idx=0)
        self.place = nn.Parameter(torch.zeros(shape.text_length, D))
        self.text = nn.ModuleList(TextBlock(D, shape.heads) for _ in range(shape.text_blocks))
        self.pool = nn.Linear(D, D)
        self.modulate = nn.Linear(D, 9 * D)
        self.blocks = nn.ModuleList(Block(D, shape.heads) for _ in range(shape.blocks))
        self.norm = nn.LayerNorm(D, elementwise_affine=False)
        self.last = nn.Linear(D, 2 * D)
        self.leave = nn.Linear(D, shape.latent)
        for layer in (self.modulate, self.last, self.leave):  # AdaLN-Zero: every block starts as the identity
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.normal_(self.word.weight, std=0.5)
        nn.init.normal_(self.place, std=0.1)

    def forward(self, noisy: Tensor, visible: Tensor, mask: Tensor, time: Tensor, tokens: Tensor) -> Tensor:
        """The clean latents (B, t, h, w, K), float32, from noisy and visible (B, t, h, w, K) ...

        mask (B, t, h, w, 4), 1 where a frame is given; time (B,) in [0, 1], 1 is noise; tokens (B, M), 0 is nothing.
        """
        B, t, h, w, _ = noisy.shape
        words, seen, pooled = self.say(tokens)  # (B, M, D), (B, 1, 1, M), (B, D)
        c = self.time(waves(time, self.shape.width).to(pooled.dtype)) + pooled  # (B, D)
        modulation = self.modulate(F.silu(c)).view(B, 9, -1)  # (B, 9, D)
        rope = rotations((t, h, w), self.shape.width // self.shape.heads, noisy.device)  # (N, d / 2) x 2
        told = torch.cat([noisy, visible, mask], dim=-1).to(pooled.dtype)  # (B, t, h, w, 2 K + 4)
        x = self.enter(told).flatten(1, 3)  # (B, N, D)
        for block in self.blocks:
            x = block(x, words, seen, modulation, rope)  # (B, N, D)
        a, b = self.last(F.silu(c)).unsqueeze(1).chunk(2, dim=-1)  # (B, 1, D) x 2
        left: Tensor = self.leave(self.norm(x) * (1 + a) + b)  # (B, N, K)
        skip, out = wiener(self.spread.float(), time.float())  # (B, 1, 1, 1, K) x 2
        return skip * noisy + out * left.float().view(B, t, h, w, -1)  # (B, t, h, w, K)

    def say(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens (B, M) to words (B, M, D), which may be seen (B, 1, 1, M), and their mean (B, D)."""
        seen = tokens > 0  # (B, M); the first token always is
        x = self.word(tokens) + self.place[: tokens.shape[1]]  # (B, M, D)
        for block in self.text:
            x = block(x, seen[:, None, None])  # (B, M, D)
        weight = seen.unsqueeze(-1).to(x.dtype)  # (B, M, 1)
        return x, seen[:, None, None], self.pool((x * weight).sum(1) / weight.sum(1))


def wiener(spread: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
    """What of a noisy channel is best kept, and how far the truth then lies from it: (B, 1, 1, 1, K) each.

    noisy = (1 - s) clean + s noise. The network is left what no channel can tell by itself, so it starts where a linear
    filter ends; a small one that is trained for minutes never gets there otherwise.
    """
    s = time[:, None, None, None, None]  # (B, 1, 1, 1, 1)
    power = ((1 - s) * spread).square() + s.square()  # (B, 1, 1, 1, K)
    return (1 - s) * spread.square() / power, spread * s / power.sqrt()


def waves(time: Tensor, width: int) -> Tensor:
    """Sines and cosines of a time (B,) in [0, 1]: (B, width)."""
    rate = torch.exp(-math.log(1000.0) * torch.arange(width // 2, device=time.device) / (width // 2))  # (width / 2,)
    angle = 1000.0 * time[:, None].float() * rate  # (B, width / 2)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)  # (B, width)


def rotations(grid: tuple[int, int, int], head: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines for 3-D RoPE, (N, head / 2) each: a third of the pairs for time, rows and columns.

    Rows and columns are counted from the middle, so that pictures of other shapes keep their centre.
    """
    third = head // 6
    rate = torch.pi * (16.0 ** -(torch.arange(third, device=device) / third)) / 2  # a quarter turn a patch, and slower
    axes = [torch.arange(n, device=device) - (n - 1) / 2 for n in grid]
    place = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)  # (N, 3)
    angle = (place[:, :, None] * rate).flatten(1)  # (N, head / 2)
    return angle.cos(), angle.sin()


def turn(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Turns the pairs (i, i + d / 2) of x (B, h, N, d) by their place."""
    cos, sin = (r.to(x.dtype) for r in rope)  # (N, d / 2)
    a, b = x.chunk(2, dim=-1)  # (B, h, N, d / 2)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
