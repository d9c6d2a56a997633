"""What is asked of a generator: one frozen request whose every field was examined when it was made.

Conditioning follows LTX-Video's form, a list of (frames, frame_index, strength): one frame is image-to-video, frames at
the start or at the end are extension, frames around a gap are in-filling, frames that only pull are a remix. The mode
is derived from it, never passed, so the two cannot disagree. A storyboard says what is to be seen at later moments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from generator.errors import InvalidRequest

Pixels = NDArray[np.uint8]
Mode = Literal["text-to-video", "image-to-video", "extension", "in-filling", "remix"]

MIN_SIDE = 16  # below this no subject can be told from another
MAX_SIDE = 1920
MAX_PIXELS = 1920 * 1080  # either way up
MAX_SECONDS = 60.0
MAX_FPS = 60
MAX_STEPS = 250
MAX_GUIDANCE = 30.0
MAX_PROMPT = 4000  # characters; a storyboard is several prompts, not a long one
MAX_BEATS = 60  # prompts of a storyboard: one a second of the longest video


class FrameSource(Protocol):
    """Given frames that are not all in memory, such as `Footage`: looks like an array (T, H, W, 3) uint8, by index."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(T, H, W, 3)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8."""
        ...

    def __getitem__(self, index: int, /) -> Pixels:
        """Frame `index`, uint8 (H, W, 3) RGB."""
        ...


@dataclass(frozen=True, eq=False)
class Conditioning:
    """Frames that the video must contain: uint8 (T, H, W, 3) RGB from `frame_index` on, at the request's rate.

    `strength` 1 keeps them as they are; below 1 they only pull: the video is held to them while its noise is above
    1 - strength, and goes its own way below. Raises InvalidRequest for any other shape or range.
    """

    frames: Pixels | FrameSource  # (T, H, W, 3)
    frame_index: int = 0
    strength: float = 1.0

    def __post_init__(self) -> None:
        shape, kind = getattr(self.frames, "shape", None), getattr(self.frames, "dtype", None)
        if shape is None or len(shape) != 4 or shape[3] != 3 or 0 in shape or kind != np.uint8:
            raise InvalidRequest(
                f"conditioning.frames: {kind} {shape}; give uint8 (T, H, W, 3) with at least one frame"
            )
        _whole("conditioning.frame_index", self.frame_index, 0, int(MAX_SECONDS * MAX_FPS) - 1)
        _real("conditioning.strength", self.strength, 0.0, 1.0)

    @property
    def stop(self) -> int:
        """The index of the first frame after the given ones."""
        return self.frame_index + int(self.frames.shape[0])


@dataclass(frozen=True, eq=False)
class GenerationRequest:
    """One video to be made. Raises InvalidRequest naming the field and the remedy where a field is out of its range."""

    prompt: str
    negative_prompt: str | None = None
    conditioning: tuple[Conditioning, ...] = ()
    size: tuple[int, int] = (512, 288)  # width, height in pixels
    seconds: float = 2.0
    fps: Fraction = field(default_factory=lambda: Fraction(24))
    seed: int = 0
    steps: int = 16  # denoising steps; a back-end without a sampler ignores them and says so
    guidance_scale: float = 3.0
    storyboard: tuple[tuple[float, str], ...] = ()  # (start in seconds, prompt) of what follows `prompt`, in order

    def __post_init__(self) -> None:
        _text("prompt", self.prompt)
        if self.negative_prompt is not None:
            _text("negative_prompt", self.negative_prompt)
        self._examine_size()
        _real("seconds", self.seconds, 0.0, MAX_SECONDS, above=True)
        if not isinstance(self.fps, Fraction) or not 1 <= self.fps <= MAX_FPS:
            raise InvalidRequest(f"fps: {self.fps!r}; give a Fraction of frames a second from 1 to {MAX_FPS}")
        _whole("seed", self.seed, 0, 2**63 - 1)
        _whole("steps", self.steps, 1, MAX_STEPS)
        _real("guidance_scale", self.guidance_scale, 0.0, MAX_GUIDANCE)
        self._examine_storyboard()
        for given in self.conditioning:
            if given.frame_index >= self.frames:
                raise InvalidRequest(
                    f"conditioning.frame_index: {given.frame_index} of a video of {self.frames} frames; "
                    f"give 0 to {self.frames - 1}, or more seconds"
                )

    def _examine_size(self) -> None:
        if not isinstance(self.size, tuple) or len(self.size) != 2:
            raise InvalidRequest(f"size: {self.size!r}; give (width, height) in pixels")
        for name, side in zip(("width", "height"), self.size, strict=True):
            _whole(f"size ({name})", side, MIN_SIDE, MAX_SIDE)
        if self.size[0] * self.size[1] > MAX_PIXELS:
            raise InvalidRequest(f"size: {self.size[0]}x{self.size[1]}; give at most 1920x1080 or 1080x1920")

    def _examine_storyboard(self) -> None:
        if len(self.storyboard) >= MAX_BEATS:
            raise InvalidRequest(f"storyboard: {len(self.storyboard)} later prompts; write at most {MAX_BEATS - 1}")
        before = 0.0
        for start_s, prompt in self.storyboard:
            _text(f"storyboard ({start_s} s)", prompt)
            _real("storyboard (seconds)", start_s, 0.0, MAX_SECONDS, above=True)
            if not before < start_s < self.seconds:
                raise InvalidRequest(
                    f"storyboard: {start_s:g} s after {before:g} s in a video of {self.seconds:g} s; "
                    "give rising seconds inside the video"
                )
            before = start_s

    def prompt_at(self, seconds: float) -> str:
        """The prompt in force at a moment."""
        said = self.prompt
        for start_s, prompt in self.storyboard:
            if start_s <= seconds:
                said = prompt
        return said

    @property
    def prompts(self) -> tuple[str, ...]:
        """Every prompt, in order."""
        return (self.prompt, *(prompt for _, prompt in self.storyboard))

    @property
    def frames(self) -> int:
        """The number of frames of the video: seconds x fps, rounded to the nearest, at least one."""
        return max(1, round(Fraction(self.seconds) * self.fps))

    @property
    def mode(self) -> Mode:
        """What is asked, derived from which frames are given."""
        given = np.zeros(self.frames, bool)  # (T,)
        for one in self.conditioning:
            given[one.frame_index : one.stop] = True
        if not given.any():
            return "text-to-video"
        if given.sum() > 1 and all(one.strength < 1 for one in self.conditioning):
            return "remix"  # nothing is kept as it was
        known = np.flatnonzero(given)
        if not given[known[0] : known[-1]].all():
            return "in-filling"  # a gap with given frames on both sides
        return "image-to-video" if given.sum() == 1 else "extension"


def _text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"{name}: {'empty' if isinstance(value, str) else repr(value)}; write what is to be seen")
    if len(value) > MAX_PROMPT:
        raise InvalidRequest(f"{name}: {len(value)} characters; write at most {MAX_PROMPT}")


def _whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        raise InvalidRequest(f"{name}: {value!r}; give a whole number from {low} to {high}")


def _real(name: str, value: object, low: float, high: float, *, above: bool = False) -> None:
    """Real, finite, in [low, high]; in (low, high] where `above`."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not low <= float(value) <= high or (above and value == low):  # type: ignore[arg-type]
        raise InvalidRequest(f"{name}: {value!r}; give a number {'above' if above else 'from'} {low:g} to {high:g}")
