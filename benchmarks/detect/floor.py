"""The colour floor: what a classifier reaches that sees only colours and brightness, and so content and taste.

A detector's margin over it is what it knows of how pictures were made. Fitted in five folds that leave whole families
out; of the fits that were tried (logistic regression at three strengths, a forest) this reached most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.detect.scores import Answered
from media import Frame, probe


def colours(path: str | Path) -> NDArray[np.float64]:
    """Mean, deviation and quartiles of R, G, B, hue, saturation and brightness over a clip: (30,)."""
    looks = [one.small for one in probe(path).frames(looks=()) if isinstance(one, Frame) and one.principal][::2]
    parts = []
    for pixels in looks:
        hsv = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2HSV)
        parts.append(np.concatenate([pixels.reshape(-1, 3), hsv.reshape(-1, 3)], axis=1)[::7])
    every = np.concatenate(parts).astype(np.float64)  # (n, 6)
    quartiles = np.percentile(every, [25, 50, 75], axis=0)
    return np.concatenate([every.mean(0), every.std(0), quartiles.ravel()])


def floor(rows: Sequence[Answered], facts: NDArray[np.float64]) -> list[Answered]:
    """The rows as a classifier of colours (n, 30) answers them, each family judged by a fit on others."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    generated = np.array([one.generated for one in rows])
    families = np.array([one.family for one in rows])
    sources = np.array([one.source for one in rows])
    counts = {source: int(np.sum(sources == source)) for source in set(sources)}
    weights = np.array([1.0 / counts[source] for source in sources])
    values = np.zeros(len(rows))
    for seen, out in StratifiedGroupKFold(5, shuffle=True, random_state=0).split(facts, generated, families):
        fit = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000, class_weight="balanced"))
        fit.fit(facts[seen], generated[seen], logisticregression__sample_weight=weights[seen])
        values[out] = fit.predict_proba(facts[out])[:, 1]
    return [replace(one, value=float(value), likely=None) for one, value in zip(rows, values, strict=True)]
