"""From what was asked to what the model makes, and back, each change said in words: nothing is rounded in silence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from generator.request import GenerationRequest, Pixels

LEAST: Final = 16  # frames that are made at the least: two seconds, in which a motion has its pace
NATIVE_FPS: Final = 8
STEP: Final = 4  # frames of a patch of the clip: of `generator.codec`, which needs torch to be imported
WINDOW, STRIDE = 16, 8  # frames that the filmer sees at a time, and how far the next window lies
MOST_SPREAD: Final = 0.3  # of a jump, to each side: more would show two pictures in one
BUCKETS: Final = ((128, 80), (80, 128), (104, 104))  # width, height: landscape, portrait, square


@dataclass(frozen=True)
class Geometry:
    """How one request is laid out on the model's grid: one of three shapes, and 16 frames or more."""

    size: tuple[int, int]  # width, height asked for
    native: tuple[int, int]  # width, height made
    frames: int
    fps: Fraction
    native_frames: int  # N

    @property
    def upscale(self) -> float:
        """The factor from native to the asked size, so that the native picture covers it."""
        return max(self.size[0] / self.native[0], self.size[1] / self.native[1])

    @property
    def windows(self) -> tuple[int, ...]:
        """The native frames at which the filmer's windows begin; the last one ends with the clip's last patch."""
        last = math.ceil(self.native_frames / STEP) * STEP - WINDOW
        return (*range(0, last, STRIDE), last)

    def position(self, index: int) -> float:
        """Where output frame `index` lies among the native frames, from 0 to N - 1."""
        return min(float(index / self.fps) * NATIVE_FPS, self.native_frames - 1.0)

    def enlarge(self, picture: NDArray[np.float32]) -> Pixels:
        """A native picture (h, w, 3) in [0, 255], enlarged and cropped to the size asked for: uint8 (H, W, 3).

        It may be rounded in place.
        """
        return _rounded(cover(picture, self.size))

    def notes(self, request: GenerationRequest) -> Iterator[str]:
        """What was changed on the way, in words."""
        seconds = float(self.frames / self.fps)
        if seconds != request.seconds:
            yield (
                f"{request.seconds:g} s at {self.fps} fps is not a whole number of frames: "
                f"rounded to {self.frames} frames, {seconds:g} s"
            )
        (w, h), (W, H) = self.native, self.size
        yield f"made at {w}x{h} and enlarged {self.upscale:.4g}x by cubic interpolation"
        wide, high = round(w * self.upscale), round(h * self.upscale)
        if (wide, high) != (W, H):
            yield f"enlarged to {wide}x{high} and cropped around the middle to {W}x{H}"
        if len(self.windows) > 1:
            yield f"filmed in {len(self.windows)} windows of {WINDOW / NATIVE_FPS:g} s that overlap"
        if seconds < self.native_frames / NATIVE_FPS:
            yield f"the model makes {self.native_frames / NATIVE_FPS:g} s: cut after {seconds:g} s"
        if self.fps != NATIVE_FPS:
            yield f"{self.frames} frames at {self.fps} fps were drawn between {self.native_frames} frames"


def settle(clip: NDArray[np.float32], known: NDArray[np.bool_], patch: int) -> NDArray[np.float32]:
    """The clip (N, h, w, 3) with its jumps between patches of `patch` frames spread over the frames beside them.

    A patch is predicted as a whole, so motion is smooth inside it and steps at its ends. As a deblocking filter does in
    a video codec, each end is moved towards the other by what the step exceeds the steps around it. Known frames stay.
    """
    out = clip.copy()
    for first in range(patch, len(clip) - 1, patch):
        jump = clip[first] - clip[first - 1]  # (h, w, 3)
        around = np.abs(clip[first - 1] - clip[first - 2]).mean() + np.abs(clip[first + 1] - clip[first]).mean()
        excess = 1.0 - 0.5 * around / max(float(np.abs(jump).mean()), 1e-6)
        share = min(max(0.5 * excess, 0.0), MOST_SPREAD)
        for frame, sign in ((first - 1, 1.0), (first, -1.0)):
            if not known[frame]:
                out[frame] += sign * share * jump
    return out


def resolve(request: GenerationRequest) -> Geometry:
    """The layout of a request: the bucket of the nearest ratio, and as many frames as the length needs."""
    ratio = math.log(request.size[0] / request.size[1])
    native = min(BUCKETS, key=lambda bucket: abs(math.log(bucket[0] / bucket[1]) - ratio))
    last = math.ceil((request.frames - 1) / request.fps * NATIVE_FPS)  # the native frame at or after the last one
    return Geometry(request.size, native, request.frames, request.fps, max(LEAST, last + 1))


def cover(picture: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """A picture (h, w, 3) scaled until it covers `size` (width, height) and cropped around its middle."""
    h, w = picture.shape[:2]
    factor = max(size[0] / w, size[1] / h)
    wide, high = max(round(w * factor), size[0]), max(round(h * factor), size[1])
    kind = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    scaled = picture if (wide, high) == (w, h) else cv2.resize(picture, (wide, high), interpolation=kind)
    x, y = (wide - size[0]) // 2, (high - size[1]) // 2
    return scaled[y : y + size[1], x : x + size[0]].astype(np.float32, copy=False)


@dataclass(frozen=True, eq=False)
class Given:
    """The given frames on the native grid: those that stand, and those that only pull."""

    native: Pixels  # (N, h, w, 3), zeros where nothing is given
    known: NDArray[np.bool_]  # (N,), frames that stand as they are
    pull: NDArray[np.float64]  # (N,), strength below 1 of frames that only pull; 0 where nothing does


def place(request: GenerationRequest, geometry: Geometry) -> Given:
    """Lays the given frames out. Frames after the video's end are left out (`conditioning_notes` says so).

    Of several output frames at one native frame the nearest counts; where frames overlap, the last given.
    """
    w, h = geometry.native
    N = geometry.native_frames
    native, known, pull = np.zeros((N, h, w, 3), np.uint8), np.zeros(N, bool), np.zeros(N)
    for one in request.conditioning:
        nearest: dict[int, tuple[float, int]] = {}
        for index in range(one.frame_index, min(one.stop, request.frames)):
            at = geometry.position(index)
            slot = round(at)
            nearest[slot] = min(nearest.get(slot, (math.inf, 0)), (abs(at - slot), index))
        for slot, (_, index) in sorted(nearest.items()):
            native[slot] = fitted(one.frames[index - one.frame_index], geometry.native)
            known[slot], pull[slot] = one.strength == 1, 0.0 if one.strength == 1 else one.strength
    return Given(native, known, pull)


def standing(request: GenerationRequest, index: int) -> Pixels | None:
    """The given frame that stands at an output index, at the asked size; None where the model's own does."""
    for one in reversed(request.conditioning):
        if one.strength == 1 and one.frame_index <= index < one.stop:
            return fitted(one.frames[index - one.frame_index], request.size)
    return None


def conditioning_notes(request: GenerationRequest, geometry: Geometry) -> Iterator[str]:
    """What happened to the given frames, in words."""
    for number, one in enumerate(request.conditioning):
        if one.stop > request.frames:
            yield f"given frames {number}: {one.stop - request.frames} after the end of the video were left out"
        height, width = one.frames.shape[1:3]
        if (width, height) != request.size:
            yield f"given frames {number}: {width}x{height} scaled and cropped to {request.size[0]}x{request.size[1]}"
    w, h = geometry.native
    if any(one.strength == 1 for one in request.conditioning):
        yield f"given frames stand in the video as they are; the model saw them at {w}x{h} and {NATIVE_FPS} fps"
    for strength in sorted({one.strength for one in request.conditioning if one.strength < 1}):
        yield f"given frames of strength {strength:g} held the clip while its noise was above {1 - strength:g}"


def _rounded(picture: NDArray[np.float32]) -> Pixels:
    """To uint8 in place, as far as that goes: a 1080p picture in float32 is 25 MB each time it is copied."""
    np.rint(picture, out=picture)
    np.clip(picture, 0, 255, out=picture)
    return picture.astype(np.uint8)


def fitted(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """A picture (h, w, 3) scaled until it covers `size` (width, height) and cropped around its middle, uint8."""
    if picture.shape[1::-1] == size:
        return picture
    return _rounded(cover(picture.astype(np.float32), size))
