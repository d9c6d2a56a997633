"""How one request is laid out for a diffusers model: the next size and number of frames that its rules allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from generator.backends.diffusers_decode import to_bytes
from generator.backends.families import Family, frames_for
from generator.errors import GenerationError
from generator.request import GenerationRequest, Pixels
from generator.stream import Frames

CHUNK = 8  # frames handed over at a time


@dataclass(frozen=True)
class Plan:
    """How one request is laid out for the model: a size and a number of frames that its rules allow."""

    native: tuple[int, int]  # width, height
    native_frames: int
    fps: Fraction

    @classmethod
    def of(cls, pipe: Any, family: Family, request: GenerationRequest) -> Plan:
        """The layout that a loaded pipeline allows, never smaller or shorter than what was asked for."""
        step = _size_step(pipe, family)
        width, height = (-(-side // step) * step for side in request.size)
        fixed = getattr(getattr(pipe, "unet", None), "config", {}).get("num_frames") if family.frame_step == 0 else None
        seconds = float(request.frames / request.fps)
        return cls((width, height), frames_for(seconds, family, fixed), Fraction(family.fps))

    @property
    def grid(self) -> tuple[int, int, int]:
        """Frames, height and width that the model makes."""
        return self.native_frames, self.native[1], self.native[0]

    def notes(self, request: GenerationRequest, family: Family) -> Iterator[str]:
        """What was changed on the way, in words."""
        if self.native != request.size:
            yield (
                f"made at {self.native[0]}x{self.native[1]}, the next size the model allows, and cropped around the "
                f"middle to {request.size[0]}x{request.size[1]}"
            )
        if request.fps != self.fps or self.native_frames != request.frames:
            yield (
                f"{self.native_frames} frames at {self.fps} fps, as the model makes them; "
                f"the nearest was taken for each of {request.frames} at {request.fps} fps"
            )
        if request.negative_prompt and not family.negative:
            yield "the negative prompt was not used: this pipeline has none"
        if not family.text:
            yield "the prompt was not used: this pipeline takes a picture alone"

    def finished(self, made: np.ndarray[Any, Any], request: GenerationRequest) -> Iterator[Frames]:
        """The frames asked for, a chunk at a time, from (N, h, w, 3) in [0, 1]."""
        last = len(made) - 1
        if last / self.fps < (request.frames - 1) / request.fps - Fraction(1, 2):
            raise GenerationError(f"the model made {len(made)} frames, too few for {request.seconds:g} s")
        for start in range(0, request.frames, CHUNK):
            indices = range(start, min(start + CHUNK, request.frames))
            pictures = [to_bytes(made[min(round(i / request.fps * self.fps), last)]) for i in indices]
            yield Frames(np.stack([_cropped(picture, request.size) for picture in pictures]), start)


def _size_step(pipe: Any, family: Family) -> int:
    """Pixels that a side must be a multiple of: the model's own where it says so."""
    scale = getattr(pipe, "vae_scale_factor_spatial", None) or getattr(pipe, "vae_spatial_compression_ratio", None)
    patch = getattr(getattr(getattr(pipe, "transformer", None), "config", None), "patch_size", None)
    if not isinstance(scale, int) or patch is None:
        return family.size_step
    return scale * int(patch[-1] if isinstance(patch, (tuple, list)) else patch)


def _cropped(picture: Pixels, size: tuple[int, int]) -> Pixels:
    height, width = picture.shape[:2]
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    return picture[y : y + size[1], x : x + size[0]]
