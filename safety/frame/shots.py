"""Where one shot ends and the next begins: to spread the looks of dear models, and for rules that judge by shot."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from media import Frame, MediaError, Undecodable

_CELLS = (32, 18)  # the picture that is compared
_BINS = 16  # of each channel's histogram
_WIDTH = 256 // _BINS
_CHANNELS = np.arange(3, dtype=np.uint8) * _BINS  # where the bins of each channel begin
_CUT = 0.35  # share of the histogram's mass that moves, beside ...
_STEP = 18.0  # ... grey levels by which the cells differ on average: both, for a flash moves one and a pan the other
_SHORTEST_S = 0.2  # a strobe is not five shots a second


class Shots:
    """Finds cuts along one stream. Slow fades and wipes pass unnoticed; `Schedule.every_s` is there for those."""

    def __init__(self) -> None:
        self._last: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        self._began = 0.0

    def begins(self, frame: Frame) -> bool:
        """Whether the frame, the next of its stream, begins a shot; the first one does."""
        picture = cv2.resize(frame.small, _CELLS, interpolation=cv2.INTER_AREA)  # (18, 32, 3)
        cells = picture.astype(np.float32)
        counts = np.bincount((picture // _WIDTH + _CHANNELS).ravel(), minlength=3 * _BINS)
        histogram = (counts / cells.size).astype(np.float32)  # (48,), sums to 1
        before, self._last = self._last, (cells, histogram)
        if before is None:
            self._began = frame.pts
            return True
        step = float(np.abs(cells - before[0]).mean())
        moved = float(np.abs(histogram - before[1]).sum()) / 2
        if step < _STEP or moved < _CUT or 0.0 <= frame.pts - self._began < _SHORTEST_S:
            return False
        self._began = frame.pts
        return True


class Borders:
    """Tells which frames of a walk begin a shot, whatever models look on and however the frames come in batches.

    Each stream is followed in the first of its views: the others show the same pictures. A frame without pixels begins
    nothing, so that what is counted within a shot is counted in more frames and not in fewer.
    """

    def __init__(self) -> None:
        self._streams: dict[int, tuple[str, Shots]] = {}

    def begins(self, frame: Frame | Undecodable) -> bool:
        """Whether the frame, the next of the walk, begins a shot."""
        if isinstance(frame, Undecodable):
            return False
        view, shots = self._streams.setdefault(frame.stream, (frame.view, Shots()))
        try:
            return frame.view == view and shots.begins(frame)
        except MediaError:
            return False  # no model can see it either, and each says so
