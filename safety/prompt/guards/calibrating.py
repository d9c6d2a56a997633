"""Calibrates a guard on labelled texts: thresholds at a stated share of innocent texts flagged.

The file that comes out is read by `LocalGuard` and `ChatGuard`; its form is that of `safety.prompt.calibration`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from safety.errors import PolicyError
from safety.prompt.calibration import BLOCK, FORMAT, REVIEW
from safety.prompt.guards.weighing import logit
from safety.score import Item, Score, Stage

MIN_INNOCENT = 20  # fewer innocent texts say nothing of a false-positive rate
_GAP = 0.01  # logits between two knots that fall together


class Guard(Protocol):
    """What is calibrated: a guard without a calibration, so that its scores are probabilities."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def weights_sha256(self) -> str | None: ...  # noqa: D102
    @property
    def categories(self) -> tuple[str, ...]: ...  # noqa: D102
    def score(self, item: Item, text: str) -> Sequence[Score]: ...  # noqa: D102


def calibrate(
    guard: Guard, texts: Iterable[tuple[str, frozenset[str]]], *, review_fpr: float = 0.01, block_fpr: float = 0.002
) -> str:
    """The calibration file (JSON) of a guard, from texts with the categories that they violate (none: innocent).

    A text is innocent for a category where it violates nothing. Answers that the guard owed are left out and counted.
    Raises PolicyError where too few innocent texts were answered.
    """
    if not 0.0 < block_fpr <= review_fpr < 1.0:
        raise PolicyError(f"rates must satisfy 0 < block {block_fpr} <= review {review_fpr} < 1")
    innocent: dict[str, list[float]] = {category: [] for category in guard.categories}
    violating: dict[str, list[float]] = {category: [] for category in guard.categories}
    unanswered = 0
    for number, (text, labels) in enumerate(texts):
        for score in guard.score(Item.text(Stage.PROMPT, f"text-{number}", text), text):
            if score.value is None:
                unanswered += 1
            elif not labels:
                innocent[score.category].append(logit(score.value))
            elif score.category in labels:
                violating[score.category].append(logit(score.value))
    categories = {
        name: _category(name, np.array(innocent[name]), np.array(violating[name]), (review_fpr, block_fpr))
        for name in guard.categories
    }
    document = {
        "format": FORMAT, "model": guard.name, "weights_sha256": guard.weights_sha256, "unanswered": unanswered,
        "categories": categories,
    }  # fmt: skip
    return json.dumps(document, indent=1) + "\n"


def _category(
    name: str, innocent: np.ndarray[Any, Any], violating: np.ndarray[Any, Any], rates: tuple[float, float]
) -> Mapping[str, Any]:
    if len(innocent) < MIN_INNOCENT:
        raise PolicyError(f"{name}: {len(innocent)} innocent texts were answered; {MIN_INNOCENT} are the least")
    review, block = (float(np.quantile(innocent, 1.0 - rate, method="higher")) + _GAP for rate in rates)
    block = max(block, review + _GAP)
    low = min(float(innocent.min()), review - 1.0)
    knots = [[low, 0.0], [review, REVIEW], [block, BLOCK], [block + 3.0, 1.0]]
    return {
        "knots": knots,
        "review": _point(REVIEW, review, innocent),
        "block": _point(BLOCK, block, innocent),
        "recall_review": float((violating >= review).mean()) if len(violating) else None,
        "recall_block": float((violating >= block).mean()) if len(violating) else None,
        "violating": len(violating),
    }


def _point(threshold: float, at: float, innocent: np.ndarray[Any, Any]) -> Mapping[str, Any]:
    flagged, n = int((innocent >= at).sum()), len(innocent)
    return {
        "threshold": threshold, "logit": at, "fpr": flagged / n, "false_positives": flagged, "n": n,
        "interval": _interval(flagged, n),
    }  # fmt: skip


def _interval(k: int, n: int) -> list[float]:
    """The 95 % Wilson interval of a share."""
    z = 1.959964
    centre = (k + z * z / 2) / (n + z * z)
    half = z * float(np.sqrt(k * (n - k) / n + z * z / 4)) / (n + z * z)
    return [max(0.0, centre - half), min(1.0, centre + half)]
