"""The torch side of the embedded back-end: prompts and noise in, sheets out step by step, and clips from sheets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from generator.checkpoint import read
from generator.codec import PATCH, to_signed
from generator.flow import Pull, walk
from generator.geometry import NATIVE_FPS, Geometry, Given
from generator.request import GenerationRequest
from generator.shots import Shot, clip_of
from generator.text import BACKDROP, encode, prompt_words
from generator.world.parse import read_prompt
from generator.world.scene import planned
from generator.world.sheet import SHEET, Layers, sheet_from

# How much of the guidance above 1 is used: what a sheet shows hangs on the words alone, so a scale of 3, which is usual
# where words and pictures go together loosely, would only raise the contrast.
GUIDED = 0.1
Clip = NDArray[np.float32]  # (N, h, w, 3) in [0, 255]


class Sampler:
    """A loaded network and its codec."""

    def __init__(self, folder: Path) -> None:
        self._net, self._codec, self._known = read(folder)
        self._backdrops = max(1, sum(word.startswith(f"{BACKDROP}:") for word in self._known))

    def steps(self, request: GenerationRequest, geometry: Geometry, given: Given) -> Iterator[Callable[[], Clip]]:
        """After each denoising step, a function that decodes the clip believed in; the last one gives the clip."""
        shots, tokens = self._shots(request, geometry)
        grid = (1, SHEET[1] // PATCH[1], SHEET[0] // PATCH[2])
        random = torch.Generator().manual_seed(request.seed)
        # One noise for all: what two prompts have in common looks the same in both.
        noise = torch.randn(1, *grid, self._net.shape.latent, generator=random).repeat(len(shots), 1, 1, 1, 1)
        pull = self._pull(shots, given, noise)
        guidance = 1 + (request.guidance_scale - 1) * GUIDED
        for clean in walk(self._net, noise, tokens, pull, steps=request.steps, guidance=guidance):
            yield lambda clean=clean: self._decode(clean, shots, given)  # type: ignore[misc]

    def _shots(self, request: GenerationRequest, geometry: Geometry) -> tuple[list[Shot], torch.Tensor]:
        """The parts of the clip that follow one prompt each, and the tokens of all (2 B, S)."""
        starts = [0.0, *(start_s for start_s, _ in request.storyboard)]
        ends = [*starts[1:], geometry.native_frames / NATIVE_FPS]
        shots, toward = [], []
        for prompt, start_s, end_s in zip(request.prompts, starts, ends, strict=False):
            words = prompt_words(prompt, self._known)
            scene = planned(words, request.seed)
            shots.append(Shot(scene, start_s, max(end_s - start_s, 1 / NATIVE_FPS), geometry.native))
            toward.append({**words, BACKDROP: str(scene.backdrop_seed % self._backdrops)} if words else {})
        away = [read_prompt(request.negative_prompt or "").attributes] * len(shots)
        return shots, torch.from_numpy(encode([*toward, *away], self._known))

    def _pull(self, shots: list[Shot], given: Given, noise: torch.Tensor) -> Pull:
        """The latents of the given frame in the middle of those that only pull in a shot, and how long it does."""
        latents, until = torch.zeros_like(noise), torch.ones(len(shots))
        for row, shot in enumerate(shots):
            frames = [i for i in np.flatnonzero(given.pull > 0) if shot.holds(i / NATIVE_FPS)]
            if frames:
                at = int(frames[len(frames) // 2])
                sheet = sheet_from(given.native[at].astype(np.float32), shot.view(at / NATIVE_FPS))
                latents[row] = self._codec.encode(to_signed(torch.from_numpy(sheet))[None, None])[0]
                until[row] = 1 - float(given.pull[frames].max())
        return Pull(latents, until)

    def _decode(self, latents: torch.Tensor, shots: list[Shot], given: Given) -> Clip:
        sheets = ((self._codec.decode(latents)[:, 0] + 1) * 127.5).clamp(0, 255).numpy()  # (B, H, W, 3)
        return clip_of(shots, [Layers.of(sheet) for sheet in sheets], given, NATIVE_FPS)
