"""Clips for the benchmarks, made from whatever videos the caller names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from media import Encoder, Frame, probe

RATE = Fraction(25)


def joined(sources: Sequence[Path], target: Path, size: tuple[int, int], frames: int, rate: Fraction = RATE) -> Path:
    """The sources one after the other, scaled to `size` and cropped to its shape, H.264, `frames` long at most."""
    with Encoder(target, size=size, rate=rate) as encoder:
        for pixels in islice(_pictures(sources, size), frames):
            encoder.write(pixels)
    return target


def _pictures(sources: Sequence[Path], size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    for source in sources:
        for frame in probe(source).frames():
            if isinstance(frame, Frame) and frame.principal:
                yield fitted(frame.pixels, size)


def fitted(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The middle of a picture in the shape of `size`, at that size."""
    width, height = size
    scale = max(width / pixels.shape[1], height / pixels.shape[0])
    wide = (max(width, round(pixels.shape[1] * scale)), max(height, round(pixels.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = cv2.resize(pixels, wide, interpolation=how)
    left, top = (wide[0] - width) // 2, (wide[1] - height) // 2
    return np.ascontiguousarray(large[top : top + height, left : left + width])


def looped(source: Path, target: Path, seconds: float, rate: Fraction = RATE) -> Path:
    """The source's packets again and again until `seconds` are full: an hour in a minute, without encoding."""
    import av

    with av.open(str(target), "w") as out:
        stream, at = None, 0
        while True:
            with av.open(str(source)) as one:
                picture = one.streams.video[0]
                if stream is None:
                    stream = out.add_stream_from_template(picture)
                assert picture.time_base is not None
                length = round(picture.frames / rate / picture.time_base)
                for packet in one.demux(picture):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = (packet.pts or 0) + at, packet.dts + at
                    packet.stream = stream
                    out.mux(packet)
                at += length
            if at * float(picture.time_base) >= seconds:
                return target
