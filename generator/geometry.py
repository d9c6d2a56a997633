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

NATIVE_FRAMES: Final = 16
NATIVE_FPS: Final = 8
NATIVE_S: Final = NATIVE_FRAMES / NATIVE_FPS
# Width, height; all near one number of tokens. Landscape, portrait, square.
BUCKETS: Final = ((64, 40), (40, 64), (48, 48))


@dataclass(frozen=True)
class Geometry:
    """How one request is laid out on the model's grid of 16 frames in one of three shapes."""

    size: tuple[int, int]  # width, height asked for
    native: tuple[int, int]  # width, height made
    frames: int
    fps: Fraction
    stretch: float  # how much slower than trained the clip is played; 1 where it is not

    @property
    def upscale(self) -> float:
        """The factor from native to the asked size, so that the native picture covers it."""
        return max(self.size[0] / self.native[0], self.size[1] / self.native[1])

    def position(self, index: int) -> float:
        """Where output frame `index` lies among the native frames, from 0 to 15."""
        return min(float(index / self.fps) * NATIVE_FPS / self.stretch, NATIVE_FRAMES - 1.0)

    def enlarge(self, clip: NDArray[np.float32], index: int) -> Pixels:
        """Output frame `index` from a native clip (16, h, w, 3) in [0, 255]: blended in time, enlarged, cropped."""
        at = self.position(index)
        early, late = math.floor(at), math.ceil(at)
        blend = clip[early] * (1 - (at - early)) + clip[late] * (at - early)  # (h, w, 3)
        return np.clip(np.rint(cover(blend, self.size)), 0, 255).astype(np.uint8)

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
        if self.stretch != 1:
            yield f"the model makes {NATIVE_S:g} s: played {self.stretch:.4g} times slower to last {seconds:g} s"
        elif seconds < NATIVE_S:
            yield f"the model makes {NATIVE_S:g} s: cut after {seconds:g} s"
        if self.stretch != 1 or self.fps != NATIVE_FPS:
            yield f"{self.frames} frames at {self.fps} fps were blended from {NATIVE_FRAMES} frames"


def resolve(request: GenerationRequest) -> Geometry:
    """The layout of a request: the bucket of the nearest ratio; longer clips are stretched, shorter ones cut."""
    ratio = math.log(request.size[0] / request.size[1])
    native = min(BUCKETS, key=lambda bucket: abs(math.log(bucket[0] / bucket[1]) - ratio))
    stretch = 1.0
    if request.frames / request.fps > NATIVE_S:  # the last output frame is the last native one
        stretch = float((request.frames - 1) / request.fps) * NATIVE_FPS / (NATIVE_FRAMES - 1)
    return Geometry(request.size, native, request.frames, request.fps, stretch)


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
    """The given frames: on the native grid for the model, and at the asked size for the output."""

    native: Pixels  # (16, h, w, 3), zeros where nothing is given
    known: NDArray[np.bool_]  # (16,)
    whole: dict[int, Pixels]  # output index -> (H, W, 3)


def place(request: GenerationRequest, geometry: Geometry) -> Given:
    """Lays the given frames out. Frames after the video's end are left out (`conditioning_notes` says so)."""
    w, h = geometry.native
    native, known = np.zeros((NATIVE_FRAMES, h, w, 3), np.uint8), np.zeros(NATIVE_FRAMES, bool)
    whole: dict[int, Pixels] = {}
    for one in request.conditioning:
        for index in range(one.frame_index, min(one.stop, request.frames)):
            whole[index] = _fitted(one.frames[index - one.frame_index], request.size)
    nearness = np.full(NATIVE_FRAMES, np.inf)  # of the given frame that a native one was taken from
    for index, picture in whole.items():
        at = geometry.position(index)
        slot = round(at)
        if abs(at - slot) < nearness[slot]:
            native[slot], known[slot], nearness[slot] = _fitted(picture, geometry.native), True, abs(at - slot)
    return Given(native, known, whole)


def conditioning_notes(request: GenerationRequest, geometry: Geometry) -> Iterator[str]:
    """What happened to the given frames, in words."""
    for number, one in enumerate(request.conditioning):
        if one.stop > request.frames:
            yield f"given frames {number}: {one.stop - request.frames} after the end of the video were left out"
        height, width = one.frames.shape[1:3]
        if (width, height) != request.size:
            yield f"given frames {number}: {width}x{height} scaled and cropped to {request.size[0]}x{request.size[1]}"
    if request.conditioning:
        w, h = geometry.native
        yield f"given frames stand in the video as they are; the model saw them at {w}x{h} and {NATIVE_FPS} fps"


def _fitted(picture: Pixels, size: tuple[int, int]) -> Pixels:
    return np.clip(np.rint(cover(picture.astype(np.float32), size)), 0, 255).astype(np.uint8)
