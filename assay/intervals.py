"""Intervals for shares, from counts: Wilson's, and the exact ones of Clopper and Pearson. No dependency.

Wilson, E. B. (1927), "Probable inference, the law of succession, and statistical inference"; Clopper, C. J. and
Pearson, E. S. (1934), "The use of confidence or fiducial limits". The exact one covers at least at its rate, and is
wider.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Share:
    """So many of so many, with an interval; every number is None where there was nothing to count."""

    hits: int
    of: int
    share: float | None
    low: float | None
    high: float | None

    @classmethod
    def exact(cls, hits: int, of: int) -> Share:
        """With the exact two-sided 95 % interval."""
        return cls(hits, of, hits / of, *clopper_pearson(hits, of)) if of else cls(0, 0, None, None, None)

    @classmethod
    def scored(cls, hits: int, of: int) -> Share:
        """With Wilson's two-sided 95 % interval: nearer to its rate on average."""
        return cls(hits, of, hits / of, *wilson(hits, of)) if of else cls(0, 0, None, None, None)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dict(vars(self))

    def __str__(self) -> str:
        if self.share is None or self.low is None or self.high is None:
            return "nothing to count"
        words = f"{100 * self.share:.2f} % [{100 * self.low:.2f}, {100 * self.high:.2f}]"
        return f"{words}, {self.hits} of {self.of}"


def wilson(hits: float, of: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's two-sided interval of a proportion; counts may be effective ones, so they need not be whole."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (hits + z * z / 2) / (of + z * z)
    half = z * math.sqrt(max(0.0, hits * (of - hits) / of) + z * z / 4) / (of + z * z)
    return max(0.0, centre - half), min(1.0, centre + half)


def clopper_pearson(hits: int, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact two-sided interval of a proportion."""
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else _root(lambda p: _beta(p, hits, of - hits + 1) - tail)
    high = 1.0 if hits == of else _root(lambda p: _beta(p, hits + 1, of - hits) - (1 - tail))
    return low, high


def at_most(hits: int, of: int, confidence: float = CONFIDENCE) -> float:
    """The exact one-sided upper bound of a proportion: for none of n about 3 / n."""
    return 1.0 if hits == of else _root(lambda p: _beta(p, hits + 1, of - hits) - confidence)


def needed_for(share: float, confidence: float = CONFIDENCE) -> int:
    """How many trials without a single hit show, at that confidence, that a share is at most so large."""
    return math.ceil(math.log(1 - confidence) / math.log1p(-share))


def _root(rising: Callable[[float], float]) -> float:
    """Where a rising function on [0, 1] crosses zero."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2


def _beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b): the chance that a Beta(a, b) lies below x."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1) / (a + b + 2):  # where the fraction below converges quickly
        return 1.0 - _beta(1.0 - x, b, a)
    logs = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(logs) * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method (DLMF 8.17.22)."""
    tiny = 1e-300
    c, d = 1.0, 1.0 / max(tiny, 1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 10_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + step * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + step / c
            c = c if abs(c) > tiny else tiny
            value *= c * d
        if abs(c * d - 1.0) < 1e-14:
            break
    return value
