"""From what a decoder gives to what a person sees: RGB, upright, and nothing hidden in the transparent parts."""

from __future__ import annotations

import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type as SideDataType
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from numpy.typing import NDArray

from media.video import Pixels, View

# AVColorSpace numbers that swscale has coefficients for, by what it calls them.
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}


def _name_unknown(kind: type[SideDataType], number: int) -> SideDataType:
    member = object.__new__(kind)
    member.__dict__.update(_name_=f"UNKNOWN_{number}", _value_=number)
    return member


# PyAV 18 raises at *any* side data of a frame when FFmpeg 8 has added one kind that its enumeration lacks (EXIF, 31,
# in nearly every photograph), and the display matrix is side data. Unknown kinds get a name instead.
SideDataType._missing_ = classmethod(_name_unknown)  # type: ignore[assignment]


class Developer:
    """Turns decoded frames into pictures; keeps swscale's tables between frames of one stream. Not thread-safe."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def develop(self, frame: VideoFrame) -> list[tuple[View, Pixels]]:
        """The looks at one frame: its colours, and where it is not opaque also how it shows over black and white.

        Raises:
            av.FFmpegError, ValueError: the pixel format or the colour tags have no conversion.
        """
        wanted = "rgba" if has_alpha(frame) or frame.format.has_palette else "rgb24"
        matrix = None if frame.format.is_rgb or frame.format.has_palette else _matrix(frame)
        converted = self._reformatter.reformat(frame, format=wanted, src_colorspace=matrix, threads=1)
        array = upright(np.asarray(converted.to_ndarray(), np.uint8), orientation(frame))  # (H, W, 3 or 4)
        if array.shape[2] == 3 or int(array[..., 3].min()) == 255:
            return [("colours", np.ascontiguousarray(array[..., :3]))]
        return _looks(array)


def has_alpha(frame: VideoFrame) -> bool:
    """Whether the frame's pixel format carries transparency."""
    return any(component.is_alpha for component in frame.format.components)


def _matrix(frame: VideoFrame) -> Colorspace:
    """The tagged YUV matrix; untagged, what players take: BT.709 from HD on, BT.601 below."""
    is_hd = frame.width >= 1280 or frame.height > 576
    return _MATRICES.get(frame.colorspace, Colorspace.ITU709 if is_hd else Colorspace.ITU601)


def _looks(rgba: NDArray[np.uint8]) -> list[tuple[View, Pixels]]:
    """Colours alone miss a picture drawn in the alpha channel; one backdrop misses what has its colour."""
    colours = np.ascontiguousarray(rgba[..., :3])
    alpha = rgba[..., 3:].astype(np.uint16)
    over_black = ((colours * alpha + 127) // 255).astype(np.uint8)  # at most 65152: fits uint16
    over_white = over_black + (255 - alpha).astype(np.uint8)
    views: list[tuple[View, Pixels]] = [("colours", colours)]
    for view, pixels in (("over-black", over_black), ("over-white", over_white)):
        if not np.array_equal(pixels, colours):
            views.append((view, pixels))  # type: ignore[arg-type]
    return views


def orientation(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """(transpose, mirror left-right, mirror top-bottom), in this order, that the display matrix asks for.

    The matrix maps a stored point (p, q) to x = a p + c q, y = b p + d q, with y down. Angles that are no multiple
    of 90 degrees are rounded to one: the picture is then seen slightly turned, but seen.
    """
    side_data = frame.side_data
    assert isinstance(side_data, SideDataContainer)
    matrix = side_data.get("DISPLAYMATRIX")
    if matrix is None or matrix.buffer_size < 36:
        return False, False, False
    a, b, _, c, d = (int(n) for n in np.frombuffer(bytes(matrix), np.int32)[:5])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
    return True, c < 0, b < 0


def upright(array: NDArray[np.uint8], turn: tuple[bool, bool, bool]) -> NDArray[np.uint8]:
    """The array (H, W, C) as it is shown."""
    transpose, mirror, flip = turn
    if transpose:
        array = array.swapaxes(0, 1)
    if mirror:
        array = array[:, ::-1]
    if flip:
        array = array[::-1]
    return array
