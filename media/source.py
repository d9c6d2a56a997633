"""Opening a media file and nothing but that file: no network, no playlist, no second file, no surprise in memory."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from media.errors import MediaError
from media.structure import absurd_claim, missing_bytes

LIMIT_PIXELS = 8192 * 8192  # 200 MB as RGB: twice the largest picture that consumer cameras and screens make
LIMIT_STREAMS = 64

_STILLS = ("png_pipe", "jpeg_pipe", "webp_pipe", "bmp_pipe")
# Demuxers that read one stream of bytes. Left out on purpose: whatever opens other files or the network (hls, dash,
# concat, image2, sdp, imf, vobsub, ...), takes text for video (tty, ansi), or shows the first of several pages (tiff).
_CONTAINERS = (
    *("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "asf", "ogg", "mxf"),
    *("nut", "ivf", "obu", "dv", "rm", "wtv", "h264", "hevc", "m4v", "mjpeg", "yuv4mpegpipe"),
    *("mp3", "wav", "flac", "aac", "aiff"),  # so that a sound file is told apart from a broken one
)
IMAGE_CONTAINERS = (*_STILLS, "gif", "apng")
_ALLOWED = ",".join((*_CONTAINERS, *IMAGE_CONTAINERS))

_OPTIONS = {
    "format_whitelist": _ALLOWED,
    "protocol_whitelist": "none",  # nested opens would need a protocol, and none has this name
    "advanced_editlist": "0",  # an edit list moves the clock and hides nothing
    "max_streams": str(LIMIT_STREAMS),
    "max_pixels": str(LIMIT_PIXELS),  # for the decoders that FFmpeg starts while it looks for streams
}


class _Bytes:
    """A file's bytes without its name, which FFmpeg would take for a URL, a pattern or a hint."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read = file.read
        self.tell = file.tell

    def seek(self, offset: int, whence: int = 0) -> int:
        """Python's seek, with FFmpeg's way to say no: hostile headers point before the start of the file."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):
            return -errno.EINVAL


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """The file's container, closed on leaving.

    Raises:
        MediaError: no regular file, no known container, or a header that claims the impossible.
    """
    if not path.is_file():
        raise MediaError(f"{path}: no such file, or not a regular file; give the path of a video or image file")
    try:
        with path.open("rb") as file:
            absurd = absurd_claim(file)
            if absurd:
                raise MediaError(f"{path}: its header claims {absurd}; re-encode it")
            file.seek(0)
            with _container(path, file) as container:
                yield container
    except OSError as error:
        # PyAV's errors for unreadable containers are OSErrors too; those are caught closer to their cause.
        raise MediaError(f"{path}: cannot be read ({error.strerror or error}); look at its permissions") from error


def _container(path: Path, file: BinaryIO) -> InputContainer:
    try:
        container = av.open(_Bytes(file), options=_OPTIONS, metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        raise MediaError(
            f"{path}: not a video or image file that can be read here ({brief(error)}); a playlist, a damaged header or"
            " an unsupported container: convert it to mp4, mkv, webm, mov, avi, gif, png or jpg"
        ) from error
    assert isinstance(container, InputContainer)
    return container


def brief(error: Exception) -> str:
    """An error of FFmpeg's or Python's in a few words, without its number and file."""
    text = getattr(error, "strerror", None) or str(error)
    return text[:120]


def is_still(container: InputContainer) -> bool:
    """Whether the container is a still picture's, which has neither rate nor duration."""
    return container.format.name in _STILLS


def video_streams(container: InputContainer) -> list[VideoStream]:
    """All video streams: the one a player chooses first, the other tracks next, cover pictures last."""
    tracks = [s for s in container.streams.video if not _is_cover(s)]
    covers = [s for s in container.streams.video if _is_cover(s)]
    best = container.streams.best("video")
    return sorted(tracks, key=lambda s: (best is None or s.index != best.index, s.index)) + covers


def has_track(container: InputContainer) -> bool:
    """Whether any video stream is more than a cover picture."""
    return any(not _is_cover(s) for s in container.streams.video)


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def declared_pictures(container: InputContainer, stream: VideoStream) -> int:
    """Pictures that the header declares; 0 where it declares nothing. To be asked before the first packet is read."""
    index = stream.index_entries
    if container.format.name != "avi" or not len(index):
        return stream.frames
    # AVI repeats a picture by an empty chunk, which counts as a frame and reaches nobody: a gap in the index.
    repeats = index[len(index) - 1].timestamp + 1 - len(index)
    return max(stream.frames - max(repeats, 0), 0)


def missing_from(path: Path) -> int:
    """How many bytes the file falls short of what its container claims."""
    with path.open("rb") as file:
        return missing_bytes(file)
