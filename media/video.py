"""What a video file is to the rest of Assay: a `Video` that yields every picture in it, or says which it could not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (H, W, 3) RGB, C-contiguous

View = Literal["colours", "over-black", "over-white"]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a file, as it is shown: rotated, cropped, converted to RGB.

    `index` counts what the walk of the file yields, undecodable frames included, from 0.
    `pts` is in seconds; 0.0 is the start of the main stream's presentation, so a frame that an edit list
    hides before the start is seen at a negative pts.
    `stream` 0 is the main video stream; further ones (a second track, a cover picture) follow it in the walk.
    `view` tells the looks at one frame with transparency apart: its colours with alpha ignored, and what a
    page shows of it over black and over white. A picture can hide from any one of them, not from all three.
    """

    pixels: Pixels  # (H, W, 3) RGB, C-contiguous, read-only; H and W may change within a stream
    index: int
    pts: float
    stream: int = 0
    interlaced: bool = False  # two fields woven into one picture
    view: View = "colours"

    def __post_init__(self) -> None:
        pixels = np.ascontiguousarray(self.pixels)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
            raise ValueError(f"a frame is uint8 (H, W, 3) RGB, not {pixels.dtype} {pixels.shape}")
        pixels = pixels.view()  # the caller's own array stays as writable as it was
        pixels.flags.writeable = False
        object.__setattr__(self, "pixels", pixels)

    @property
    def principal(self) -> bool:
        """Whether a plain player shows this picture: the main stream's colours. Others are there for the eyes only."""
        return self.stream == 0 and self.view == "colours"

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        return f"Frame({width}x{height}, index={self.index}, pts={self.pts:.3f}, stream={self.stream}, {self.view})"


@dataclass(frozen=True)
class Undecodable:
    """A frame that the file holds or declares and that could not be decoded; nobody has seen it."""

    index: int  # in the same count as `Frame.index`
    pts: float | None  # seconds, where the file says when it would have been shown
    reason: str
    stream: int = 0


@dataclass(frozen=True)
class Video:
    """A file with at least one video stream, and the way to walk it. Made by `probe`; describes the main stream."""

    path: Path
    container: str  # the demuxer's name: "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "gif", ...
    codec: str
    width: int  # as shown, after rotation
    height: int
    rate: Fraction | None  # average frames a second
    duration_s: float | None
    declared_frames: int | None  # pictures that the header claims, repeats left out; None where it claims nothing
    has_audio: bool
    rotation: int  # degrees counter-clockwise that the file asks for: 0, 90, 180, 270; already applied to frames
    pixel_format: str  # of the stream: "yuv420p", "yuv422p10le", "bgra", ...
    has_alpha: bool
    bit_depth: int
    interlaced: bool
    video_streams: int  # streams that `frames()` walks, cover pictures among them
    unseen_streams: tuple[str, ...]  # kinds of other streams that nobody here looks at: "subtitle", "data", ...

    def frames(self, *, threads: int = 1) -> Iterator[Frame | Undecodable]:
        """Every picture of every video stream, the main stream first, in the order in which each is presented.

        Memory is bounded whatever the length; closing the iterator closes the file. The count of what is yielded
        is at least `declared_frames`. `threads` is the decoder's; 0 lets it choose.

        Raises:
            MediaError: the file can no longer be opened, it holds no frame at all, or it claims to lack more
                than a million.
        """
        from media.decode import walk

        return walk(self, threads)
