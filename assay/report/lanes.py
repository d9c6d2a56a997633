"""What a file's tracks look like: one lane a category, as small SVG drawings that need no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.outcome import Outcome
from assay.report.words import clock
from safety import Action, Decision, Policy, Segment, Stage, Track

BINS = 240  # columns of a lane, whatever the length of the file
WIDTH, HEIGHT = 960, 34  # units of a lane's drawing; it is stretched to the page
_CLASSES = {Action.REVIEW: "review", Action.BLOCK: "block", Action.ALLOW: "info"}


@dataclass(frozen=True)
class Lane:
    """One category along one file.

    peaks    float (BINS,): the largest value in each stretch of time; NaN where nobody could say
    lost     bool (BINS,): stretches in which some frame has no score from some model
    """

    category: str
    maximum: float | None
    peaks: NDArray[np.float64]
    lost: NDArray[np.bool_]
    segments: tuple[tuple[Segment, Action], ...]
    thresholds: Mapping[Action, float]


def lanes(outcome: Outcome, policy: Policy) -> list[Lane]:
    """One lane for each category that some model looked at, those with findings first, then by their maximum."""
    tracks = [s for s in outcome.examination.scores if isinstance(s, Track) and s.maximum is not None]
    end_s = duration(outcome)
    found = [
        _lane(name, [track for track in tracks if track.category == name], end_s, outcome, policy)
        for name in dict.fromkeys(track.category for track in tracks)
    ]
    return sorted(found, key=lambda lane: (-_gravity(lane), -(lane.maximum or 0.0), lane.category))


def duration(outcome: Outcome) -> float:
    """Where the last frame of the file begins, and one frame more; seconds."""
    tracks = [score for score in outcome.examination.scores if isinstance(score, Track) and len(score.pts)]
    known = [track.pts[~np.isnan(track.pts)] for track in tracks]
    ends = [float(pts.max()) + (float(np.median(np.diff(pts))) if len(pts) > 1 else 0.04) for pts in known if len(pts)]
    return max([*ends, *(segment.end_s for segment, _ in found_segments(outcome)), 0.04])


def found_segments(outcome: Outcome) -> list[tuple[Segment, Action]]:
    """Every segment, with the gravest action that some rule asked for because of it; the gravest first."""
    found = []
    for decision in outcome.decisions:
        stretches = _stretches_of(decision)
        for segment in decision.segments:
            known = stretches.get((segment.category, segment.source), {})
            actions = [action for action, one in known.items() if one.meets(segment)]
            found.append((segment, max(actions, default=Action.ALLOW)))
    return sorted(found, key=lambda one: (-one[1], one[0].start_s, one[0].category))


@dataclass(frozen=True)
class _Stretches:
    """When rules asked for one action: starts in order, and for each the latest end so far. Seconds."""

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]

    def meets(self, segment: Segment) -> bool:
        """Whether one of them overlaps the segment; a file may have thousands of each."""
        last = int(np.searchsorted(self.starts, segment.end_s, "right")) - 1
        return last >= 0 and float(self.ends[last]) >= segment.start_s


def _stretches_of(decision: Decision) -> dict[tuple[str, str | None], dict[Action, _Stretches]]:
    spans: dict[tuple[str, str | None], dict[Action, list[tuple[float, float]]]] = {}
    for reason in decision.reasons:
        where = reason.where
        if where is not None and where.start_s is not None and where.end_s is not None:
            by_action = spans.setdefault((reason.category, reason.source), {})
            by_action.setdefault(reason.action, []).append((where.start_s, where.end_s))
    made: dict[tuple[str, str | None], dict[Action, _Stretches]] = {}
    for key, by_action in spans.items():
        for action, some in by_action.items():
            starts, ends = np.array(sorted(some)).T
            made.setdefault(key, {})[action] = _Stretches(starts, np.maximum.accumulate(ends))
    return made


def lane_svg(lane: Lane, end_s: float) -> str:
    """The lane's drawing: values as an area, thresholds as dashes, findings as bars, gaps hatched."""
    parts = [f'<svg class="lane" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">']
    parts += [f'<rect class="gap" x="{x}" y="0" width="{w}" height="{HEIGHT}"/>' for x, w in _stretches(lane.lost)]
    if (area := _area(lane.peaks)) is not None:
        parts.append(f'<path class="area" d="{area}"/>')
    for action, value in lane.thresholds.items():
        y = round(_y(value), 1)
        parts.append(f'<path class="limit {_CLASSES[action]}" d="M0 {y}H{WIDTH}"/>')
    parts += _bars([one for one in lane.segments if one[1] > Action.ALLOW], end_s, HEIGHT - 7, 7)
    return "".join(parts) + "</svg>"


def strip_svg(segments: Sequence[tuple[Segment, Action]], end_s: float) -> str:
    """All findings of a file in one thin bar, for the overview."""
    bars = "".join(_bars(sorted(segments, key=lambda one: one[1]), end_s, 0, 12))
    return (
        f'<svg class="mini" viewBox="0 0 {WIDTH} 12" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="calm" width="{WIDTH}" height="12"/>{bars}</svg>'
    )


def axis(end_s: float) -> list[tuple[float, str]]:
    """Where to write times under a lane (fraction of the width), and what."""
    steps = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
    step = next((step for step in steps if end_s / step <= 8), end_s / 8)
    return [(at * step / end_s, clock(at * step)) for at in range(int(end_s / step * 0.97) + 1)]


def _lane(name: str, tracks: Sequence[Track], end_s: float, outcome: Outcome, policy: Policy) -> Lane:
    peaks, lost = np.full(BINS, np.nan), np.zeros(BINS, bool)
    for track in tracks:
        places = _places(track, end_s)
        values = track.values.astype(np.float64)
        np.fmax.at(peaks, places, values)
        lost[places[np.isnan(values)]] = True
    mine = tuple(one for one in found_segments(outcome) if one[0].category == name)
    thresholds: dict[Action, float] = {}
    for rule in policy.rules_for(Stage.FRAME):
        if rule.category == name and rule.action > Action.ALLOW:
            thresholds[rule.action] = min(rule.threshold, thresholds.get(rule.action, 1.0))
    maximum = max((track.maximum for track in tracks if track.maximum is not None), default=None)
    return Lane(name, maximum, peaks, lost, mine, thresholds)


def _places(track: Track, end_s: float) -> NDArray[np.int64]:
    """The bin of each frame; one without a time stands with the frame before it."""
    pts = track.pts.copy()
    known = np.maximum.accumulate(np.where(np.isnan(pts), 0, np.arange(len(pts)))) if len(pts) else np.zeros(0, int)
    pts = np.nan_to_num(pts[known], nan=0.0)
    return np.clip((pts / end_s * BINS).astype(np.int64), 0, BINS - 1)


def _area(peaks: NDArray[np.float64]) -> str | None:
    """The path of the values, with only the columns in which it changes; None where all is zero or unknown."""
    filled = _carried(peaks)
    if not (filled > 0.005).any():
        return None
    step = WIDTH / BINS
    path, before = [f"M0 {HEIGHT}"], -1.0
    for column, value in enumerate(np.round(filled, 2).tolist()):
        if value != before:
            path.append(f"H{column * step:g}V{_y(value):.1f}")
            before = value
    return "".join(path) + f"H{WIDTH}V{HEIGHT}Z"


def _carried(peaks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns that no frame falls into show the frame before them: it is still on the screen."""
    known = ~np.isnan(peaks)
    last = np.maximum.accumulate(np.where(known, np.arange(len(peaks)), 0))
    return np.nan_to_num(peaks[last], nan=0.0)


def _y(value: float) -> float:
    return HEIGHT - 1 - value * (HEIGHT - 3)


def _stretches(marked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], marked, [False])).astype(np.int8)))
    step = WIDTH // BINS
    return [(int(a) * step, int(b - a) * step) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _bars(segments: Sequence[tuple[Segment, Action]], end_s: float, y: int, height: int) -> list[str]:
    """At most one bar a pixel and kind: thousands of segments must not make a page of megabytes."""
    drawn: dict[tuple[int, int, str], None] = {}
    for segment, action in segments:
        left = round(max(0.0, segment.start_s) / end_s * WIDTH)
        right = max(left + 3, round(segment.end_s / end_s * WIDTH))
        drawn[left, min(right, WIDTH + 2) - left, _CLASSES[action]] = None
    return [f'<rect class="bar {kind}" x="{x}" y="{y}" width="{w}" height="{height}"/>' for x, w, kind in drawn]


def _gravity(lane: Lane) -> int:
    return max((int(action) for _, action in lane.segments), default=-1)
