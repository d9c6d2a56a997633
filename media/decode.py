"""Walking a file: every picture of every video stream, and a word about each that could not be had."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import cast

import av
from av.codec.context import CodecContext, Flags, Flags2
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from media.clock import Clock
from media.errors import MediaError
from media.frame import Frame, Look, Undecodable
from media.ledger import Ledger, Owed
from media.picture import Developer
from media.source import LIMIT_PIXELS, brief, declared_pictures, missing_from, opened, video_streams
from media.span import Span, declared_seconds
from media.video import Video

# What a hostile stream can make PyAV raise: FFmpeg's own errors, and those of the wrapper around them.
DECODER_ERRORS = (av.FFmpegError, ValueError, RuntimeError, MemoryError, OverflowError, ArithmeticError)

LIMIT_MISSING = 1_000_000  # a header declares any number at no cost; to list a million absent ones takes a second
LIMIT_THREADS = 16  # the ledger's patience reckons with no more
_RETRIES = 8  # read errors in a row before the rest of the file counts as unreadable

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own ignore the alpha layer that browsers show
# Decoders that pass a damaged picture on as whole unless told to raise; the others mark it.
_LENIENT = frozenset({"mjpeg"})


def walk(video: Video, threads: int, looks: frozenset[Look]) -> Iterator[Frame | Undecodable]:
    """See `Video.frames`."""
    numbers, zero, position, total = count(), None, 0, 1
    while position < total:
        with opened(video.path) as container:  # a stream at a time: one decoder's memory, one pass each
            streams = video_streams(container)
            total = len(streams)
            if not total:
                break
            one = _Pass(video.path, container, streams[position], position, numbers, zero, threads, looks)
            yield from one.items()
            zero = one.clock.zero
        position += 1
    if next(numbers) == 0:
        raise MediaError(f"{video.path}: its video stream holds no frame; there is nothing to look at")


def decoder_of(stream: VideoStream, threads: int = 1) -> VideoCodecContext | None:
    """The stream's decoder, set to give whatever it has, corrupt or early; None where this build has none."""
    decoder = cast("VideoCodecContext | None", stream.codec_context)  # PyAV's own types leave the None out
    if decoder is None:
        return None
    own = _ALPHA_DECODERS.get(decoder.name)
    if own and stream.metadata.get("alpha_mode") == "1":
        with_alpha = CodecContext.create(own, "r")
        assert isinstance(with_alpha, VideoCodecContext)
        decoder = with_alpha
    decoder.thread_count = min(threads, LIMIT_THREADS)
    decoder.flags |= Flags.output_corrupt
    decoder.flags2 |= Flags2.show_all
    decoder.options = {"max_pixels": str(LIMIT_PIXELS)}  # also for sizes that change in mid-stream
    if decoder.name in _LENIENT:
        decoder.options["err_detect"] = "explode"
    return decoder


def is_mov(container: InputContainer) -> bool:
    """Whether the container is of the MP4 family: the one with edit lists."""
    return container.format.name.startswith("mov,")


@dataclass
class _Pass:
    """One pass over one video stream of a freshly opened container."""

    path: Path
    container: InputContainer
    stream: VideoStream
    position: int  # 0 is the main stream
    numbers: Iterator[int]
    zero: Fraction | None  # second 0 on the container's time line, once the main stream has told it
    threads: int
    looks: frozenset[Look]
    clock: Clock = field(init=False)
    ledger: Ledger = field(init=False)
    developer: Developer = field(init=False, default_factory=Developer)
    broken: str = field(init=False, default="")

    def __post_init__(self) -> None:
        for other in self.container.streams:
            other.discard = Discard.none if other.index == self.stream.index else Discard.all
        tick = self.stream.time_base or Fraction(1, 1_000_000)
        rate = self.stream.average_rate or self.stream.guessed_rate
        if self.zero is None and is_mov(self.container) and self.stream.start_time is not None:
            self.zero = max(self.stream.start_time, 0) * tick  # what an edit list hides comes before 0
        self.clock = Clock(
            tick=tick,
            frame=1 / rate if rate else Fraction(0),
            by_decode_order=self.container.format.name == "avi",
            zero=self.zero,
        )
        self.declared = declared_pictures(self.container, self.stream)
        self.span = Span(declared_seconds(self.container, self.stream), tick, self.clock.frame)
        self.decoder = decoder_of(self.stream, self.threads)
        self.ledger = Ledger(field_packets=self.decoder is not None and self.decoder.name == "h264")

    def items(self) -> Iterator[Frame | Undecodable]:
        """Everything that the stream holds or declares."""
        for packet in self._packets():
            self.ledger.submit(packet.pts)
            self.clock.submit(packet.pts, packet.dts)
            self.span.add(packet.pts, packet.duration)
            yield from self._decoded(packet)
        yield from self._decoded(None)
        for owed in self.ledger.rest():
            yield self._lost(owed)
        yield from self._missing()
        if self.position == 0:
            for _ in range(_late_streams(self.container)):
                yield self._undecodable(None, "it belongs to a stream that starts in the middle of the file")

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """The stream's packets that hold something; a damaged stretch ends one attempt at reading, not the walk."""
        attempts = 0
        while attempts < _RETRIES:
            try:
                for packet in self.container.demux(self.stream):
                    if packet.size:  # an empty one repeats the last picture (AVI), or asks to flush
                        attempts = 0
                        yield packet
                return
            except IndexError:
                return  # PyAV trips over late streams when it flushes; every packet has been read by then
            except DECODER_ERRORS as error:
                self.broken = f"the file cannot be read on from here ({brief(error)})"
                attempts += 1

    def _decoded(self, packet: Packet[VideoStream] | None) -> Iterator[Frame | Undecodable]:
        """What comes out of the decoder when the packet goes in; None flushes it."""
        frames: list[VideoFrame] = []
        if self.decoder is None:
            self.ledger.refuse("no decoder for its codec in this build of FFmpeg")
        else:
            try:
                frames = self.decoder.decode(packet)
            except DECODER_ERRORS as error:
                self.ledger.refuse(f"the decoder refused it ({brief(error)})")
        for frame in frames:
            yield from self._seen(frame)
        for owed in self.ledger.overdue():
            yield self._lost(owed)

    def _seen(self, frame: VideoFrame) -> Iterator[Frame | Undecodable]:
        self.ledger.answer(frame.pts, interlaced=frame.interlaced_frame)
        for owed in self.ledger.passed(frame.pts):
            yield self._lost(owed)
        pts = self.clock.shown(frame.pts)
        if frame.is_corrupt:
            yield self._undecodable(pts, "the decoder marks it as damaged")
            return
        try:
            views = self.developer.develop(frame, self.looks)
        except DECODER_ERRORS as error:
            yield self._undecodable(pts, f"its pixels ({frame.format.name}) cannot be turned into RGB ({brief(error)})")
            return
        for view, pixels in views:
            yield Frame(pixels, next(self.numbers), pts, self.position, frame.interlaced_frame, view)

    def _missing(self) -> Iterator[Undecodable]:
        """Frames that the header declares and the file does not hold; at least one where the file breaks off."""
        missing = self.declared - self.ledger.submitted
        if missing > LIMIT_MISSING:
            raise MediaError(f"{self.path}: its header declares {missing} frames that are not there; re-encode it")
        for _ in range(missing):
            yield self._undecodable(None, self.broken or "the header declares it and the file does not hold it")
        if missing > 0 or self.position > 0:
            return
        short = missing_from(self.path)
        breaks = f"the file breaks off; at least {short} bytes of it are missing" if short else ""
        if why := self.broken or breaks or self.span.shortfall():
            yield self._undecodable(None, why)

    def _lost(self, owed: Owed) -> Undecodable:
        reason = owed.reason or "the decoder gave no picture for it and no reason"
        return self._undecodable(self.clock.lost(owed.pts), reason)

    def _undecodable(self, pts: float | None, reason: str) -> Undecodable:
        return Undecodable(next(self.numbers), pts, reason, self.position)


def _late_streams(container: InputContainer) -> int:
    """Streams that began after the file was opened. PyAV passes their packets over without a word."""
    if container.format.name not in {"mpegts", "mpeg", "flv"}:
        return 0
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)  # only FFmpeg's own listing names them, and it is silent below this level
    try:
        listing = container.dumps_format()  # type: ignore[attr-defined]  # missing from PyAV's stubs
    finally:
        av.logging.set_level(level)
    streams = {int(number) for number in re.findall(r"^\s*Stream #0:(\d+)", listing, re.MULTILINE)}
    return sum(number >= len(container.streams) for number in streams)
