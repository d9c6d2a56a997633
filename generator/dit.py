"""The diffusion transformer: noisy patches in, the clean patches it believes in out, steered by time and words.

One class for all three networks of the embedded generator: a track, a sheet and a clip are grids of (t, h, w) patches.
AdaLN-Zero blocks (DiT), each with its own modulation: it costs next to nothing, since it is made once a clip and not
once a token, and it is where the words act. 3-D RoPE and QK-norm in self-attention. A token knows by waves where on the
sheet it is; RoPE alone tells it only how far from others, and a small network takes hours to find out the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

OCTAVES: Final = 5  # waves of a place: twice a sheet long, and shorter
PLACE: Final = 3 * 2 * OCTAVES  # of frame, row and column


@dataclass(frozen=True)
class Shape:
    """The sizes of a network; they are kept in the weights file's header."""

    latent: int = 160  # K, channels of a latent patch
    width: int = 256
    heads: int = 4
    blocks: int = 6
    attend_every: int = 2  # the first of so many blocks attends: half of what a token draws it knows by itself
    words: int = 256  # rows of the table of words; 0 is "unsaid"
    slots: int = 10  # attributes a prompt can say, each in its place
    said: int = 64  # numbers a word is
    told: int = 0  # C, channels of what is told of each patch besides its noisy latents
    direct: int = 0  # numbers of a path past the blocks, from what is told to the answer, each scaled by the words
    reads: int = 0  # 1: each block reads the words one by one (cross-attention), besides being modulated by all


class Attention(nn.Module):
    """Multi-head attention with QK-norm, and with RoPE where places count."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.head = heads, width // heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.norm = nn.LayerNorm(self.head, elementwise_affine=False)  # on a CPU a fifth of what RMSNorm takes
        self.sharpness = nn.Parameter(torch.full((heads, 1, 1), 1.5))  # queries of norm sqrt(d) need no more

    def forward(self, x: Tensor, context: Tensor, rope: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """From x (B, N, D) to context (B, M, D): (B, N, D)."""
        B, N, D = x.shape
        q = self.query(x).view(B, N, self.heads, self.head).transpose(1, 2)  # (B, h, N, d)
        k, v = (f(context).view(B, -1, self.heads, self.head).transpose(1, 2) for f in (self.key, self.value))
        q, k = self.norm(q) * self.sharpness, self.norm(k)  # (B, h, N, d), (B, h, M, d)
        if rope is not None:
            q, k = turn(q, rope), turn(k, rope)
        # Written out: on CPUs the backward pass of torch's fused attention took a third of a training step.
        score = q @ (k * self.head**-0.5).transpose(2, 3)  # (B, h, N, M)
        y = score.softmax(dim=-1) @ v  # (B, h, N, d)
        mixed: Tensor = self.out(y.transpose(1, 2).reshape(B, N, D))  # (B, N, D)
        return mixed


class Block(nn.Module):
    """Self-attention and a two-layer network, each scaled and shifted by the words and behind a gate that starts at 0.

    `heads` 0 leaves the attention out. `readers` heads read the words one by one (cross-attention); 0 leaves it out.
    """

    def __init__(self, width: int, heads: int, readers: int = 0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.attend = Attention(width, heads) if heads else None
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.modulate = nn.Linear(width, 6 * width)
        self.read = Attention(width, readers) if readers else None
        if self.read is not None:
            nn.init.zeros_(self.read.out.weight)

    def forward(self, x: Tensor, told: Tensor, words: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
        """Tokens x (B, N, D), what is told (B, D), words (B, S, D): (B, N, D)."""
        a1, b1, g1, a2, b2, g2 = self.modulate(told).unsqueeze(1).chunk(6, dim=-1)  # (B, 1, D) each
        if self.attend is not None:
            h = torch.addcmul(b1, self.norm1(x), 1 + a1)
            x = torch.addcmul(x, g1, self.attend(h, h, rope))  # (B, N, D)
        if self.read is not None:
            x = x + self.read(self.norm1(x), words)  # (B, N, D)
        h = torch.addcmul(b2, self.norm2(x), 1 + a2)
        y: Tensor = self.narrow(F.relu(self.widen(h)).square())  # (B, N, D); on a CPU cheaper than GELU
        return torch.addcmul(x, g2, y)


class DiT(nn.Module):
    """The network: noisy latents, what is given, the time, the plan and the words to the clean latents."""

    spread: Tensor  # (K,) of the codec this network is trained with

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        D = shape.width
        self.register_buffer("spread", torch.ones(shape.latent))
        self.enter = nn.Linear(shape.latent + shape.told + PLACE, D)
        self.time = nn.Linear(D, D)
        self.word = nn.Embedding(shape.words + shape.slots, shape.said)  # the last rows: nothing said in a slot
        self.tell = nn.Linear(shape.slots * shape.said, D)
        self.mix = nn.Linear(D, D)
        readers = shape.heads * shape.reads
        self.blocks = nn.ModuleList(
            Block(D, 0 if i % shape.attend_every else shape.heads, readers) for i in range(shape.blocks)
        )
        self.listen = nn.Linear(shape.said, D) if shape.reads else None
        self.norm = nn.LayerNorm(D, elementwise_affine=False)
        self.last = nn.Linear(D, 2 * D)
        self.leave = nn.Linear(D, shape.latent)
        # Fog, film and blur are linear in what is told, by a map that hangs on the words. Blocks, which see tokens at
        # unit length, are slow to learn that.
        self.hear = nn.Linear(shape.told, shape.direct) if shape.direct else None
        self.scale = nn.Linear(D, shape.direct) if shape.direct else None
        self.leave_direct = nn.Linear(shape.direct, shape.latent) if shape.direct else None
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Linear) and name.split(".")[-1] in ("modulate", "last", "leave", "leave_direct"):
                nn.init.zeros_(layer.weight)  # AdaLN-Zero: every block starts as the identity
                nn.init.zeros_(layer.bias)
        # What is told begins as loud as what is seen: a run of a few thousand steps has no time to find that out.
        nn.init.normal_(self.word.weight)
        nn.init.normal_(self.tell.weight, std=(shape.slots * shape.said) ** -0.5)
        nn.init.normal_(self.enter.weight[:, -PLACE:], std=(PLACE / 2) ** -0.5)
        if self.hear is not None and self.scale is not None:
            nn.init.normal_(self.hear.weight, std=(shape.told / 4) ** -0.5)
            nn.init.normal_(self.scale.weight, std=(D / 4) ** -0.5)

    def forward(self, noisy: Tensor, tokens: Tensor, time: Tensor, told: Tensor | None = None) -> Tensor:
        """The clean latents (B, t, h, w, K), float32, from noisy ones, tokens (B, S) and time (B,), 1 is noise.

        told (B, t, h, w, C): what is told of each patch, for a network that was made to hear it.
        """
        B, t, h, w, _ = noisy.shape
        kind = self.enter.weight.dtype
        c, words = self.say(tokens, time)  # (B, D), (B, S, D)
        rope = rotations((t, h, w), self.shape.width // self.shape.heads, noisy.device)  # (N, d / 2) x 2
        place = places((t, h, w), noisy.device).expand(B, t, h, w, PLACE)
        skip, out = wiener(self.spread.float(), time.float())  # (B, 1, 1, 1, K) x 2
        # Each channel as far as it can be told from noise, at unit deviation: pure noise would only drown the place.
        seen = skip * noisy / self.spread.float()  # (B, t, h, w, K)
        parts = [seen, place] if told is None else [seen, told, place]
        x = self.enter(torch.cat(parts, dim=-1).to(kind)).flatten(1, 3)  # (B, N, D)
        for block in self.blocks:
            x = block(x, c, words, rope)  # (B, N, D)
        a, b = self.last(c).unsqueeze(1).chunk(2, dim=-1)  # (B, 1, D) x 2
        left = self.leave(torch.addcmul(b, self.norm(x), 1 + a)).float().view(B, t, h, w, -1)  # (B, t, h, w, K)
        if self.hear is not None and self.scale is not None and self.leave_direct is not None and told is not None:
            loud = self.hear(told.to(kind)) * self.scale(c)[:, None, None, None]  # (B, t, h, w, R)
            left = left + self.leave_direct(loud).float()
        clean: Tensor = skip * noisy + out * left  # (B, t, h, w, K)
        return clean

    def say(self, tokens: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, S), a place for each attribute and 0 where it is unsaid, and time (B,): (B, D) and (B, S, D)."""
        silent = torch.arange(self.shape.slots, device=tokens.device) + self.shape.words  # (S,)
        words = self.word(torch.where(tokens > 0, tokens, silent))  # (B, S, E)
        told = self.tell(words.flatten(1)) + self.time(waves(time, self.shape.width).to(words.dtype))  # (B, D)
        mixed: Tensor = F.silu(self.mix(F.silu(told)) + told)  # (B, D)
        return mixed, words if self.listen is None else self.listen(words)


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
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def places(grid: tuple[int, int, int], device: torch.device) -> Tensor:
    """Where each patch is, as waves: (t, h, w, PLACE) for a grid of (t, h, w) patches."""
    axes = [(torch.arange(n, device=device) + 0.5) / n - 0.5 for n in grid]
    return torch.cat([_waves(axis) for axis in torch.meshgrid(*axes, indexing="ij")], dim=-1)


def _waves(v: Tensor) -> Tensor:
    """(...,) in about [-1, 1] to (..., 2 OCTAVES); the slowest wave is twice as long as a sheet."""
    angle = v[..., None] * math.pi * 2.0 ** torch.arange(OCTAVES, device=v.device)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def rotations(grid: tuple[int, int, int], head: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines (N, head / 2) for N = t h w places; time, rows and columns take a third of the turns each.

    Rows and columns are counted from the middle, so that pictures of other shapes keep their centre.
    """
    third = head // 6
    rate = torch.pi * (16.0 ** -(torch.arange(third, device=device) / third)) / 2  # a quarter turn a patch, and slower
    axes = [torch.arange(n, device=device) - (n - 1) / 2 for n in grid]
    place = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)  # (N, 3)
    angle = (place[:, :, None] * rate).flatten(1)  # (N, 3 third)
    angle = F.pad(angle, (0, head // 2 - angle.shape[1]))  # what is left over is not turned
    return angle.cos(), angle.sin()


def turn(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Turns the pairs (i, i + d / 2) of x (B, h, N, d) by their place."""
    cos, sin = (r.to(x.dtype) for r in rope)  # (N, d / 2)
    a, b = x.chunk(2, dim=-1)  # (B, h, N, d / 2)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
