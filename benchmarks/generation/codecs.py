"""Which compression: the linear codec against a small causal convolutional autoencoder of the same latent size.

Both see the same rendered world and nothing else. The autoencoder is trained here, from scratch, for a stated number
of CPU minutes on one thread; its error is given at half of them too: would more of them change the choice?
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generator.codec import CLIP_PATCH, PatchCodec, fold, to_signed
from generator.world.render import render_clip
from generator.world.scene import draw_scene

SEED = 3
LATENTS = (192, 64)
HELD_OUT = range(900_000, 900_016)  # batches that neither codec has seen
SIZE = (128, 80)


def _clips(index: int, size: int = 4) -> Tensor:
    """Clips of the rendered world (B, 16, 80, 128, 3) in [-1, 1]."""
    rng = np.random.default_rng((SEED, index))
    return to_signed(torch.from_numpy(np.stack([render_clip(draw_scene(rng), SIZE) for _ in range(size)])))


class CausalConv(nn.Conv3d):
    """A 3x3x3 convolution that looks at the past and the present alone."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', T / stride, H / stride, W / stride)."""
        return super().forward(F.pad(x, (1, 1, 1, 1, 2, 0)))


def _block(width: int) -> nn.Module:
    return nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), CausalConv(width, width, 3))


class Residual(nn.Module):
    """x + f(x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(_block(width), _block(width))

    def forward(self, x: Tensor) -> Tensor:
        """Shape kept."""
        return x + self.inner(x)


class Autoencoder(nn.Module):
    """Clips (B, T, H, W, 3) in [-1, 1] to latents (B, K, T / 4, H / 8, W / 8) and back."""

    def __init__(self, keep: int) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            CausalConv(12, 32, 3), nn.SiLU(),
            CausalConv(32, 64, 3, stride=2), Residual(64),
            CausalConv(64, 128, 3, stride=2), Residual(128), nn.Conv3d(128, keep, 1),
        )  # fmt: skip
        self.decode = nn.Sequential(
            nn.Conv3d(keep, 128, 1), Residual(128), nn.Upsample(scale_factor=2), CausalConv(128, 64, 3),
            Residual(64), nn.Upsample(scale_factor=2), CausalConv(64, 32, 3), nn.SiLU(), CausalConv(32, 12, 3),
        )  # fmt: skip

    def forward(self, clip: Tensor) -> Tensor:
        """The clip as it comes back, (B, T, H, W, 3)."""
        x = F.pixel_unshuffle(clip.permute(0, 1, 4, 2, 3), 2).transpose(1, 2)  # (B, 12, T, H / 2, W / 2)
        x = self.decode(self.encode(x)).transpose(1, 2)  # (B, T, 12, H / 2, W / 2)
        return F.pixel_shuffle(x, 2).permute(0, 1, 3, 4, 2)


def _train(net: Autoencoder, cpu_minutes: float) -> tuple[int, float]:
    """Mean squared error, AdamW, one cycle over CPU time; returns the clips seen, and the PSNR half way."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    start, clips, half_way, budget = time.process_time(), 0, 0.0, cpu_minutes * 60
    while (share := (time.process_time() - start) / budget) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, clips / 200 + 0.05, max(0.02, (1 - share) * 2))
        pixels = _clips(clips)
        error = (net(pixels) - pixels).square().mean()
        optimizer.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        clips += len(pixels)
        if share > 0.5 and not half_way:
            half_way = _psnr(net)[0]
    return clips, half_way


def _psnr(through: Callable[[Tensor], Tensor]) -> tuple[float, float]:
    """Mean PSNR in dB over held-out clips, and CPU milliseconds a clip there and back."""
    found, spent, clips = [], 0.0, 0
    with torch.inference_mode():
        for index in HELD_OUT:
            pixels = _clips(index)
            before = time.process_time()
            back = through(pixels).clamp(-1, 1)
            spent += time.process_time() - before
            clips += len(pixels)
            found.append(10 * torch.log10(4 / (back - pixels).square().mean(dim=(1, 2, 3, 4))))
    return float(torch.cat(found).mean()), 1000 * spent / clips


def codecs(cpu_minutes: float = 6.0) -> None:
    """A row for each codec and latent size."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    print("| numbers a patch | codec | PSNR, held-out clips | CPU ms a clip, there and back | learned in |")
    print("|---|---|---|---|---|")
    for keep in LATENTS:
        before = time.process_time()
        patches = torch.cat([fold(_clips(-1 - i & 0xFFFFFFFF), CLIP_PATCH).flatten(0, 3) for i in range(60)])
        linear = PatchCodec.fit(CLIP_PATCH, patches, keep)
        spent = (time.process_time() - before) / 60
        psnr, cost = _psnr(lambda pixels, codec=linear: codec.decode(codec.encode(pixels)))  # type: ignore[misc]
        print(f"| {keep} of 768 | PCA | {psnr:.1f} dB | {cost:.1f} | {spent:.1f} CPU minutes |", flush=True)
        net = Autoencoder(keep)
        clips, half_way = _train(net, cpu_minutes)
        psnr, cost = _psnr(net)
        size = sum(p.numel() for p in net.parameters()) / 1e6
        print(
            f"| {keep} of 768 | causal convolutions, {size:.1f} M parameters "
            f"| {psnr:.1f} dB ({half_way:.1f} half way) | {cost:.1f} | {cpu_minutes:g} CPU minutes, {clips} clips |",
            flush=True,
        )
