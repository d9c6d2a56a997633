"""How far two reviewers agree beyond chance: Cohen's kappa, for each category.

Cohen, J. (1960), "A coefficient of agreement for nominal scales". The interval is by his large-sample standard error,
so it is rough below fifty pairs; it is of the sample as drawn, in which rare strata are over-represented.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from assay.intervals import CONFIDENCE
from assay.sampling.estimates import ANY
from assay.sampling.labels import Labels


@dataclass(frozen=True)
class Agreement:
    """Of one category. kappa: None where it is not defined, since both always said the same one thing."""

    category: str
    pairs: int
    both: int  # say that it violates
    only_first: int
    only_second: int
    observed: float | None
    kappa: float | None
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, Any]:
        """One JSON line."""
        return dict(vars(self))


def agreement(first: Labels, second: Labels, category: str) -> Agreement:
    """Over what both have labelled and neither was unsure of."""
    keys = [key for key in first.by_key if key in second.by_key]
    pairs = [(first.by_key[key], second.by_key[key]) for key in keys]
    said = [(_says(a, category), _says(b, category)) for a, b in pairs if a is not None and b is not None]
    return _agreement(category, said)


def _says(label: frozenset[str], category: str) -> bool:
    return bool(label) if category == ANY else category in label


def _agreement(category: str, said: Sequence[tuple[bool, bool]]) -> Agreement:
    count = len(said)
    both = sum(a and b for a, b in said)
    one, two = sum(a and not b for a, b in said), sum(b and not a for a, b in said)
    if not count:
        return Agreement(category, 0, 0, 0, 0, None, None, None, None)
    observed = 1 - (one + two) / count
    first, second = (both + one) / count, (both + two) / count
    chance = first * second + (1 - first) * (1 - second)
    if chance == 1.0:
        return Agreement(category, count, both, one, two, observed, None, None, None)
    kappa = (observed - chance) / (1 - chance)
    half = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * math.sqrt(observed * (1 - observed) / count) / (1 - chance)
    return Agreement(category, count, both, one, two, observed, kappa, max(-1.0, kappa - half), min(1.0, kappa + half))
