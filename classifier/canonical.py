"""One form for every video, so that no container, codec, size, rate or length can speak for the pixels.

A video becomes stretches of 8 to 12 pictures at about 8 a second (by skipping, never by repeating), each the centre
square at 256 x 256, after one H.264 pass in memory that puts the same codec's traces on all of them. Nothing of what
the header says goes on: the rate that decides how many frames are skipped is read off the pictures' own times.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from statistics import median

import av
import cv2
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from classifier.detail import fineness
from media import Frame, Undecodable, Video

SIDE = 256  # pixels; of what generators made up to 2024 much is not larger, and enlarging adds nothing
RATE = 8  # pictures a second; early generators made no more
LONGEST, SHORTEST = 12, 8  # pictures of a stretch: 1.5 seconds, and the least that a spectrum in time stands on
STRETCHES = 4  # at most; a long video is looked at in as many places, evenly spread
_KEPT = 2 * STRETCHES  # while nobody knows yet how long the video is
_CRF = "26"
_PEEK = 9  # frames whose times tell the rate

Planes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Stretch:
    """Some seconds of a video in canonical form: what the codec left of them, in planes, and where they stand."""

    luma: Planes  # (T, 256, 256)
    chroma: Planes  # (T, 2, 128, 128): Cb, Cr
    start_s: float
    end_s: float
    side: int  # the shorter side of the pictures before they were scaled, pixels; decides whether we answer, not what
    detail: NDArray[np.float64]  # (NUMBERS,) of `classifier.detail`, before the codec pass; decides the same


@dataclass(frozen=True, eq=False)
class Squares:
    """Centre squares of a stretch before the codec pass: uint8 (T, 256, 256, 3) RGB, and where they stand."""

    pixels: NDArray[np.uint8]
    start_s: float
    end_s: float
    side: int


def stretches(video: Video) -> list[Stretch]:
    """The canonical form of a video; empty where fewer than SHORTEST pictures are left.

    Raises:
        MediaError: the file cannot be opened or decoded.
    """
    return [encoded(squares) for squares in spread(sampled(video.frames(looks=())))]


def sampled(walk: Iterable[Frame | Undecodable]) -> Iterator[Squares]:
    """Consecutive stretches of centre squares at about RATE; the last may be as short as SHORTEST."""
    frames = (one for one in walk if isinstance(one, Frame) and one.principal)
    ahead = list(islice(frames, _PEEK))
    step = skip(one.pts for one in ahead)
    held: list[tuple[float, NDArray[np.uint8], int]] = []
    for number, frame in enumerate(_chained(ahead, frames)):
        if number % step:
            continue
        held.append((frame.pts, square(frame.pixels), min(frame.size)))
        if len(held) == LONGEST:
            yield _squares(held)
            held = []
    if len(held) >= SHORTEST:
        yield _squares(held)


def skip(times: Iterable[float]) -> int:
    """Every how many-th picture is taken, for pictures at these seconds."""
    ordered = list(times)
    gaps = [later - earlier for earlier, later in pairwise(ordered) if later > earlier]
    return max(1, round(1 / (RATE * median(gaps)))) if gaps else 1


def spread(found: Iterable[Squares]) -> list[Squares]:
    """At most STRETCHES of them, evenly spread, in bounded memory whatever the length."""
    kept: list[Squares] = []
    every = 1
    for number, one in enumerate(found):
        if number % every:
            continue
        kept.append(one)
        if len(kept) > _KEPT:
            kept, every = kept[::2], every * 2
    if len(kept) <= STRETCHES:
        return kept
    return [kept[round(place * (len(kept) - 1) / (STRETCHES - 1))] for place in range(STRETCHES)]


def square(pixels: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """The centre square of a picture (H, W, 3), scaled to side x side."""
    height, width = pixels.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    cut = pixels[top : top + short, left : left + short]
    how = cv2.INTER_AREA if short > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(cut, (side, side), interpolation=how), np.uint8)


def encoded(squares: Squares) -> Stretch:
    """The stretch after one H.264 pass in memory."""
    luma, chroma = decode(encode(squares.pixels))
    return Stretch(luma, chroma, squares.start_s, squares.end_s, squares.side, fineness(squares.pixels))


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """Pictures (T, H, W, 3) RGB as H.264; one key frame, no look-ahead that depends on what follows."""
    target = io.BytesIO()
    with av.open(target, "w", format="h264") as container:
        assert isinstance(container, OutputContainer)
        options = {"preset": "veryfast", "crf": _CRF, "x264-params": "cpu-independent=1:bframes=0:keyint=250"}
        stream = container.add_stream("libx264", rate=Fraction(RATE), options=options)
        stream.height, stream.width = pixels.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        for number, picture in enumerate(pixels):
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def decode(stream: bytes) -> tuple[Planes, Planes]:
    """What `encode` made, in planes: (T, H, W) and (T, 2, H / 2, W / 2)."""
    with av.open(io.BytesIO(stream), format="h264") as container:
        assert isinstance(container, InputContainer)
        video = container.streams.video[0]
        assert isinstance(video, VideoStream)
        video.thread_count = 1
        frames = [frame.to_ndarray() for frame in container.decode(video)]
    stacked = np.asarray(np.stack(frames), np.uint8)  # (T, H * 3 / 2, W)
    count, rows, width = stacked.shape
    height = rows * 2 // 3
    return stacked[:, :height], stacked[:, height:].reshape(count, 2, height // 2, width // 2)


def _squares(held: Sequence[tuple[float, NDArray[np.uint8], int]]) -> Squares:
    times = [moment for moment, _, _ in held]
    last = (times[-1] - times[0]) / max(1, len(times) - 1)
    end_s = times[-1] + max(0.0, last)
    return Squares(np.stack([cut for _, cut, _ in held]), times[0], end_s, min(side for *_, side in held))


def _chained(ahead: list[Frame], rest: Iterator[Frame]) -> Iterator[Frame]:
    yield from ahead
    yield from rest
