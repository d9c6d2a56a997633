"""Bilinear sampling of a decoded picture without turning all of it into RGB first."""

from __future__ import annotations

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from media.frame import Pixels

# Eight bits a sample, luma and chroma in planes: where sampling before the conversion is the same as after it.
_PLANAR = frozenset(f"yuv{j}{kind}p" for j in ("", "j") for kind in ("420", "422", "444"))
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_WEIGHTS = {"ITU709": (0.2126, 0.0722), "ITU601": (0.299, 0.114)}  # of red and blue in luma
# swscale's unscaled conversion cuts off where this rounds; over 16 clips the mean difference becomes 0.5 of 255.
_CUT = np.array([-0.85, -1.45, -0.85])


def resized(array: NDArray[np.uint8], scale: float, across: float = 1.0, down: float = 1.0) -> NDArray[np.uint8]:
    """An array (H, W) or (H, W, 3) shrunk or enlarged by bilinear sampling; `across` and `down` are further factors.

    The scale is kept exactly, whatever the size rounds to.
    """
    height, width = array.shape[:2]
    columns, rows = round(width * scale * across), round(height * scale * down)
    if 0 in (columns, rows):  # too thin for the scale: one line of it
        size = (max(1, columns), max(1, rows))
        return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    wide, high = scale * across, scale * down
    return np.asarray(cv2.resize(array, None, fx=wide, fy=high, interpolation=cv2.INTER_LINEAR), np.uint8)


def sampled(frame: VideoFrame, matrix: str, scale: float) -> Pixels | None:
    """The frame as it was stored times `scale`, RGB; None where its format or an enlargement asks for another way."""
    if frame.format.name not in _PLANAR or matrix not in _WEIGHTS or scale > 1.0:
        return None
    planes = []
    for plane in frame.planes:
        across, down = round(frame.width / plane.width), round(frame.height / plane.height)
        planes.append(resized(_array(plane), scale, across, down))
    if len({plane.shape for plane in planes}) != 1:  # an odd size whose chroma rounds otherwise
        return None
    full_range = frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj")
    return np.asarray(cv2.transform(cv2.merge(planes), _to_rgb(*_WEIGHTS[matrix], full_range)), np.uint8)


def _array(plane: VideoPlane) -> NDArray[np.uint8]:
    """(H, W), a view of the decoder's buffer."""
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


def _to_rgb(red: float, blue: float, full_range: bool) -> NDArray[np.float32]:
    """(3, 4): RGB = matrix x (Y, Cb, Cr, 1), for samples of eight bits."""
    green = 1.0 - red - blue
    luma, chroma, black = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
    to_red, to_blue = 2 * (1 - red) * chroma, 2 * (1 - blue) * chroma
    turn = np.array(
        [
            [luma, 0.0, to_red],
            [luma, -blue / green * to_blue, -red / green * to_red],
            [luma, to_blue, 0.0],
        ]
    )
    shift = _CUT - turn @ np.array([black, 128.0, 128.0])
    return np.hstack([turn, shift[:, None]]).astype(np.float32)
