"""Builders of odd files. Each test makes what it needs; nothing is read from outside the test's own folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def picture(number: int, width: int = 96, height: int = 64) -> Picture:
    """A gradient whose brightness steps with the number, with a white square that moves: telling, and easy to code."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(20, 200, width).astype(np.uint8)
    pixels[..., 1] = np.linspace(20, 200, height).astype(np.uint8)[:, None]
    pixels[..., 2] = 30 + number * 7 % 200
    left = number * 4 % max(width - 8, 1)
    pixels[height // 4 : height // 4 + 8, left : left + 8] = 255
    return pixels


class Build:
    """Writes files with PyAV directly, so that a test of the decoder does not lean on our encoder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def video(
        self,
        name: str,
        frames: int | Sequence[Picture] = 12,
        *,
        codec: str = "libx264",
        pixel_format: str = "yuv420p",
        options: dict[str, str] | None = None,
        container: dict[str, str] | None = None,
        pts: Sequence[int] | None = None,
        rate: int = 24,
        tracks: int = 1,
        prepare: Callable[[av.VideoStream], None] | None = None,
    ) -> Path:
        """A file of one or more identical video tracks, from RGB or RGBA pictures."""
        path = self.folder / name
        pictures = [picture(i) for i in range(frames)] if isinstance(frames, int) else list(frames)
        height, width = pictures[0].shape[:2]
        with av.open(str(path), "w", options=container or {}) as output:
            streams = []
            for _ in range(tracks):
                stream = output.add_stream(codec, rate=rate, options=options or {})
                stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
                stream.thread_count = 1
                if prepare is not None:
                    prepare(stream)
                streams.append(stream)
            for number, pixels in enumerate(pictures):
                for stream in streams:
                    output.mux(stream.encode(self._frame(pixels, pixel_format, pts[number] if pts else number, rate)))
            for stream in streams:
                output.mux(stream.encode(None))
        return path

    @staticmethod
    def _frame(pixels: Picture, pixel_format: str, pts: int, rate: int) -> av.VideoFrame:
        kind = "rgba" if pixels.shape[2] == 4 else "rgb24"
        frame = av.VideoFrame.from_ndarray(pixels, format=kind).reformat(format=pixel_format)
        frame.pts, frame.time_base = pts, Fraction(1, rate)
        return frame

    def sound(self, name: str) -> Path:
        """A quarter of a second of silence."""
        path = self.folder / name
        with av.open(str(path), "w") as output:
            stream = output.add_stream("aac" if name.endswith((".m4a", ".mp4")) else "pcm_s16le", rate=16000)
            for _ in range(4):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
                silence.sample_rate = 16000
                output.mux(stream.encode(silence))
            output.mux(stream.encode(None))
        return path

    def bytes(self, name: str, content: bytes) -> Path:
        """A file of these bytes."""
        path = self.folder / name
        path.write_bytes(content)
        return path


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """The builder, in the test's own folder."""
    return Build(tmp_path)


@pytest.fixture
def make_picture() -> Callable[..., Picture]:
    """`picture(number, width, height)`."""
    return picture


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small whole file of each of eight kinds, 10 frames each, as bytes."""
    kinds = {
        "a.mp4": ("libx264", "yuv420p"),
        "a.mkv": ("libx264", "yuv420p"),
        "a.webm": ("libvpx", "yuv420p"),
        "a.avi": ("mpeg4", "yuv420p"),
        "a.mov": ("mjpeg", "yuvj420p"),
        "a.ts": ("mpeg2video", "yuv420p"),
        "a.gif": ("gif", "rgb8"),
        "a.apng": ("apng", "rgba"),
    }
    build = Build(tmp_path_factory.mktemp("originals"))
    made = {}
    for name, (codec, pixel_format) in kinds.items():
        first_the_index = {"movflags": "+faststart"} if name in {"a.mp4", "a.mov"} else {}
        path = build.video(name, 10, codec=codec, pixel_format=pixel_format, container=first_the_index)
        made[name] = path.read_bytes()
    return made
