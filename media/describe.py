"""What a file says about itself, borne out by its first picture where there is one."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from os import PathLike
from pathlib import Path

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from media.decode import DECODER_ERRORS, decoder_of
from media.errors import MediaError
from media.picture import orientation
from media.source import LIMIT_PIXELS, declared_pictures, has_track, is_still, opened, video_streams
from media.video import Video

_FIRST_PACKETS = 64  # a first picture that takes longer is no use for a description


def probe(path: str | PathLike[str]) -> Video:
    """The video at this path. A picture is a video of one frame; an animation is read once, whatever its loop count.

    Raises:
        MediaError: no such file; not a container that is read here (playlists that name other files are refused);
            sound only; no decoder; or a picture of more than 8192 x 8192 pixels in area.
    """
    path = Path(path)
    with opened(path) as container:
        if not has_track(container):
            found = "a cover picture" if container.streams.video else "sound" if container.streams.audio else "neither"
            raise MediaError(f"{path}: holds {found} and no video stream; give a file with pictures")
        stream = video_streams(container)[0]
        decoder = decoder_of(stream)
        if decoder is None:
            raise MediaError(f"{path}: this build of FFmpeg has no decoder for its codec; convert it to H.264")
        if decoder.width * decoder.height > LIMIT_PIXELS:
            raise MediaError(f"{path}: {decoder.width}x{decoder.height} is too large; scale it to 8192x8192 or less")
        return _described(path, container, stream, decoder)


def _described(path: Path, container: InputContainer, stream: VideoStream, decoder: VideoCodecContext) -> Video:
    still = is_still(container)
    rate = stream.average_rate or stream.guessed_rate
    duration_s = _duration_s(container, stream)  # before the first packet is read: it adds to the listed facts
    declared = declared_pictures(container, stream) or None
    first = _first_picture(container, stream, decoder)
    shape = (first.width, first.height) if first else (decoder.width, decoder.height)
    turn = orientation(first) if first else (False, False, False)
    if 0 in shape:
        raise MediaError(
            f"{path}: no picture in it decodes (animated WebP? above 8192x8192?); convert it to mp4 or png"
        )
    pixel_format = first.format if first else decoder.format
    return Video(
        path=path,
        container=container.format.name,
        codec=stream.codec_context.name,
        width=shape[turn[0]],
        height=shape[not turn[0]],
        rate=None if still or not rate else rate,
        duration_s=None if still else duration_s,
        declared_frames=declared,
        has_audio=bool(container.streams.audio),
        rotation=_degrees(turn),
        pixel_format=pixel_format.name if pixel_format else "unknown",
        has_alpha=pixel_format is not None and any(part.is_alpha for part in pixel_format.components),
        bit_depth=_bit_depth(pixel_format),
        interlaced=first is not None and first.interlaced_frame,
        video_streams=len(container.streams.video),
        unseen_streams=tuple(other.type for other in container.streams if other.type not in {"video", "audio"}),
    )


def _first_picture(container: InputContainer, stream: VideoStream, decoder: VideoCodecContext) -> VideoFrame | None:
    """The first frame that the decoder gives, damaged or not; None where it gives none in time.

    What goes wrong on the way only leaves the description to the header: the walk meets it again and reports it.
    """
    with suppress(*DECODER_ERRORS):
        for packet in islice(container.demux(stream), _FIRST_PACKETS):
            with suppress(*DECODER_ERRORS):
                for frame in decoder.decode(packet):
                    return frame
    return None


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


def _degrees(turn: tuple[bool, bool, bool]) -> int:
    """Counter-clockwise degrees of the turn; a mirror image counts as the turn that comes with it."""
    transpose, mirror, flip = turn
    if transpose:
        return 90 if flip else 270
    return 180 if mirror and flip else 0


def _bit_depth(pixel_format: VideoFormat | None) -> int:
    return max((part.bits for part in pixel_format.components), default=8) if pixel_format else 8
