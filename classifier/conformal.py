"""A threshold from real footage alone, with sources as the unit: what n sources support, and nothing below it.

Clips of one camera or uploader resemble each other, so a thousand of them count once. With n exchangeable sources the
next source's expected share of flagged clips is at most

    (1 + sum over sources of the share of its clips at or above the threshold) / (n + 1),

hence no rate below 1 / (n + 1) can be promised, whatever the number of clips (hierarchical conformal prediction; Lee,
Barber & Willett, 2023).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from media import UsageError

Footage = Mapping[str, Sequence[float | None]]  # source -> its clips' values; None: the detector gave no answer
_Z = 1.959964  # two-sided 95 %


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval, counting each source once."""

    share: float
    low: float
    high: float

    @classmethod
    def of(cls, shares: Sequence[float]) -> Rate:
        """The mean of the sources' shares, with Wilson's interval for as many observations as there are sources."""
        n, p = len(shares), float(np.mean(shares))
        middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
        return cls(p, max(0.0, middle - half), min(1.0, middle + half))


def least_rate(sources: int) -> float:
    """The smallest false-positive rate that this many sources support."""
    return 1.0 / (sources + 1)


def ensure_supported(sources: int, fpr: float) -> None:
    """UsageError where this many sources do not support the rate, with the number that would."""
    if not 0.0 < fpr < 1.0:
        raise UsageError(f"a false-positive rate lies between 0 and 1, not at {fpr:g}")
    if fpr < least_rate(sources):
        raise UsageError(
            f"{sources} sources of real footage support a false-positive rate of {least_rate(sources):.2%}, no less; "
            f"{fpr:.2%} needs {math.ceil(1 / fpr - 1e-9) - 1}: add cameras or uploaders, a folder each"
        )


def threshold(footage: Footage, fpr: float) -> float:
    """The lowest threshold that flags at most `fpr` of a new source's clips, in expectation.

    Raises:
        UsageError: the sources do not support so small a rate, or real clips reach the top of the scale.
    """
    ensure_supported(len(footage), fpr)
    found = _lowest(footage, fpr)
    if found > 1.0:
        raise UsageError("too many real clips reach the top of the detector's scale; no threshold keeps that rate")
    return found


def held_out(footage: Footage, fpr: float) -> Rate | None:
    """The share flagged of each source by the threshold that the others set; None where those are too few."""
    if fpr < least_rate(len(footage) - 1):
        return None
    shares = []
    for name, values in footage.items():
        line = _lowest({other: some for other, some in footage.items() if other != name}, fpr)
        shares.append(_flagged(values, line))
    return Rate.of(shares)


def _lowest(footage: Footage, fpr: float) -> float:
    """Just above the smallest value that keeps the bound; 0 where nothing needs keeping, above 1 where nothing does."""
    allowed = fpr * (len(footage) + 1) - 1 + 1e-9  # in sources
    parts = [
        (np.array([v for v in values if v is not None], np.float64), 1.0 / max(1, len(values)))
        for values in footage.values()
    ]
    values = np.concatenate([[-1.0], *(found for found, _ in parts)])
    weights = np.concatenate([[0.0], *(np.full(len(found), share) for found, share in parts)])
    order = np.argsort(values)
    values, weights = values[order], weights[order]
    above = weights[::-1].cumsum()[::-1] - weights  # of those that come later in the order
    last_of_equals = np.append(values[1:] != values[:-1], True)
    kept = np.flatnonzero(last_of_equals & (above <= allowed))
    return max(0.0, float(np.nextafter(values[kept[0]], 2.0)))


def _flagged(values: Sequence[float | None], line: float) -> float:
    return sum(v is not None and v >= line for v in values) / max(1, len(values))
