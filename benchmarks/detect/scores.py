"""Figures of a detector's answers, with intervals by bootstrap over sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 1000
SILENT = -1.0  # below every value: who gives none is the last to be flagged


@dataclass(frozen=True)
class Answered:
    """What a detector said of one clip."""

    name: str
    generated: bool
    source: str
    family: str
    gif: bool
    side: int  # pixels of the shorter side of the file, for the row of clean HD footage
    value: float | None
    likely: bool | None

    @property
    def ranked(self) -> float:
        """The value, or the bottom where there is none."""
        return SILENT if self.value is None else self.value


@dataclass(frozen=True)
class Figure:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.2f}, {self.high:.2f}]"


def auc(rows: Sequence[Answered]) -> float:
    """The share of pairs (generated, real) in the right order; NaN where one class is missing."""
    return ranked_auc(np.array([one.ranked for one in rows]), np.array([one.generated for one in rows]))


def ranked_auc(values: NDArray[np.float64], generated: NDArray[np.bool_]) -> float:
    """The same for arrays (n,)."""
    high, low = values[generated], np.sort(values[~generated])
    if not len(high) or not len(low):
        return float("nan")
    below, upto = np.searchsorted(low, high, "left"), np.searchsorted(low, high, "right")
    return float((below + upto).mean() / (2 * len(low)))


def recall_at(rows: Sequence[Answered], fpr: float) -> float:
    """The share of generated clips above the line that at most `fpr` of these real clips reach. Silence is a miss."""
    real = sorted((one.ranked for one in rows if not one.generated), reverse=True)
    generated = [one.ranked for one in rows if one.generated]
    if not real or not generated:
        return float("nan")
    line = real[int(fpr * len(real))]  # so many lie above it
    return float(np.mean([value > max(line, SILENT) for value in generated]))


def flagged(rows: Sequence[Answered], generated: bool) -> float:
    """The share of a class that the detector's own threshold flags. Silence is no flag."""
    said = [one.likely is True for one in rows if one.generated is generated]
    return float(np.mean(said)) if said else float("nan")


def undecided(rows: Sequence[Answered]) -> float:
    """The share of clips without an answer."""
    return float(np.mean([one.likely is None for one in rows])) if rows else float("nan")


def figure(rows: Sequence[Answered], of: Callable[[Sequence[Answered]], float]) -> Figure:
    """A figure with its interval: sources drawn anew, within each class."""
    drawn = [of(some) for some in _resampled(rows)]
    finite = [value for value in drawn if not np.isnan(value)]
    low, high = np.percentile(finite, [2.5, 97.5]) if finite else (float("nan"),) * 2
    return Figure(of(rows), float(low), float(high))


def margin(rows: Sequence[Answered], floor: Sequence[Answered]) -> Figure:
    """By how much one AUC exceeds another on the same clips, the same sources drawn for both."""
    pairs = dict(zip(rows, floor, strict=True))
    drawn = [auc(some) - auc([pairs[one] for one in some]) for some in _resampled(rows)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Figure(auc(rows) - auc(floor), float(low), float(high))


def _resampled(rows: Sequence[Answered]) -> Iterator[list[Answered]]:
    rng = np.random.default_rng(0)
    groups: dict[bool, dict[str, list[Answered]]] = {True: {}, False: {}}
    for one in rows:
        groups[one.generated].setdefault(one.source, []).append(one)
    for _ in range(ROUNDS):
        drawn: list[Answered] = []
        for sources in groups.values():
            names = list(sources)
            for place in rng.integers(len(names), size=len(names)) if names else ():
                drawn += sources[names[place]]
        yield drawn


def reliability(rows: Sequence[Answered], bins: int = 8) -> list[tuple[float, float, int]]:
    """(mean value, share generated, clips) of equally filled bins of the values."""
    known = sorted((one.value, one.generated) for one in rows if one.value is not None)
    parts = [part for part in np.array_split(np.array(known, np.float64), bins) if len(part)]
    return [(float(part[:, 0].mean()), float(part[:, 1].mean()), len(part)) for part in parts]
