"""The torch side of the embedded back-end: tokens, noise and given frames in, native clips out, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from generator.checkpoint import read
from generator.codec import PATCH, to_signed
from generator.flow import Clue, Pull, look, walk
from generator.geometry import NATIVE_FPS, WINDOW, Geometry, Given
from generator.request import GenerationRequest
from generator.text import encode

Clip = NDArray[np.float32]  # (N, h, w, 3) in [0, 255]


class Sampler:
    """A loaded network and its codec."""

    def __init__(self, folder: Path) -> None:
        self._net, self._codec = read(folder)

    def steps(self, request: GenerationRequest, geometry: Geometry, given: Given) -> Iterator[Callable[[], Clip]]:
        """After each denoising step, a function that decodes the clip believed in; the last one gives the clip."""
        pixels = to_signed(torch.from_numpy(given.native))[None]  # (1, N, h, w, 3)
        starts = [first // PATCH[0] for first in geometry.windows]
        clues = [self._clue(request, pixels, torch.from_numpy(given.known), first) for first in geometry.windows]
        pull = self._pull(pixels, torch.from_numpy(given.pull))
        noise = torch.randn(pull.latents.shape, generator=torch.Generator().manual_seed(request.seed))
        for clean in walk(
            self._net, noise, clues, starts, pull, steps=request.steps, guidance=request.guidance_scale
        ):  # (1, T, h, w, K)
            yield lambda clean=clean: self._decode(clean)  # type: ignore[misc]

    def _clue(self, request: GenerationRequest, pixels: torch.Tensor, known: torch.Tensor, first: int) -> Clue:
        """What the network is told of the window from native frame `first` on."""
        window = slice(first, first + WINDOW)
        visible, mask = look(self._codec, pixels[:, window], known[None, window])
        prompt = request.prompt_at((first + WINDOW / 2) / NATIVE_FPS)  # the one in force in its middle
        tokens = torch.from_numpy(encode([prompt, request.negative_prompt or ""]))  # (2, M)
        return Clue(visible, mask, tokens)

    def _pull(self, pixels: torch.Tensor, strength: torch.Tensor) -> Pull:
        """The latents of frames that only pull; a latent frame is held where any of its frames is."""
        held, _ = look(self._codec, pixels, (strength > 0)[None])  # (1, T, h, w, K)
        strongest = strength.view(-1, PATCH[0]).amax(dim=1)  # (T,)
        return Pull(held, torch.where(strongest > 0, 1 - strongest, 1.0))

    def _decode(self, latents: torch.Tensor) -> Clip:
        pixels = (self._codec.decode(latents)[0] + 1) * 127.5  # (N, h, w, 3)
        return pixels.clamp(0, 255).numpy()
