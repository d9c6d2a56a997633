"""From scores of frames to stretches of seconds, by the temporal rule of a policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safety.rule import Temporal
from safety.score import Track

_ROUNDING_S = 1e-6  # of times that are sums of binary fractions: where in a video a gap lies must not decide


@dataclass(frozen=True)
class Segment:
    """A stretch of a video in which a category was found."""

    category: str
    start_s: float  # pts of the first frame
    end_s: float  # pts at which the last frame stops being shown
    peak: float
    peak_s: float
    peak_frame: int
    item: str | None = None  # id of the video
    source: str | None = None  # name@version of the model

    def to_json(self) -> dict[str, Any]:
        """As the `segments` of a line of `scan`."""
        return {
            "category": self.category,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "peak": self.peak,
            "peak_s": self.peak_s,
            "peak_frame": self.peak_frame,
            "item": self.item,
            "source": self.source,
        }

    def covers(self, other: Segment) -> bool:
        """True where `other`, found by the same model in the same video, lies within this segment."""
        same = (self.item, self.category, self.source) == (other.item, other.category, other.source)
        return same and self.start_s <= other.start_s and other.end_s <= self.end_s


def segments(track: Track, threshold: float, temporal: Temporal) -> list[Segment]:
    """The segments of a track, in order of time. Raising a value never removes one: it can only grow or join.

    Thresholds are quantised as the values were. Rounding keeps order, so no value that reached the threshold before
    it was stored falls below it afterwards. Under a scope of shots or of the file, no segment crosses a shot's border.
    """
    values = np.nan_to_num(track.values.astype(np.float64), nan=-1.0)  # (N,); an absent frame neither opens nor holds
    shots = [(0, len(values))] if temporal.scope == "frames" else track.shots
    opened = _opened(values, threshold, temporal, shots)  # (N,) bool
    if not opened.any():
        return []
    holding = opened | (values >= _quantised(threshold * temporal.close))  # (N,) bool
    shown = _shown(track)
    found: list[tuple[int, int]] = []
    for first, end in shots:
        within: list[tuple[int, int]] = []
        for start, stop in _runs(holding[first:end], opened[first:end]):
            start, stop = start + first, stop + first
            if within and shown.starts[start] - shown.ends[within[-1][1] - 1] <= temporal.merge_s + _ROUNDING_S:
                within[-1] = (within[-1][0], stop)
            else:
                within.append((start, stop))
        found += within
    return [_segment(track, shown, start, stop) for start, stop in found]


def told(found: Sequence[Segment], temporal: Temporal) -> list[Segment]:
    """What a rule says of its segments in one track: each of them, or of a file one, from the first to the last."""
    if temporal.scope != "file" or not found:
        return list(found)
    highest = max(found, key=lambda segment: segment.peak)  # of equals the first
    return [replace(highest, start_s=found[0].start_s, end_s=max(segment.end_s for segment in found))]


def reached(track: Track, threshold: float) -> tuple[int, int]:
    """How many frames reach the threshold, of how many that were scored: those nobody saw do not dilute a share."""
    return int((track.values >= np.float16(threshold)).sum()), int((~np.isnan(track.values)).sum())  # NaN: false


def maximal(found: list[Segment]) -> tuple[Segment, ...]:
    """The segments that no other covers, by time: what several rules found in one track is told once."""
    kept: list[Segment] = []
    latest: dict[tuple[str | None, ...], Segment] = {}  # of those that began no later, the one that ends last
    for segment in sorted(found, key=_longest_first):
        track = (segment.item, segment.category, segment.source)
        if track not in latest or not latest[track].covers(segment):
            kept.append(segment)
            latest[track] = segment
    return tuple(kept)


def _longest_first(segment: Segment) -> tuple[object, ...]:
    names = (segment.category, segment.item or "", segment.source or "")
    return (segment.start_s, -segment.end_s, *names, -segment.peak, segment.peak_frame)


@dataclass(frozen=True)
class _Shown:
    """When each frame begins and stops being shown, in seconds; finite even where a frame has no known time."""

    starts: NDArray[np.float64]  # (N,)
    ends: NDArray[np.float64]  # (N,)


def _shown(track: Track) -> _Shown:
    """A frame without a time begins with the last frame before it that has one; a frame ends where the next begins."""
    known = np.flatnonzero(~np.isnan(track.pts))
    if not known.size:
        nowhere = np.zeros(len(track.pts))
        return _Shown(nowhere, nowhere)
    indices = np.arange(len(track.pts))
    before = np.searchsorted(known, indices, side="right") - 1  # -1: no frame so far has a time
    after = np.searchsorted(known, indices, side="right")
    times = track.pts[known]
    starts = np.where(before >= 0, times[before], 0.0)
    steps = np.sort(np.diff(times))
    length = float(steps[len(steps) // 2]) if steps.size else 0.0  # the usual duration of a frame
    ends = np.append(times, times[-1] + length)[after]
    return _Shown(starts, np.maximum(starts, ends))  # times that run backwards make no negative stretch


def _opened(
    values: NDArray[np.float64], threshold: float, temporal: Temporal, shots: Sequence[tuple[int, int]]
) -> NDArray[np.bool_]:
    """The frames that open a segment: those above threshold where there are enough of them, or above `instant`."""
    above: NDArray[np.bool_] = values >= _quantised(threshold)
    opened = above
    if temporal.share is not None:
        # Both are the double nearest to a quotient, so 2 of 10 frames do reach a share of 0.2.
        opened = above & bool(above.sum() / max((values >= 0).sum(), 1) >= temporal.share)
    elif temporal.n > 1 and above.any():
        opened = np.concatenate([_dense(above[start:stop], temporal) for start, stop in shots])
    if temporal.instant is not None:
        opened = opened | (values >= _quantised(temporal.instant))
    return opened


def _dense(above: NDArray[np.bool_], temporal: Temporal) -> NDArray[np.bool_]:
    """Those above threshold in any window of n frames that holds k of them."""
    if not above.any():
        return above
    window = np.ones(temporal.n, int)
    k = min(temporal.k, len(above))  # a video, or a shot, shorter than k frames is not beyond reach
    counts = np.convolve(above, window)[: len(above)]  # (N,) hits in [i - n + 1, i]
    dense: NDArray[np.bool_] = np.convolve((counts >= k)[::-1], window)[: len(above)][::-1] > 0
    return above & dense


def _quantised(threshold: float) -> float:
    return float(np.float16(threshold))


def _runs(holding: NDArray[np.bool_], opened: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The [start, stop) stretches that hold throughout and are opened by one of their frames."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], holding, [False])).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    openings = np.concatenate(([0], np.cumsum(opened)))  # (N + 1,) how many before each frame
    real = openings[starts] < openings[stops]
    return list(zip(starts[real].tolist(), stops[real].tolist(), strict=True))


def _segment(track: Track, shown: _Shown, start: int, stop: int) -> Segment:
    peak = start + int(np.fmax(track.values[start:stop], np.float16(-1)).argmax())
    return Segment(
        category=track.category,
        start_s=float(shown.starts[start]),
        end_s=float(shown.ends[start:stop].max()),
        peak=float(track.values[peak]),
        peak_s=float(shown.starts[peak]),
        peak_frame=peak,
        item=track.item.id,
        source=track.source,
    )
