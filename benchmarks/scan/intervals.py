"""Exact intervals for counts: Clopper-Pearson for proportions, Garwood's for events in a time."""

from __future__ import annotations

import math
from collections.abc import Callable

CONFIDENCE = 0.95


def proportion(hits: int, of: int) -> str:
    """`97.0 % [91.5, 99.4]`: the share and its exact two-sided 95 % interval."""
    if of == 0:
        return "none"
    low, high = clopper_pearson(hits, of)
    return f"{100 * hits / of:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def clopper_pearson(hits: int, of: int) -> tuple[float, float]:
    """The exact two-sided 95 % interval of a proportion."""
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if hits == 0 else _root(lambda p: 1 - _binomial(hits - 1, of, p) - tail, 0.0, 1.0)
    high = 1.0 if hits == of else _root(lambda p: tail - _binomial(hits, of, p), 0.0, 1.0)
    return low, high


def events_upper(events: int) -> float:
    """The exact one-sided 95 % upper bound of a Poisson mean, from a count: 3.0 for none."""

    def missing(mean: float) -> float:
        terms = (math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(events + 1))
        return (1 - CONFIDENCE) - sum(terms)

    return _root(missing, 1e-9, 2.0 * events + 30.0)


def _binomial(most: int, of: int, p: float) -> float:
    """The probability of at most that many hits."""
    if p in (0.0, 1.0):
        return 1.0 if p == 0.0 or most >= of else 0.0
    logs = (
        math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * math.log(p) + (of - k) * math.log1p(-p)
        for k in range(most + 1)
    )
    return min(1.0, sum(math.exp(one) for one in logs))


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function crosses zero, to 1e-9 of the interval."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2
