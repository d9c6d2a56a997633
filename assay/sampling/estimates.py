"""Precision and recall of a run from a stratified sample of labels, with intervals.

What the run decided is known for every content; whether a content violates is known for the sample alone. So each
stratum is split by whether the category asked for something (counts known exactly), the share of violations in each
part is estimated from its labels, and the shares are added up with the parts' sizes: the point estimates. The intervals
are of the posterior under Jeffreys' prior for each part, with the unlabelled contents drawn (beta-binomial): for one
share that is the interval that covers 95 % on average, and it stays honest where a part has no violation among few
labels, where the usual normal approximation says "exactly zero". Brown, Cai and DasGupta (2001), "Interval estimation
for a binomial proportion".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.intervals import CONFIDENCE
from assay.sampling.drawing import Sample
from assay.sampling.labels import Labels

DRAWS = 20_000
ANY = "any"  # asks for anything; violates anything


@dataclass(frozen=True)
class Part:
    """Contents of one stratum that one category did, or did not, ask something about.

    size      contents; labelled: of them with a label; violating: of these
    """

    flagged: bool
    size: int
    labelled: int
    violating: int


@dataclass(frozen=True)
class Estimate:
    """A share with its interval; None where nothing supports it."""

    value: float | None
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, float | None]:
        """Plain values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Measured:
    """Of one category: how much of what was flagged violates, and how much of what violates was flagged.

    prevalence  share of all contents that violate
    flagged     contents of the run that the category asked something about
    unlabelled  contents in parts of which not one has a label: the estimates leave them out, the intervals do not
    """

    category: str
    precision: Estimate
    recall: Estimate
    prevalence: Estimate
    contents: int
    flagged: int
    labelled: int
    violating: int
    unlabelled: int

    def to_json(self) -> dict[str, Any]:
        """One JSON line."""
        told = dict(vars(self))
        return told | {name: told[name].to_json() for name in ("precision", "recall", "prevalence")}


def measured(sample: Sample, labels: Labels, category: str) -> Measured:
    """The estimates for one category, or for `any`."""
    parts = _parts(sample, labels, category)
    share = [one.violating / one.labelled if one.labelled else 0.0 for one in parts]
    sizes = np.array([one.size if one.labelled else 0 for one in parts], float)  # (P,)
    hit = np.array([one.flagged for one in parts], bool)
    points = _ratios(np.array(share)[:, None] * sizes[:, None], sizes, hit)
    whole = np.array([one.size for one in parts], float)
    drawn = _ratios(_posterior(parts), whole, hit)
    precision, recall, prevalence = (_estimate(point, some) for point, some in zip(points, drawn, strict=True))
    return Measured(
        category, precision, recall, prevalence,
        contents=int(whole.sum()),
        flagged=int(whole[hit].sum()),
        labelled=sum(one.labelled for one in parts),
        violating=sum(one.violating for one in parts),
        unlabelled=sum(one.size for one in parts if not one.labelled),
    )  # fmt: skip


def categories_of(sample: Sample, labels: Sequence[Labels]) -> list[str]:
    """`any`, and every category that the run asked something about or that a reviewer named."""
    asked = {name for by_name in sample.flagged.values() for name in by_name}
    named = {name for one in labels for said in one.by_key.values() for name in said or ()}
    return [ANY, *sorted(asked | named)]


def _parts(sample: Sample, labels: Labels, category: str) -> list[Part]:
    labelled, violating = Counter[tuple[str, bool]](), Counter[tuple[str, bool]]()
    for one in sample.items:
        if not labels.holds(one.sha256, one.path) or (said := labels.of(one.sha256, one.path)) is None:
            continue
        key = one.stratum, (bool(one.asked) if category == ANY else category in one.asked)
        labelled[key] += 1
        violating[key] += bool(said) if category == ANY else category in said
    parts = []
    for stratum, size in sample.sizes.items():
        asked = 0 if stratum.startswith("allow") else size
        flagged = asked if category == ANY else sample.flagged.get(stratum, {}).get(category, 0)
        for hit, count in ((True, flagged), (False, size - flagged)):
            if count:
                parts.append(Part(hit, count, labelled[stratum, hit], violating[stratum, hit]))
    return parts


def _posterior(parts: Sequence[Part]) -> NDArray[np.float64]:
    """Violations in each part (P, DRAWS): those that were seen, and draws of the rest. The seed is fixed on purpose."""
    random = np.random.default_rng(0)
    drawn = np.zeros((len(parts), DRAWS))
    for place, one in enumerate(parts):
        shares = random.beta(one.violating + 0.5, one.labelled - one.violating + 0.5, DRAWS)
        drawn[place] = one.violating + random.binomial(one.size - one.labelled, shares)
    return drawn


def _ratios(
    violating: NDArray[np.float64], sizes: NDArray[np.float64], hit: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Precision, recall and prevalence (DRAWS,) each; NaN where there is nothing to divide by."""
    found, every = violating[hit].sum(0), violating.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return found / sizes[hit].sum(), found / every, every / sizes.sum()


def _estimate(point: NDArray[np.float64], drawn: NDArray[np.float64]) -> Estimate:
    known = drawn[~np.isnan(drawn)]
    value = float(point[0])
    if not known.size:
        return Estimate(None, None, None)
    tail = 50 * (1 - CONFIDENCE)
    low, high = (float(edge) for edge in np.percentile(known, [tail, 100 - tail]))
    if np.isnan(value):
        return Estimate(None, low, high)
    return Estimate(value, min(low, value), max(high, value))
