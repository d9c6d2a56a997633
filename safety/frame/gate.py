"""Which frames a model must be shown itself, and which are covered by one that it was shown.

The default is that every frame is shown unless it is identical, bit for bit, to the one before it: a model is
deterministic, so its answer is known. A model too dear for that declares a `Bound`: a frame is covered by the last
frame *shown* (never by the previous one: drift adds up) when it provably differs from it by no more than the bound
says, and no more time than the bound says has passed. docs/scanning.md has the proof.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from media import SMALL_SIDE, Frame

PICTURE = "picture"
TEXT = "text"
LISTED = "listed"  # whether the picture is one of a list; of all else it says nothing


@dataclass(frozen=True)
class Bound:
    """How far a frame may differ from the last frame shown and still be covered by it.

    epsilon 0 asks for bit-identical pixels. Otherwise both pictures are averaged down to `side` cells on the longer
    side, and every window of `tile` x `tile` cells, at every position, may differ by at most `epsilon` grey levels (of
    255) on average, in the colour channel in which it differs most.
    """

    epsilon: float = 0.0
    side: int = 320
    tile: int = 8
    cap_s: float = 2.0

    def __post_init__(self) -> None:
        if not (0.0 <= self.epsilon <= 255.0 and self.side >= self.tile >= 1 and self.cap_s > 0.0):
            raise ValueError(f"{self!r}: epsilon in [0, 255], side >= tile >= 1 and cap_s > 0 are needed")

    def __str__(self) -> str:
        if self.epsilon == 0.0:
            return f"bit-identical to the last frame shown, for at most {self.cap_s:g} s"
        return (
            f"no {self.tile}x{self.tile} window of the {self.side}-cell picture differs by more than {self.epsilon:g}"
            f"/255 from the last frame shown, for at most {self.cap_s:g} s"
        )


class Gate:
    """The bound of one model along one stream; it holds one small picture, never the video."""

    def __init__(self, bound: Bound | None) -> None:
        self._bound = bound
        self._shown: tuple[float, NDArray[np.uint8]] | None = None
        self._first = True

    def covers(self, frame: Frame, repeats: bool = False) -> bool:
        """True where the last frame shown covers this one; otherwise this frame is the last frame shown from now on.

        repeats: this frame is identical to the frame before it in its stream, which is then the last one shown or one
        that it covers. Without a bound nothing else is covered, and what the model would say is known exactly.
        """
        if self._bound is None:
            first, self._first = self._first, False
            return repeats and not first
        if self._shown is not None:
            pts, reference = self._shown
            if 0.0 <= frame.pts - pts <= self._bound.cap_s and _within(reference, frame, self._bound):
                return True
        self._shown = (frame.pts, _reduced(frame, self._bound))
        return False


def _reduced(frame: Frame, bound: Bound) -> NDArray[np.uint8]:
    width, height = frame.size
    longest = max(height, width)
    if bound.epsilon == 0.0 or longest <= bound.side:
        return frame.pixels
    if bound.side == SMALL_SIDE:
        return frame.small
    size = (max(1, round(width * bound.side / longest)), max(1, round(height * bound.side / longest)))
    return np.asarray(cv2.resize(frame.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _within(reference: NDArray[np.uint8], frame: Frame, bound: Bound) -> bool:
    picture = _reduced(frame, bound)
    if reference.shape != picture.shape:
        return False
    if bound.epsilon == 0.0:
        return bool(np.array_equal(reference, picture))
    return difference(reference, picture, bound.tile) <= bound.epsilon


def difference(a: NDArray[np.uint8], b: NDArray[np.uint8], tile: int) -> float:
    """The mean absolute difference, in grey levels, of the window and the channel where it is largest.

    a, b uint8 (H, W, 3). Windows slide by one cell, so a change cannot hide by straddling two tiles; a picture smaller
    than a window is one window.
    """
    delta = cv2.absdiff(a, b)  # (H, W, 3)
    height, width = a.shape[:2]
    rows, columns = min(tile, height), min(tile, width)
    sums = cv2.boxFilter(delta, cv2.CV_32F, (columns, rows), normalize=False, borderType=cv2.BORDER_CONSTANT)
    largest: float = np.asarray(sums, np.float32).max().item()
    return float(largest / (rows * columns))
