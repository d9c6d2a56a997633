"""What happens to a video on its way: re-encoding, palettes, scaling, cropping, lost frames, blur.

For training (the same to both classes, so that none of it tells them apart), for the robustness benchmark, and for
tests. Everything works on pictures in memory: uint8 (T, H, W, 3) RGB in and out.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Final

import av
import cv2
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

Clip = NDArray[np.uint8]  # (T, H, W, 3)

# name: (encoder, muxer, options at quality q)
_CODECS: Final[Mapping[str, tuple[str, str, Callable[[int], dict[str, str]]]]] = {
    "h264": ("libx264", "matroska", lambda q: {"crf": str(q), "preset": "veryfast"}),
    "hevc": ("libx265", "matroska", lambda q: {"crf": str(q), "preset": "superfast", "x265-params": "log-level=none"}),
    "vp9": ("libvpx-vp9", "matroska", lambda q: {"crf": str(q), "b": "0", "deadline": "realtime", "cpu-used": "7"}),
    "av1": ("libsvtav1", "matroska", lambda q: {"crf": str(q), "preset": "10", "svtav1-params": "lp=1"}),
    "vp8": ("libvpx", "matroska", lambda q: {"crf": str(q), "b": "3000000", "deadline": "realtime", "cpu-used": "7"}),
    "mpeg4": ("mpeg4", "matroska", lambda q: {"qmin": str(q), "qmax": str(q)}),
}
CODECS: Final = tuple(_CODECS)

_BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16.0 - 0.47


def recode(clip: Clip, codec: str, quality: int, rate: int = 8) -> Clip:
    """The clip after a lossy pass; `quality` is the codec's own scale (CRF; the quantiser for mpeg4).

    Odd sizes lose their last row or column, as 4:2:0 asks for.
    """
    encoder, muxer, options = _CODECS[codec]
    clip = np.ascontiguousarray(clip[:, : clip.shape[1] // 2 * 2, : clip.shape[2] // 2 * 2])
    target = io.BytesIO()
    with av.open(target, "w", format=muxer) as container:
        assert isinstance(container, OutputContainer)
        stream = container.add_stream(encoder, rate=Fraction(rate), options=options(quality))
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = clip.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        for number, picture in enumerate(clip):
            frame = VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    target.seek(0)
    with av.open(target) as source:
        assert isinstance(source, InputContainer)
        return np.stack([frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)])


def palette(clip: Clip, dither: str = "diffuse", colours: int = 256) -> Clip:
    """The clip in the colours of a GIF: one palette for all pictures; dither "diffuse", "ordered" or "none"."""
    from PIL import Image

    few = clip[:: max(1, len(clip) // 4)]
    colour_map = Image.fromarray(few.reshape(-1, clip.shape[2], 3)).quantize(colours, method=Image.Quantize.MEDIANCUT)
    how = Image.Dither.FLOYDSTEINBERG if dither == "diffuse" else Image.Dither.NONE
    if dither == "ordered":
        rows, columns = clip.shape[1:3]
        tile = np.tile(_BAYER, (rows // 4 + 1, columns // 4 + 1))[:rows, :columns]
        clip = np.clip(clip + 24.0 * tile[None, :, :, None], 0, 255).astype(np.uint8)
    made = [Image.fromarray(one).quantize(palette=colour_map, dither=how).convert("RGB") for one in clip]
    return np.stack([np.asarray(one, np.uint8) for one in made])


def resize(clip: Clip, short: int) -> Clip:
    """The clip scaled so that its shorter side has this many pixels."""
    height, width = clip.shape[1:3]
    scale = short / min(height, width)
    size = (max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.stack([np.asarray(cv2.resize(one, size, interpolation=how), np.uint8) for one in clip])


def crop(clip: Clip, share: float, across: float = 0.5, down: float = 0.5) -> Clip:
    """A cut of `share` of both sides; `across` and `down` place it, 0.5 in the middle."""
    height, width = clip.shape[1:3]
    high, wide = max(2, int(height * share)), max(2, int(width * share))
    top, left = int((height - high) * down), int((width - wide) * across)
    return clip[:, top : top + high, left : left + wide]


def blur(clip: Clip, sigma: float) -> Clip:
    """Gaussian blur of `sigma` pixels."""
    return np.stack([np.asarray(cv2.GaussianBlur(one, (0, 0), sigma), np.uint8) for one in clip])


def sharpen(clip: Clip, amount: float) -> Clip:
    """Unsharp masking."""
    soft = blur(clip, 1.2).astype(np.float32)
    return np.clip(clip + amount * (clip - soft), 0, 255).astype(np.uint8)
