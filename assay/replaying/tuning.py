"""`assay policy tune`: thresholds from a labelled run, at a stated false-positive rate; what so many labels support.

The reach of a file is the largest threshold at which a rule would still find something in it, under the rule's own
temporal conditions; for one frame of one that is the maximum. A threshold just above the reach of the (k + 1)-th
innocent file lets k of n through; the intervals are the exact ones of Clopper and Pearson, and hold for the files that
the labelled ones are a fair sample of.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.intervals import Share, at_most, needed_for
from assay.replaying.records import Record
from assay.sampling.labels import Labels
from safety import Action, Examination, Policy, Rule, Score, Stage, Track, segments

ALWAYS = math.inf  # found whatever the threshold: the rule's `instant` was reached
_STEP = 1000  # thresholds are written with three decimals


@dataclass(frozen=True)
class Asked:
    """The rates that are wanted.

    fpr        of rules that block; review_fpr: of rules that ask for review, None leaves these alone
    confident  the exact upper bound (one-sided, 95 %) must lie below the rate, not the share that was seen
    """

    fpr: float
    review_fpr: float | None = None
    confident: bool = False

    def of(self, rule: Rule) -> float | None:
        """The rate for a rule; None where it is left alone."""
        return {Action.BLOCK: self.fpr, Action.REVIEW: self.review_fpr}.get(rule.action)


@dataclass(frozen=True)
class Tuned:
    """One rule, and what its labels say. threshold: None where no threshold is supported; `why` says so.

    flagged   innocent files at the new threshold (of those that were scored), found: violating ones
    before    the same at the threshold of now
    unscored  labelled files of which nobody could say
    """

    rule: Rule
    rate: float
    threshold: float | None
    flagged: Share
    found: Share
    flagged_before: Share
    found_before: Share
    unscored: int
    why: str

    def to_json(self) -> dict[str, Any]:
        """One JSON line."""
        rule = self.rule
        shares = {
            "false_positives": self.flagged, "recall": self.found,
            "false_positives_before": self.flagged_before, "recall_before": self.found_before,
        }  # fmt: skip
        return {
            "rule": rule.id, "category": rule.category, "action": rule.action.word, "fpr": self.rate,
            "threshold_before": rule.threshold, "threshold": self.threshold, "why": self.why, "unscored": self.unscored,
        } | {name: share.to_json() for name, share in shares.items()}  # fmt: skip


def reach(scores: Iterable[Score | Track], rule: Rule) -> float | None:
    """The largest threshold at which the rule finds something; None where nobody who was asked could say."""
    known = [value for score in scores if rule.matches(score.source) for value in [_reach(score, rule)]]
    return max((value for value in known if value is not None), default=None)


def _reach(score: Score | Track, rule: Rule) -> float | None:
    if isinstance(score, Score):
        return score.value
    if score.maximum is None:
        return None
    temporal = rule.temporal
    if temporal.instant is not None and score.maximum >= float(np.float16(temporal.instant)):
        return ALWAYS
    if temporal.k == 1 and temporal.share is None:
        return score.maximum
    slow = temporal.model_copy(update={"instant": None})
    values = np.unique(score.values[~np.isnan(score.values)]).astype(float)  # ascending
    low, high = -1, len(values) - 1  # raising a threshold never adds a segment, so halving finds the last that has one
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if segments(score, float(values[middle]), slow) else (low, middle - 1)
    return float(values[low]) if low >= 0 else 0.0


@dataclass(frozen=True)
class Labelled:
    """One labelled content, and what was said of it."""

    seen: Examination
    violates: frozenset[str]


def labelled(records: Iterable[Record], labels: Labels, examination: Any) -> tuple[list[Labelled], int]:
    """The contents of a run that have a label, and how many of these were scanned only in part.

    examination: of a job's id, what was said. A content counts once, under whichever of its paths has the label.
    """
    found, partial = [], 0
    for record in records:
        said = next((labels.of(record.sha256, uri) for uri in record.uris if labels.holds(record.sha256, uri)), None)
        if said is None:
            continue
        if record.partial is not None:
            partial += 1
            continue
        found.append(Labelled(examination(record.job), said))
    return found, partial


def tune(policy: Policy, files: Sequence[Labelled], asked: Asked) -> list[Tuned]:
    """Every rule about frames that a rate was asked for, and of which some labelled file was scored."""
    made = []
    for rule in policy.rules_for(Stage.FRAME):
        rate = asked.of(rule)
        if rate is not None:
            made.append(_tuned(rule, rate, asked.confident, files))
    return [one for one in made if one.flagged.of or one.found.of]


def _tuned(rule: Rule, rate: float, confident: bool, files: Sequence[Labelled]) -> Tuned:
    innocent, violating, unscored = list[float](), list[float](), 0
    for one in files:
        heard = [s for s in one.seen.scores if s.category == rule.category and s.item.stage is rule.stage]
        value = reach(heard, rule)
        if value is None:
            unscored += 1
        else:
            (violating if rule.category in one.violates else innocent).append(value)
    threshold, why = _threshold(sorted(innocent, reverse=True), rate, confident, rule)
    at = rule.threshold if threshold is None else threshold
    now = [Share.exact(_above(some, at), len(some)) for some in (innocent, violating)]
    before = [Share.exact(_above(some, rule.threshold), len(some)) for some in (innocent, violating)]
    return Tuned(rule, rate, threshold, now[0], now[1], before[0], before[1], unscored, why)


def _above(reaches: Sequence[float], threshold: float) -> int:
    edge = float(np.float16(threshold))
    return sum(value >= edge for value in reaches)


def _threshold(innocent: Sequence[float], rate: float, confident: bool, rule: Rule) -> tuple[float | None, str]:
    """The least threshold that keeps the rate, and what the labels support; innocent: reaches, largest first."""
    count = len(innocent)
    if not count:
        return None, "no innocent file was scored: no false-positive rate can be stated"
    bound = at_most(0, count)
    words = f"{count} innocent files: with none flagged the rate is at most {100 * bound:.2g} % (95 %)"
    if bound > rate:
        words += f"; to show {100 * rate:g} % takes {needed_for(rate)}"
    allowed = math.floor(rate * count + 1e-9)
    if confident:
        if bound > rate:
            return None, words
        allowed = max(k for k in range(allowed + 1) if at_most(k, count) <= rate)
    if allowed >= count:
        return None, f"{words}; at that rate every one of them may be flagged"
    highest = innocent[allowed]
    if highest == ALWAYS:
        return (
            None,
            f"{words}; more of them reach `instant` ({rule.temporal.instant}) than the rate allows: raise it first",
        )
    threshold = _just_above(highest)
    if threshold > 1.0:
        return None, f"{words}; more of them score 1.0 than the rate allows"
    instant = rule.temporal.instant
    if instant is not None and threshold > instant:
        return None, f"{words}; it takes {threshold:g}, above the rule's `instant` ({instant}): raise that first"
    return threshold, words


def _just_above(value: float) -> float:
    """The least threshold of three decimals that a stored value does not reach: both are quantised to float16."""
    step = math.floor(value * _STEP)
    while float(np.float16(step / _STEP)) <= value:
        step += 1
    return step / _STEP
