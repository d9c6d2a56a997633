"""The torch side of the embedded back-end: tokens, noise and given frames in, native clips out, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from generator.checkpoint import read
from generator.codec import to_signed
from generator.flow import Clue, look, walk
from generator.geometry import Given
from generator.request import GenerationRequest
from generator.text import encode

Clip = NDArray[np.float32]  # (16, h, w, 3) in [0, 255]


class Sampler:
    """A loaded network and its codec."""

    def __init__(self, folder: Path) -> None:
        self._net, self._codec = read(folder)

    def steps(self, request: GenerationRequest, given: Given) -> Iterator[Callable[[], Clip]]:
        """After each denoising step, a function that decodes the clip believed in; the last one gives the clip."""
        pixels = to_signed(torch.from_numpy(given.native))[None]  # (1, 16, h, w, 3)
        visible, mask = look(self._codec, pixels, torch.from_numpy(given.known)[None])
        tokens = torch.from_numpy(encode([request.prompt, request.negative_prompt or ""]))  # (2, M)
        noise = torch.randn(visible.shape, generator=torch.Generator().manual_seed(request.seed))  # (1, t, h, w, K)
        for clean in walk(
            self._net, noise, Clue(visible, mask, tokens), steps=request.steps, guidance=request.guidance_scale
        ):
            yield lambda clean=clean: self._decode(clean)  # type: ignore[misc]

    def _decode(self, latents: torch.Tensor) -> Clip:
        pixels = (self._codec.decode(latents)[0] + 1) * 127.5  # (16, h, w, 3)
        return pixels.clamp(0, 255).numpy()
