"""Believed latents to frames, for previews: each family keeps its latents in its own form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from generator.backends.families import Family
from generator.request import Pixels


def decoder(pipe: Any, family: Family, belief: Any, grid: tuple[int, int, int]) -> Callable[[], Pixels] | None:
    """Frames (N, h, w, 3) from believed latents, decoded when asked; None where nothing is believed yet.

    grid: frames, height, width of the clip in pixels; packed latents do not tell them.
    """
    if belief is None:
        return None
    return lambda: _video(pipe, _DECODERS[family.latents](pipe, belief, grid))


def to_bytes(picture: np.ndarray[Any, Any]) -> Pixels:
    """Pixels from [0, 1] to uint8, rounded and clamped."""
    out: Pixels = np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)
    return out


def _video(pipe: Any, decoded: Any) -> Pixels:
    clip = pipe.video_processor.postprocess_video(decoded, output_type="np")[0]  # (N, h, w, 3)
    return to_bytes(np.nan_to_num(np.asarray(clip)))


def _scaled(pipe: Any, latents: Any, _: tuple[int, int, int]) -> Any:
    """Wan, HunyuanVideo, Mochi: (B, C, F, H, W), times a deviation and plus a mean where the codec has them."""
    return _decoded(pipe, _unscaled(pipe, latents))


def _packed(pipe: Any, latents: Any, grid: tuple[int, int, int]) -> Any:
    """LTX: tokens (B, S, D), those of given frames first; LTX image-to-video: (B, C, F, H, W) without the first."""
    import torch

    if latents.ndim == 3:
        space, time = pipe.vae_spatial_compression_ratio, pipe.vae_temporal_compression_ratio
        frames, height, width = (grid[0] - 1) // time + 1, grid[1] // space, grid[2] // space
        patch, patch_t = pipe.transformer_spatial_patch_size, pipe.transformer_temporal_patch_size
        tokens = (frames // patch_t) * (height // patch) * (width // patch)
        shape = (frames // patch_t, height // patch, width // patch, patch, patch_t)
        latents = pipe._unpack_latents(latents[:, -tokens:], *shape)  # (B, C, F, H, W)
    early = (torch.zeros(1),) if pipe.vae.config.timestep_conditioning else (None,)
    return _decoded(pipe, _unscaled(pipe, latents), *early)


def _frame_by_frame(pipe: Any, latents: Any, _: tuple[int, int, int]) -> Any:
    """Stable Video Diffusion: (B, F, C, H, W)."""
    import torch

    with torch.inference_mode():
        return pipe.decode_latents(latents.to(pipe.vae.dtype), num_frames=latents.shape[1], decode_chunk_size=4)


def _by_itself(pipe: Any, latents: Any, _: tuple[int, int, int]) -> Any:
    """CogVideoX: the pipeline has a method for it."""
    import torch

    with torch.inference_mode():
        return pipe.decode_latents(latents.to(pipe.vae.dtype))


_DECODERS: dict[str, Callable[[Any, Any, tuple[int, int, int]], Any]] = {
    "scaled": _scaled,
    "packed": _packed,
    "frame by frame": _frame_by_frame,
    "by itself": _by_itself,
}


def _unscaled(pipe: Any, latents: Any) -> Any:
    import torch

    config, buffers = pipe.vae.config, dict(pipe.vae.named_buffers())  # LTX keeps its statistics in buffers
    scale = getattr(config, "scaling_factor", None) or 1.0
    mean, spread = (buffers.get(name, getattr(config, name, None)) for name in ("latents_mean", "latents_std"))
    if mean is None or spread is None:
        return latents / scale
    form = (1, -1, 1, 1, 1)
    mean, spread = (torch.as_tensor(some).view(form).to(latents) for some in (mean, spread))
    return latents * spread / scale + mean


def _decoded(pipe: Any, latents: Any, *more: Any) -> Any:
    import torch

    with torch.inference_mode():
        return pipe.vae.decode(latents.to(pipe.vae.dtype), *more, return_dict=False)[0]
