"""When pictures are shown, in seconds, from the ticks that a container writes."""

from __future__ import annotations

import heapq
from fractions import Fraction


class Clock:
    """Seconds of one stream. Second 0 is where the main stream's presentation starts.

    AVI writes the decode order only, and FFmpeg's guess at the rest is not monotone: there the n-th picture shown
    gets the n-th smallest decode time. A picture without any time is shown one frame after the last.
    """

    def __init__(self, *, tick: Fraction, frame: Fraction, by_decode_order: bool, zero: Fraction | None) -> None:
        """`tick` and `frame`: seconds a tick and an average frame last; `zero`: where second 0 is, if known."""
        self._tick = tick
        self._frame = frame
        self._by_decode_order = by_decode_order
        self._queue: list[int] = []  # decode times not yet given to a picture; as long as the decoder's delay
        self._first: int | None = None
        self._last: Fraction | None = None
        self._zero = zero

    @property
    def frame(self) -> Fraction:
        """Seconds that an average frame lasts; 0 where nobody knows."""
        return self._frame

    @property
    def zero(self) -> Fraction:
        """Second 0 on the container's own time line: the earliest time submitted before the first question."""
        if self._zero is None:
            self._zero = (self._first or 0) * self._tick
        return self._zero

    def submit(self, pts: int | None, dts: int | None) -> None:
        """A packet goes to the decoder."""
        ticks = dts if self._by_decode_order else pts
        if ticks is None:
            return
        if self._by_decode_order:
            heapq.heappush(self._queue, ticks)
        self._first = ticks if self._first is None else min(self._first, ticks)

    def shown(self, pts: int | None) -> float:
        """When the picture that just came out of the decoder is shown."""
        seconds = self._seconds(pts)
        if seconds is None:
            seconds = Fraction(0) if self._last is None else self._last + self._frame
        self._last = seconds
        return float(seconds)

    def lost(self, pts: int | None) -> float | None:
        """When a picture that never came would have been shown; None where the container does not say."""
        seconds = self._seconds(pts)
        return None if seconds is None else float(seconds)

    def _seconds(self, pts: int | None) -> Fraction | None:
        ticks = pts
        if self._by_decode_order:
            ticks = heapq.heappop(self._queue) if self._queue else None
        return None if ticks is None else ticks * self._tick - self.zero
