"""Still pictures: one in, one out."""

from __future__ import annotations

import os
from fractions import Fraction
from os import PathLike
from pathlib import Path

import av
import numpy as np
from av.codec.context import CodecContext, Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from media.describe import probe
from media.errors import MediaError
from media.frame import Frame, Pixels
from media.mp4 import publish
from media.source import IMAGE_CONTAINERS

_JPEG_QUALITY = 2  # mjpeg's scale of 1 (best) to 31


def read_image(path: str | PathLike[str]) -> Frame:
    """The picture in a png, jpg, webp, bmp, gif or apng file, upright; of an animation, the first one.

    Transparent parts show white, as on a page: whoever uses these pixels uses what was judged. The colours below,
    and the further pictures of an animation, are seen by `probe(path).frames()`.

    Raises:
        MediaError: no such file, no picture, or one that does not decode.
    """
    video = probe(path)
    if video.container not in IMAGE_CONTAINERS:
        raise MediaError(f"{path}: a {video.container} file is no picture; give a png, jpg, webp, bmp or gif")
    first: dict[str, Frame] = {}
    for look in video.frames():
        if not isinstance(look, Frame):
            raise MediaError(f"{path}: the picture does not decode: {look.reason}; export it again")
        if look.view in first:  # the next picture of an animation
            break
        first[look.view] = look
    shown = first.get("over-white", first["colours"])
    return Frame(shown.pixels, 0, 0.0, view=shown.view)


def write_image(path: str | PathLike[str], pixels: Pixels) -> None:
    """Write uint8 (H, W, 3) RGB as png (lossless) or jpg, by suffix. Whole on disk, or not there at all.

    Raises:
        MediaError: another suffix, another shape, or the file cannot be written.
    """
    path = Path(path)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise MediaError(f"{path}: a picture is uint8 (H, W, 3) RGB, not {pixels.dtype} {pixels.shape}")
    suffix = path.suffix.lower()
    if suffix not in {".png", ".jpg", ".jpeg"}:
        raise MediaError(f"{path}: pictures are written as .png or .jpg, not {suffix or 'without a suffix'}")
    frame = VideoFrame.from_ndarray(pixels, format="rgb24")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(_png(frame) if suffix == ".png" else _jpeg(frame))
        publish(partial, path)
    except (av.FFmpegError, OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise MediaError(f"{path}: cannot be written ({cause}); look at the folder and its permissions") from error
    finally:
        partial.unlink(missing_ok=True)


def _png(frame: VideoFrame) -> bytes:
    return _packed("png", frame, {})


def _jpeg(frame: VideoFrame) -> bytes:
    # JFIF is full-range BT.601, whatever the picture's size
    full = frame.reformat(
        format="yuvj444p",
        dst_colorspace=Colorspace.ITU601,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG,
        threads=1,
    )
    return _packed("mjpeg", full, {"qmin": str(_JPEG_QUALITY), "qmax": str(_JPEG_QUALITY)})


def _packed(codec: str, frame: VideoFrame, options: dict[str, str]) -> bytes:
    encoder = CodecContext.create(codec, "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, frame.format.name
    encoder.time_base = Fraction(1)
    encoder.thread_count = 1
    encoder.options = options
    encoder.flags |= Flags.bitexact
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
