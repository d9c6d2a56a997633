"""Writing an MP4: H.264, BT.709, streamed picture by picture, and either whole on disk or not there at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from media.durable import sync_folder
from media.errors import MediaError
from media.frame import Pixels
from media.source import LIMIT_PIXELS

_CRF = 18  # x264's own "visually lossless" region
_PRESET = "veryfast"  # 21 frames of 1080p a CPU second; slower presets buy size, not quality at a fixed crf
_GOP_S = 2.0  # seconds between keyframes: a seek decodes at most these
_MAX_RATE = 1000  # frames a second
_MAX_TICKS = 2**31 - 1  # MP4 keeps the time scale in 32 bits

# Full chroma and exact rounding: a colour that is read back must be the colour that was judged.
_EXACT = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND | Interpolation.BITEXACT

_WRITER_ERRORS = (av.FFmpegError, OSError, ValueError, RuntimeError)


class Encoder:
    """A context manager that writes one MP4 file.

    H.264 yuv420p, limited-range BT.709 in pixels and tags, moov before mdat, the n-th picture at exactly n / rate
    seconds. One thread and no trace of machine or time: the same pictures make the same bytes.
    The path appears only when the block ends without an error and a picture was written; an older file there stands
    until then. Odd sizes are refused, because 4:2:0 has no half chroma sample: pad or crop first.

    Raises:
        MediaError: size, rate or a picture's shape is impossible, or the file cannot be written.
    """

    def __init__(self, path: str | PathLike[str], *, size: tuple[int, int], rate: Fraction, crf: int = _CRF) -> None:
        """`size` is (width, height) in pixels, both even; `rate` in frames a second; `crf` 0 (lossless) to 51."""
        self.path = Path(path)
        self.size = size
        self.rate = Fraction(rate)
        self.frames = 0  # written so far
        self._crf = crf
        self._partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        self._reformatter = VideoReformatter()
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._validate()

    def _validate(self) -> None:
        width, height = self.size
        if width < 2 or height < 2 or width % 2 or height % 2:
            raise MediaError(
                f"{self.path}: H.264 in 4:2:0 needs even sizes of 2 or more, not {width}x{height}; pad or crop"
            )
        if width * height > LIMIT_PIXELS or max(width, height) > 16384:
            raise MediaError(f"{self.path}: {width}x{height} is too large for H.264; scale it down")
        if not 0 < self.rate <= _MAX_RATE or max(self.rate.numerator, self.rate.denominator) > _MAX_TICKS:
            raise MediaError(f"{self.path}: {self.rate} frames a second cannot be written; use up to {_MAX_RATE}")
        if not 0 <= self._crf <= 51:
            raise MediaError(f"{self.path}: crf is 0 to 51, not {self._crf}")

    def __enter__(self) -> Self:
        try:
            self._open()
        except _WRITER_ERRORS as error:
            self._discard()
            raise self._failed(error) from error
        return self

    def _open(self) -> None:
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        container = av.open(f"file:{self._partial}", "w", format="mp4", options=options)
        self._container = container
        # cpu-independent: x264 may otherwise round differently on another machine
        codec_options = {"preset": _PRESET, "crf": str(self._crf), "x264-params": "cpu-independent=1"}
        stream = container.add_stream("libx264", rate=self.rate, options=codec_options)
        stream.width, stream.height = self.size
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1  # x264's bytes depend on it
        stream.gop_size = max(1, min(250, round(self.rate * Fraction(_GOP_S))))
        stream.codec_context.time_base = 1 / self.rate
        stream.color_range = ColorRange.MPEG
        stream.colorspace = 1  # AVCOL_SPC_BT709
        stream.color_primaries = ColorPrimaries.BT709
        stream.color_trc = ColorTrc.BT709
        self._stream = stream

    def write(self, pixels: Pixels) -> None:
        """Append a picture, uint8 (H, W, 3) RGB of the encoder's size."""
        if self._container is None or self._stream is None:
            raise MediaError(f"{self.path}: the encoder is not open; write inside its with block")
        width, height = self.size
        if pixels.dtype != "uint8" or pixels.shape != (height, width, 3):
            raise MediaError(
                f"{self.path}: a picture here is uint8 {(height, width, 3)}, not {pixels.dtype} {pixels.shape}"
            )
        try:
            frame = self._reformatter.reformat(
                VideoFrame.from_ndarray(pixels, format="rgb24"),
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.MPEG,
                interpolation=_EXACT,
                threads=1,
            )
            frame.pts = self.frames
            frame.time_base = 1 / self.rate
            self._container.mux(self._stream.encode(frame))
        except _WRITER_ERRORS as error:
            self._discard()  # a caller that swallows this gets no file with a hole in it
            raise self._failed(error) from error
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._finish()
        except _WRITER_ERRORS as failure:
            raise self._failed(failure) from failure
        finally:
            self._discard()

    def _finish(self) -> None:
        if self._container is None or self._stream is None:
            raise MediaError(f"{self.path}: was not written, because an earlier picture failed; start again")
        if not self.frames:
            raise MediaError(f"{self.path}: no picture was written; an MP4 needs one")
        self._container.mux(self._stream.encode(None))
        container, self._container = self._container, None
        container.close()
        publish(self._partial, self.path)

    def _discard(self) -> None:
        """Closes what is open and removes what is half written."""
        container, self._container, self._stream = self._container, None, None
        if container is not None:
            with suppress(*_WRITER_ERRORS):  # the trailer of a file that is about to be removed
                container.close()
        self._partial.unlink(missing_ok=True)

    def _failed(self, error: Exception) -> MediaError:
        cause = getattr(error, "strerror", None) or error
        return MediaError(
            f"{self.path}: cannot be written ({cause}); look at the folder, its permissions and free space"
        )


def publish(partial: Path, path: Path) -> None:
    """Move a finished file to its name, on disk before it can be seen."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def encode(path: str | PathLike[str], frames: Iterable[Pixels], rate: Fraction) -> None:
    """Write the pictures, uint8 (H, W, 3) RGB of one even size, as an MP4; see `Encoder`.

    Raises:
        MediaError: no picture, pictures of different or odd sizes, or the file cannot be written.
    """
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise MediaError(f"{path}: no picture to write; an MP4 needs one")
    if first.ndim != 3:
        raise MediaError(f"{path}: a picture is uint8 (H, W, 3) RGB, not {first.dtype} {first.shape}")
    height, width = first.shape[:2]
    with Encoder(path, size=(width, height), rate=rate) as encoder:
        encoder.write(first)
        for pixels in remaining:
            encoder.write(pixels)
