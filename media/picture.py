"""From what a decoder gives to what a person sees: RGB, upright, and nothing hidden in the transparent parts."""

from __future__ import annotations

import threading

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type as SideDataType
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from media.errors import MediaError
from media.frame import Exposure, Look, Pixels, View, small_size

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

Turn = tuple[bool, bool, bool]  # transpose, mirror left-right, mirror top-bottom
_TURN_HOLDS = 64  # frames

_THIN = 32  # pixels; of a picture of 2000x2, swscale's averages were 50 grey levels off


def _name_unknown(kind: type[SideDataType], number: int) -> SideDataType:
    member = object.__new__(kind)
    member.__dict__.update(_name_=f"UNKNOWN_{number}", _value_=number)
    return member


# PyAV 18 raises at *any* side data of a frame when FFmpeg 8 has added one kind that its enumeration lacks (EXIF, 31,
# in nearly every photograph), and the display matrix is side data. Unknown kinds get a name instead.
SideDataType._missing_ = classmethod(_name_unknown)  # type: ignore[assignment]


class Developer:
    """Turns decoded frames into pictures; keeps swscale's tables between the frames of one stream. Thread-safe."""

    def __init__(self) -> None:
        self._full, self._small = _Press(), _Press()  # a table is for one pair of sizes and formats
        self._turns = _Turns()

    def develop(self, frame: VideoFrame, looks: frozenset[Look]) -> list[tuple[View, Pixels | Exposure]]:
        """The looks at one frame: its colours, and where it is not opaque also how it shows over black and white.

        An opaque frame gives an `Exposure`, of which `looks` are developed now. What may be transparent is developed
        whole, for only its pixels say whether it is.

        Raises:
            av.FFmpegError, ValueError: the pixel format or the colour tags have no conversion.
        """
        if not (has_alpha(frame) or frame.format.has_palette):
            return [("colours", _Negative(self, frame, self._turns.of(frame), looks))]
        rgba = upright(self.pressed(frame, "rgba"), self._turns.of(frame))  # (H, W, 4)
        if int(rgba[..., 3].min()) == 255:
            return [("colours", np.ascontiguousarray(rgba[..., :3]))]
        return list(_looks(rgba))

    def pressed(self, frame: VideoFrame, kind: str, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """The frame's pixels as it was stored, as `kind` (rgb24, rgba), reduced to `size` where that is given."""
        matrix = None if frame.format.is_rgb or frame.format.has_palette else _matrix(frame)
        return (self._small if size else self._full).reformat(frame, kind, size, matrix)


class _Turns:
    """Which way up the frames of one stream are.

    To read a frame's side data makes PyAV tie a knot of references that only the garbage collector undoes: a hundred
    1080p frames, 300 MB, used to wait for it. So it is read of few: the first, those whose rotation (which PyAV reads
    without a knot) is another than before, and now and then a key frame, for a flip that is no rotation.
    """

    def __init__(self) -> None:
        self._rotation: int | None = None
        self._turn: Turn = (False, False, False)
        self._since = 0

    def of(self, frame: VideoFrame) -> Turn:
        """See `orientation`."""
        self._since += 1
        stale = frame.key_frame and self._since > _TURN_HOLDS
        if self._rotation is None or frame.rotation != self._rotation or stale:
            self._rotation, self._turn, self._since = frame.rotation, orientation(frame), 0
        return self._turn


class _Press:
    """One swscale table, for one thread at a time."""

    def __init__(self) -> None:
        self._reformatter, self._lock = VideoReformatter(), threading.Lock()

    def reformat(
        self, frame: VideoFrame, kind: str, size: tuple[int, int] | None, matrix: Colorspace | None
    ) -> NDArray[np.uint8]:
        width, height = size or (None, None)
        how = Interpolation.AREA if size else None
        with self._lock:
            made = self._reformatter.reformat(
                frame, width, height, kind, src_colorspace=matrix, interpolation=how, threads=1
            )
        return np.asarray(made.to_ndarray(), np.uint8)


class _Negative:
    """An `Exposure` that holds what the decoder gave."""

    def __init__(self, developer: Developer, frame: VideoFrame, turn: Turn, looks: frozenset[Look]) -> None:
        self._developer, self._frame, self._turn = developer, frame, turn
        self._known: dict[Look, Pixels] = {look: self._develop(look) for look in sorted(looks - {"sampled"})}

    @property
    def size(self) -> tuple[int, int]:
        width, height = self._frame.width, self._frame.height
        return (height, width) if self._turn[0] else (width, height)

    def full(self) -> Pixels:
        return self._look("full")

    def small(self) -> Pixels:
        return self._look("small")

    def sampled(self, scale: float) -> Pixels:
        from media import sampling  # OpenCV takes a while to import, and most walks never sample

        if not self._frame.format.is_rgb:
            made = sampling.sampled(self._frame, _matrix(self._frame).name, scale)
            if made is not None:
                return np.ascontiguousarray(upright(made, self._turn))
        return sampling.resized(np.ascontiguousarray(self._look("full")), scale)

    def same(self, other: Exposure) -> bool:
        if not isinstance(other, _Negative):
            return False
        mine, theirs = self._frame, other._frame
        told = [(f.format.name, f.width, f.height, f.colorspace, f.color_range) for f in (mine, theirs)]
        if told[0] != told[1] or self._turn != other._turn:
            return False
        pairs = zip(mine.planes, theirs.planes, strict=True)
        return all(np.array_equal(_bytes(a), _bytes(b)) for a, b in pairs)

    def _look(self, look: Look) -> Pixels:
        """Taken out of what was developed before: the frame that asks keeps it."""
        known = self._known.pop(look, None)
        try:
            return self._develop(look) if known is None else known
        except (av.FFmpegError, ValueError, RuntimeError, MemoryError) as error:
            kind = self._frame.format.name
            raise MediaError(f"pixels of the format {kind} cannot be turned into RGB ({error!s:.100})") from error

    def _develop(self, look: Look) -> Pixels:
        stored = (self._frame.width, self._frame.height)
        size = small_size(*stored)
        if look == "full" or size == stored:
            return upright(self._developer.pressed(self._frame, "rgb24"), self._turn)
        if min(stored) < _THIN:
            return shrunk(self._develop("full"))
        return upright(self._developer.pressed(self._frame, "rgb24", size), self._turn)


def _bytes(plane: VideoPlane) -> NDArray[np.uint8]:
    return np.frombuffer(memoryview(plane), np.uint8)


def shrunk(pixels: Pixels) -> Pixels:
    """The canonical small picture of a whole one, by the same averaging as a decoded frame's."""
    height, width = pixels.shape[:2]
    size = small_size(width, height)
    if min(width, height) < _THIN:
        return _averaged(pixels, size)
    whole = VideoFrame.from_ndarray(pixels, format="rgb24")
    small = whole.reformat(*size, format="rgb24", interpolation=Interpolation.AREA, threads=1)
    return np.asarray(small.to_ndarray(), np.uint8)


def _averaged(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Means of whole pixels, for pictures so thin that swscale's filters reach beyond them."""
    sums = pixels.astype(np.float64)
    for axis, cells in enumerate(reversed(size)):
        edges = np.arange(cells + 1) * pixels.shape[axis] // cells
        counts = np.expand_dims(np.diff(edges), [other for other in range(3) if other != axis])
        sums = np.add.reduceat(sums, edges[:-1], axis=axis) / counts
    return sums.round().astype(np.uint8)


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


def orientation(frame: VideoFrame) -> Turn:
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


def upright(array: NDArray[np.uint8], turn: Turn) -> NDArray[np.uint8]:
    """The array (H, W, C) as it is shown."""
    transpose, mirror, flip = turn
    if transpose:
        array = array.swapaxes(0, 1)
    if mirror:
        array = array[:, ::-1]
    if flip:
        array = array[::-1]
    return array
