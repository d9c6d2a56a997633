"""How long a stream says it is, and how long what it holds is."""

from __future__ import annotations

import re
from fractions import Fraction

from av.container import InputContainer
from av.video.stream import VideoStream

# A picture may be held at the end, and clocks are rounded: less than this is no sign that pictures are missing.
_SLACK_S, _SLACK_SHARE = Fraction(1), Fraction(1, 20)
_TAG = re.compile(r"(\d+):(\d\d):(\d\d)(\.\d+)?")


def declared_seconds(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """What the container says of this very stream; None where it says nothing, or counts what holds no picture.

    Matroska says it in a tag that most writers add, MP4 in the track's header, which FFmpeg cuts to the table of its
    samples. Other containers estimate it from the pictures (MPEG-TS), or count repeats that are no pictures (AVI).
    """
    if container.format.name.startswith("mov,"):
        known = stream.duration and stream.time_base
        return stream.duration * stream.time_base if known and stream.duration and stream.time_base else None
    if container.format.name.startswith("matroska"):
        tag = next((value for name, value in stream.metadata.items() if name.startswith("DURATION")), "")
        found = _TAG.match(tag)
        if found:
            hours, minutes, seconds, rest = found.groups()
            return Fraction(int(hours) * 3600 + int(minutes) * 60 + int(seconds)) + Fraction(rest or 0)
    return None


class Span:
    """The stretch of time that the packets of one stream fill."""

    def __init__(self, declared: Fraction | None, tick: Fraction, frame: Fraction) -> None:
        """`declared`: see `declared_seconds`; `tick` and `frame`: seconds a tick and an average frame last."""
        self._declared, self._tick, self._frame = declared, tick, frame
        self._first: Fraction | None = None
        self._end = Fraction(0)

    def add(self, pts: int | None, duration: int | None) -> None:
        """A packet that was read."""
        if pts is None:
            return
        start = pts * self._tick
        self._first = start if self._first is None else min(self._first, start)
        self._end = max(self._end, start + ((duration or 0) * self._tick or self._frame))

    def shortfall(self) -> str:
        """In words, by how much the packets fall short of what is declared; empty where they do not."""
        if self._declared is None or self._first is None:
            return ""
        length = max(self._end - self._first, self._end)  # Matroska's tag is the time of the end, whatever the start
        if self._declared - length <= max(_SLACK_S, self._declared * _SLACK_SHARE):
            return ""
        return f"the stream is said to last {float(self._declared):.2f} s, and its pictures fill {float(length):.2f} s"
