"""What a video file is to the rest of Assay: a `Video` that yields every picture in it, or says which it could not."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from media.frame import Frame, Look, Undecodable

_WHOLE: tuple[Look, ...] = ("full",)


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

    def frames(self, *, threads: int = 1, looks: Collection[Look] = _WHOLE) -> Iterator[Frame | Undecodable]:
        """Every picture of every video stream, the main stream first, in the order in which each is presented.

        Memory is bounded whatever the length; closing the iterator closes the file. The count of what is yielded
        is at least `declared_frames`. `threads` is the decoder's; 0 lets it choose. `looks` are developed on the way,
        so that a frame whose pixels cannot be had is `Undecodable`; others are developed when a frame is asked, which
        raises MediaError then. ("sampled" needs nothing developed.)

        Raises:
            MediaError: the file can no longer be opened, it holds no frame at all, or it claims to lack more
                than a million.
        """
        from media.decode import walk

        return walk(self, threads, frozenset(looks))
