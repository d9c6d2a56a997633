"""Lines of text along one video: looked for in every frame, read where they are new or changed.

Every frame is looked at in its small picture (320 pixels: text of 24 pixels at 360 lines is 12 there), and thoroughly,
in 640, at the first frame, after a cut, and every `THOROUGH_S` seconds: that finds smaller print. A frame whose small
picture is all but that of the last one looked at (see `SAME`) holds the same lines.

A line that was read is remembered with its pixels, laid flat. While the pixels in its rectangle stay within a bound of
those that were *read* (never of the frame before: drift adds up), and no longer than that many seconds, it still says
what it said. Whatever is found outside such lines is read. So a word that flashes up in one frame is read in that
frame, also in the place of another, and a caption that stands for a minute is read thirty times, not fifteen hundred.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from media import Frame
from safety.frame.gate import difference
from safety.frame.reader import Line, Reader
from safety.frame.textnet import Quad, strip

# Grey levels by which the mean of any 8x8 window of a line, laid flat at 48 pixels of height, may differ in its worst
# channel. A letter is some 30 pixels high there and its strokes 5 wide: another letter, at a contrast of 60 or more,
# differs by more. H.264 at CRF 23 to 32 left standing captions within 10 in most frames.
EPSILON = 12.0
SAME = 6.0  # the same of any 8x8 window of the small picture: the frame holds the lines of the last one looked at
THOROUGH_S = 2.0
_CUT = 30.0  # grey levels by which small pictures differ on average across a cut
_WINDOW = 8
_INSIDE = 0.75  # of a rectangle's area that makes it part of another
_REMEMBERED = 80  # lines; more than a picture is read for
_SMALL_SIDE, _WHOLE_SIDE = 320, 640
_LONG = 2.5  # a longer picture is too small in its small one: it is always looked at whole


@dataclass(frozen=True)
class _Known:
    """A line, where it is, its pixels when it was read, and when that was."""

    line: Line
    quad: Quad
    flat: NDArray[np.uint8]  # (48, w, 3)
    pts: float


class Captions:
    """The lines of text of one stream of one video, frame by frame; another size or an earlier time starts afresh."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: list[_Known] = []
        self._size = (0, 0)
        self._looked: tuple[float, NDArray[np.uint8]] | None = None  # the last frame looked at: pts, small picture
        self._thorough = -np.inf  # pts of the last thorough look
        self.looks = self.readings = 0  # frames looked at, lines read

    def lines(self, frame: Frame) -> list[Line]:
        """The lines in the frame, however unsure, in no order."""
        if frame.size != self._size:
            self._known, self._size, self._looked = [], frame.size, None
        since = frame.pts - self._thorough
        changed = self._changed(frame)
        if changed == 0.0 and 0.0 <= since < THOROUGH_S:
            return [known.line for known in self._known]
        if changed > _CUT or not 0.0 <= since < THOROUGH_S:
            self._thorough = frame.pts
        self._looked = (frame.pts, frame.small)
        self.looks += 1
        self._look(frame)
        return [known.line for known in self._known]

    def _changed(self, frame: Frame) -> float:
        """By how many grey levels the small picture differs from the last one looked at; 0 where within the bound."""
        if self._looked is None or not frame.pts >= self._looked[0]:
            return np.inf
        before = self._looked[1]
        if difference(before, frame.small, _WINDOW) <= SAME:
            return 0.0
        return max(0.001, float(cv2.mean(cv2.absdiff(before, frame.small))[0]))

    def _look(self, frame: Frame) -> None:
        still = [known for known in self._known if _stands(known, frame)]
        for quad in self._found(frame):
            if not any(_share(quad, known.quad) >= _INSIDE for known in still):
                line = self._reader.spell(frame.pixels, quad)
                self.readings += 1
                # What it holds was a part of it: a longer line was found where a shorter one stood.
                still = [known for known in still if _share(known.quad, quad) < _INSIDE]
                still.append(_Known(line, quad, strip(frame.pixels, quad), frame.pts))
        self._known = still[-_REMEMBERED:]

    def _found(self, frame: Frame) -> list[Quad]:
        width, height = frame.size
        if frame.pts == self._thorough or max(width, height) > _LONG * min(width, height):
            return self._reader.find(frame.pixels, _WHOLE_SIDE)
        scale = width / frame.small.shape[1]
        return [quad.scaled(scale) for quad in self._reader.find(frame.small, _SMALL_SIDE)]


def _stands(known: _Known, frame: Frame) -> bool:
    """Whether the line's pixels are those that were read, and were read not too long ago."""
    if not 0.0 <= frame.pts - known.pts < THOROUGH_S:
        return False
    delta = cv2.absdiff(known.flat, strip(frame.pixels, known.quad))  # (48, w, 3)
    means = cv2.boxFilter(delta, cv2.CV_32F, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REPLICATE)
    return float(np.asarray(means, np.float32).max()) <= EPSILON


def _share(one: Quad, other: Quad) -> float:
    """The part of the area of `one` that lies in `other`, a little enlarged."""
    inner, outer = one.corners, other.corners
    grown = other.centre + (outer - other.centre) * 1.1
    area, _ = cv2.intersectConvexConvex(inner.astype(np.float32), grown.astype(np.float32))
    own = float(cv2.contourArea(inner.astype(np.float32)))
    return float(area) / own if own > 0 else 0.0
