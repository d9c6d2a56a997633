"""Exact intervals as the tables show them: of proportions, and Garwood's bound for events in a time."""

from __future__ import annotations

import math
from collections.abc import Callable

from assay.intervals import CONFIDENCE, clopper_pearson


def proportion(hits: int, of: int) -> str:
    """`97.0 % [91.5, 99.4]`: the share and its exact two-sided 95 % interval."""
    if of == 0:
        return "none"
    low, high = clopper_pearson(hits, of)
    return f"{100 * hits / of:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def events_upper(events: int) -> float:
    """The exact one-sided 95 % upper bound of a Poisson mean, from a count: 3.0 for none."""

    def missing(mean: float) -> float:
        terms = (math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(events + 1))
        return (1 - CONFIDENCE) - sum(terms)

    return _root(missing, 1e-9, 2.0 * events + 30.0)


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function crosses zero, to 1e-9 of the interval."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2
