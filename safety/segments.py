"""From scores of frames to stretches of seconds, by the temporal rule of a policy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safety.policy import Temporal
from safety.score import Track


@dataclass(frozen=True)
class Segment:
    """A stretch of a video in which a category was found."""

    category: str
    start_s: float  # pts of the first frame
    end_s: float  # pts at which the last frame stops being shown
    peak: float
    peak_s: float
    peak_frame: int


def segments(track: Track, threshold: float, temporal: Temporal) -> list[Segment]:
    """The segments of a track, in order of time. Raising a value never removes one: it can only grow or join."""
    values = np.nan_to_num(track.values.astype(np.float64), nan=-1.0)  # (N,); an absent frame neither opens nor holds
    opened = _opened(values, threshold, temporal)
    holding = opened | (values >= threshold * temporal.close)
    found: list[tuple[int, int]] = []
    for start, stop in _runs(holding):
        if not opened[start:stop].any():
            continue
        gap_s = _pts(track, start) - _end(track, found[-1][1] - 1) if found else np.inf
        if found and gap_s <= temporal.merge_s:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    return [_segment(track, values, start, stop) for start, stop in found]


def _opened(values: NDArray[np.float64], threshold: float, temporal: Temporal) -> NDArray[np.bool_]:
    """The frames that open a segment: those above threshold in any window of n frames that holds k of them."""
    above = values >= threshold
    window = np.ones(temporal.n, int)
    counts = np.convolve(above, window)[: len(above)] if len(above) else np.zeros(0, int)  # hits in [i-n+1, i]
    dense = np.convolve((counts >= temporal.k)[::-1], window)[: len(above)][::-1] > 0 if len(above) else above
    opened: NDArray[np.bool_] = above & dense
    if temporal.instant is not None:
        opened = opened | (values >= temporal.instant)
    return opened


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The [start, stop) stretches in which the mask is True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _segment(track: Track, values: NDArray[np.float64], start: int, stop: int) -> Segment:
    peak = start + int(np.argmax(values[start:stop]))
    return Segment(
        track.category, _pts(track, start), _end(track, stop - 1), float(values[peak]), _pts(track, peak), peak
    )


def _pts(track: Track, index: int) -> float:
    """The frame's own time; for a frame without one, that of the last frame before it that has one."""
    known = track.pts[: index + 1]
    known = known[~np.isnan(known)]
    return float(known[-1]) if known.size else 0.0


def _end(track: Track, index: int) -> float:
    """When the frame stops being shown: at the next frame's pts, or after the median frame duration at the end."""
    later = track.pts[index + 1 :]
    later = later[~np.isnan(later)]
    if later.size:
        return float(later[0])
    known = track.pts[~np.isnan(track.pts)]
    return _pts(track, index) + (float(np.median(np.diff(known))) if known.size > 1 else 0.0)
