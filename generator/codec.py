"""The codec: spacetime patches to a few numbers each and back, by two fixed matrices (PCA).

Linear on purpose: on this world it beats cosines and wavelets, costs nothing to run, and since decoding is one matrix
product, the preview of a half-made clip is as cheap as a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

Patch = tuple[int, int, int]  # frames, rows, columns
SHEET_PATCH: Final[Patch] = (1, 12, 12)  # of a sheet (`generator.world.sheet`), which is one frame
CLIP_PATCH: Final[Patch] = (4, 8, 8)  # of a clip: half a second of a tenth of the picture's height
TRACK_PATCH: Final[Patch] = (4, 1, 1)  # of a track (`generator.world.track`), a clip of one pixel
GAMMA: Final = 0.5  # latents are coefficients / deviation ** GAMMA: between keeping their energies and whitening them


@dataclass(frozen=True, eq=False)
class PatchCodec:
    """`encode`: pixels (B, T, H, W, C) -> latents (B, t, h, w, K); `decode` is its pseudo-inverse.

    T, H and W are multiples of the patch. The latents' overall deviation is 1.
    """

    patch: Patch
    mean: Tensor  # (P,), P the numbers of a patch
    basis: Tensor  # (P, K), orthonormal columns
    scale: Tensor  # (K,) what coefficients are divided by
    spread: Tensor  # (K,) deviation of each latent channel over the world

    def encode(self, pixels: Tensor) -> Tensor:
        """Pixels (B, T, H, W, C) to latents (B, t, h, w, K)."""
        return ((fold(pixels, self.patch) - self.mean) @ self.basis) / self.scale  # (B, t, h, w, K)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, t, h, w, K) to pixels (B, T, H, W, C), not clamped."""
        return unfold((latents * self.scale) @ self.basis.T + self.mean, self.patch)  # (B, T, H, W, C)

    def to(self, device: torch.device) -> PatchCodec:
        """The codec on a device."""
        return PatchCodec(self.patch, *(part.to(device) for part in (self.mean, self.basis, self.scale, self.spread)))

    def importance(self) -> Tensor:
        """What each channel counts in a loss, (K,): half-way from latents to pixels, 1 on average over their energy."""
        energy = self.spread.square()
        return self.scale * energy.sum() / (self.scale * energy).sum()

    @classmethod
    def fit(cls, patch: Patch, patches: Tensor, keep: int) -> PatchCodec:
        """From a sample of patches (N, P): the `keep` directions of most variance."""
        mean = patches.mean(0)  # (P,)
        centred = patches - mean  # (N, P)
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(patches))  # (P,), (P, P), ascending
        basis = vectors[:, -keep:].flip(1).contiguous()  # (P, K)
        deviation = values[-keep:].flip(0).clamp_min(1e-8).sqrt()  # (K,)
        scale = deviation**GAMMA
        scale = scale * ((deviation / scale) ** 2).mean().sqrt()  # so that the latents' mean square is 1
        return cls(patch, mean, basis, scale, deviation / scale)


def fold(pixels: Tensor, patch: Patch) -> Tensor:
    """(B, T, H, W, C) to patches (B, t, h, w, P) of a x b x c x C numbers each."""
    B, T, H, W, C = pixels.shape
    a, b, c = patch
    x = pixels.reshape(B, T // a, a, H // b, b, W // c, c, C)
    return x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(B, T // a, H // b, W // c, a * b * c * C)


def unfold(patches: Tensor, patch: Patch) -> Tensor:
    """The inverse of `fold`."""
    B, t, h, w, P = patches.shape
    a, b, c = patch
    x = patches.reshape(B, t, h, w, a, b, c, P // (a * b * c)).permute(0, 1, 4, 2, 5, 3, 6, 7)
    return x.reshape(B, t * a, h * b, w * c, P // (a * b * c))


def to_signed(pixels: Tensor) -> Tensor:
    """Pixels uint8 in [0, 255] to float in [-1, 1]."""
    return pixels.float() / 127.5 - 1.0


def to_bytes(signed: Tensor) -> Tensor:
    """Pixels from [-1, 1] to uint8, rounded and clamped."""
    return ((signed + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
