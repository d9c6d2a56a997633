"""A stretch of an existing video as given frames: read one at a time at the request's rate, never all in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from generator.errors import InvalidRequest
from generator.request import MAX_FPS, MAX_SECONDS, Pixels
from media import Frame, Undecodable, Video, probe

_SLACK_S = 1e-6  # a frame's time is a rational written as a float


class Footage:
    """The main stream of a video, sampled at `fps`: an array (T, H, W, 3) of uint8 by its looks, a decoder inside.

    Frame i is the one shown at i / fps seconds after `start_s`. Reading goes forwards; a step back starts the file
    again. `frames` limits T; by default all there are. Raises MediaError where the file is no video, InvalidRequest
    where a frame cannot be decoded or the stretch lies outside the file.
    """

    dtype: np.dtype[Any] = np.dtype(np.uint8)

    def __init__(self, path: Path, fps: Fraction, *, start_s: float = 0.0, frames: int | None = None) -> None:
        if not 1 <= fps <= MAX_FPS or not math.isfinite(start_s) or start_s < 0:
            raise InvalidRequest(f"{path.name}: {fps} frames a second from {start_s} s; give 1 to {MAX_FPS}, from 0 s")
        self._video: Video = probe(path)
        self._fps, self._start_s = fps, start_s
        there = self._there()
        if there < 1:
            raise InvalidRequest(f"{path.name}: holds nothing from {start_s:g} s on")
        length = there if frames is None else min(frames, there)
        self.shape: tuple[int, ...] = (length, self._video.height, self._video.width, 3)
        self._walk: Iterator[Frame] | None = None
        self._now: Frame | None = None
        self._next: Frame | None = None
        self._asked = -1

    def _there(self) -> int:
        """How many frames at `fps` the stretch from `start_s` holds; long files are counted to the longest request."""
        if self._video.duration_s is not None:
            end_s = self._video.duration_s
        else:
            end_s = 0.0
            for frame in self._main_stream():
                end_s = frame.pts + 1.0 / float(self._video.rate or self._fps)
        seconds = min(end_s - self._start_s, MAX_SECONDS)
        return max(0, round(Fraction(seconds).limit_denominator(10**6) * self._fps))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int, /) -> Pixels:
        """Frame `index`, uint8 (H, W, 3) RGB."""
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        if self._walk is None or index < self._asked:
            self.close()
            self._walk = self._main_stream()
            self._now = self._next = next(self._walk, None)
        self._asked = index
        at = self._start_s + float(index / self._fps) + _SLACK_S
        while self._next is not None and self._next.pts <= at:
            self._now, self._next = self._next, next(self._walk, None)
        if self._now is None:
            raise InvalidRequest(f"{self._video.path.name}: holds no frame")
        return self._now.pixels

    def close(self) -> None:
        """Closes the file; the next frame asked for opens it again."""
        if self._walk is not None:
            self._walk.close()  # type: ignore[attr-defined]
        self._walk = self._now = self._next = None

    def _main_stream(self) -> Iterator[Frame]:
        frames = self._video.frames()
        try:
            for frame in frames:
                if isinstance(frame, Undecodable):
                    raise InvalidRequest(f"{self._video.path.name}: frame {frame.index}: {frame.reason}")
                if frame.stream != 0:
                    return  # the main stream comes first
                if frame.view == "colours":
                    yield frame
        finally:
            frames.close()  # type: ignore[attr-defined]
