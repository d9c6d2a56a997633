"""One picture of a video, whole or small, developed when somebody asks for it; or a word about why it cannot be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (H, W, 3) RGB, C-contiguous

View = Literal["colours", "over-black", "over-white"]
Look = Literal["full", "small", "sampled"]

SMALL_SIDE = 320  # pixels; a patch of 16 px in 720p is 4 px there, and NudeNet's input and PDQ's need no more


class Exposure(Protocol):
    """What a decoder left of one picture; its pixels are developed from this when somebody asks for them."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as shown."""
        ...

    def full(self) -> Pixels:
        """The whole picture; MediaError where its pixels cannot be turned into RGB."""
        ...

    def small(self) -> Pixels:
        """The canonical small picture, see `Frame.small`; MediaError as above."""
        ...

    def sampled(self, scale: float) -> Pixels:
        """The picture times `scale`, see `Frame.sampled`; MediaError as above."""
        ...

    def same(self, other: Exposure) -> bool:
        """Whether both hold the very same bytes, so that whatever is developed from them is identical."""
        ...


class Frame:
    """One picture of a file, as it is shown: rotated, cropped, converted to RGB.

    `pixels` is the whole picture and `small` the canonical small one. Both are developed when they are first asked for
    and kept: a model that looks at `small` alone never pays for the conversion of a whole 1080p picture.
    `index` counts what the walk of the file yields, undecodable frames included, from 0.
    `pts` is in seconds; 0.0 is the start of the main stream's presentation, so a frame that an edit list
    hides before the start is seen at a negative pts.
    `stream` 0 is the main video stream; further ones (a second track, a cover picture) follow it in the walk.
    `view` tells the looks at one frame with transparency apart: its colours with alpha ignored, and what a
    page shows of it over black and over white. A picture can hide from any one of them, not from all three.
    """

    __slots__ = ("_exposure", "_full", "_small", "index", "interlaced", "pts", "stream", "view")

    _exposure: Any  # an Exposure, or None where the whole picture was given
    _full: Pixels | None
    _small: Pixels | None
    index: int
    pts: float
    stream: int
    interlaced: bool  # two fields woven into one picture
    view: View

    def __init__(
        self,
        pixels: Pixels | Exposure,
        index: int,
        pts: float,
        stream: int = 0,
        interlaced: bool = False,
        view: View = "colours",
    ) -> None:
        full = _frozen(pixels) if isinstance(pixels, np.ndarray) else None
        facts = {"index": index, "pts": pts, "stream": stream, "interlaced": interlaced, "view": view}
        held = {"_exposure": None if full is not None else pixels, "_full": full, "_small": None}
        for name, value in (facts | held).items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a frame is not changed: {name}")

    @property
    def pixels(self) -> Pixels:
        """The whole picture: (H, W, 3) RGB, C-contiguous, read-only; H and W may change within a stream."""
        full = self._full
        if full is None:
            full = _frozen(self._exposure.full())
            object.__setattr__(self, "_full", full)
        return full

    @property
    def small(self) -> Pixels:
        """The canonical small picture that every cheap model looks at: (h, w, 3) RGB, read-only.

        The longer side is at most SMALL_SIDE pixels, in the shape of the whole picture, averaged over areas by
        swscale straight from what the decoder gave. A picture that is small already is its own.
        """
        small = self._small
        if small is None:
            small = self._shrunk()
            object.__setattr__(self, "_small", small)
        return small

    def sampled(self, scale: float) -> Pixels:
        """The picture shrunk or enlarged as `cv2.resize` does with this fx = fy: bilinear sampling, no averaging.

        For models whose thresholds are known for that. Of most videos it costs a fifth of a millisecond, for only the
        sampled pixels are turned into RGB; they differ from the resized whole picture by rounding. Not kept.
        """
        if self._full is None:
            made: Pixels = self._exposure.sampled(scale)
            return made
        from media.sampling import resized

        return resized(self._full, scale)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole picture in pixels, without developing it."""
        if self._full is None:
            width, height = self._exposure.size
            return width, height
        return self._full.shape[1], self._full.shape[0]

    @property
    def held_bytes(self) -> int:
        """About how many bytes of pixels it holds in memory; for those who bound queues."""
        width, height = self.size
        return width * height * (3 if self._exposure is None else 5 if self._full is not None else 2)

    @property
    def principal(self) -> bool:
        """Whether a plain player shows this picture: the main stream's colours. Others are there for the eyes only."""
        return self.stream == 0 and self.view == "colours"

    def same_picture(self, other: Frame) -> bool:
        """Whether the pictures are identical, bit for bit. May say no of two whose decoders left different padding."""
        if self.size != other.size or self.view != other.view:
            return False
        if self._exposure is not None and other._exposure is not None:
            alike: bool = self._exposure.same(other._exposure)
            return alike
        return np.array_equal(self.pixels, other.pixels)

    def _shrunk(self) -> Pixels:
        if self._exposure is not None:
            return _frozen(self._exposure.small())
        if max(self.size) <= SMALL_SIDE:
            return self.pixels
        from media.picture import shrunk

        return _frozen(shrunk(self.pixels))

    def __repr__(self) -> str:
        width, height = self.size
        return f"Frame({width}x{height}, index={self.index}, pts={self.pts:.3f}, stream={self.stream}, {self.view})"


def _frozen(pixels: Pixels) -> Pixels:
    """The pixels, read-only; the caller's own array stays as writable as it was."""
    pixels = np.ascontiguousarray(pixels)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"a frame is uint8 (H, W, 3) RGB, not {pixels.dtype} {pixels.shape}")
    pixels = pixels.view()
    pixels.flags.writeable = False
    return pixels


def small_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the canonical small picture of a picture of this size; at least one pixel each."""
    longest = max(width, height)
    if longest <= SMALL_SIDE:
        return width, height
    return max(1, round(width * SMALL_SIDE / longest)), max(1, round(height * SMALL_SIDE / longest))


@dataclass(frozen=True)
class Undecodable:
    """A frame that the file holds or declares and that could not be decoded; nobody has seen it."""

    index: int  # in the same count as `Frame.index`
    pts: float | None  # seconds, where the file says when it would have been shown
    reason: str
    stream: int = 0
