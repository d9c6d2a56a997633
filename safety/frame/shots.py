"""Where one shot ends and the next begins: to spread the looks of dear models, and never relied on for more."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from media import Frame

_CELLS = (32, 18)  # the picture that is compared
_BINS = 16  # of each channel's histogram
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
        cells = cv2.resize(frame.small, _CELLS, interpolation=cv2.INTER_AREA).astype(np.float32)  # (18, 32, 3)
        counts = [np.histogram(cells[..., c], _BINS, (0, 256))[0] for c in range(3)]
        histogram = (np.concatenate(counts) / cells.size).astype(np.float32)  # (48,), sums to 1
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
