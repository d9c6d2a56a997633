"""Figures over scores: areas under curves, recall at a stated false-positive rate, shares with exact intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from assay.intervals import clopper_pearson

Values = NDArray[np.float64]


def share(k: int, n: int) -> str:
    """A share, k of n, with its exact 95 % binomial interval."""
    if n == 0:
        return "-"
    low, high = clopper_pearson(k, n)
    return f"{k / n:.3f} [{low:.3f}, {high:.3f}]"


def flagged(values: Values, threshold: float) -> str:
    """The share that reaches a threshold."""
    return share(int((values >= threshold).sum()), len(values))


def recall_at(positives: Values, negatives: Values, rate: float = 0.01) -> str:
    """Recall at the threshold that at most `rate` of the negatives pass."""
    ranked = np.sort(negatives)[::-1]
    threshold = ranked[int(rate * len(ranked))] if len(ranked) else 1.0
    return share(int((positives > threshold).sum()), len(positives))


def areas(positives: Values, negatives: Values) -> tuple[float, float]:
    """AUROC and AUPRC; chance is 0.5 and the share of positives."""
    truth = np.r_[np.ones(len(positives)), np.zeros(len(negatives))]
    scores = np.r_[positives, negatives]
    return float(roc_auc_score(truth, scores)), float(average_precision_score(truth, scores))
