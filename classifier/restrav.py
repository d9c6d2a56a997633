"""After ReStraV: how long the steps are and how sharply the path turns. Interno et al., NeurIPS 2025.

The paper trains a classifier on real and generated trajectories; a deployment has real footage only. Here the same
kind of statistics are compared with those of real footage: the farther away, the less real.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifier.encoders import Embeddings
from classifier.trajectories import Statistics, curvature, steps

_SHRINK = 0.1  # of the covariance towards its diagonal: eight numbers from a handful of clips


class RestravScore:
    """d / (1 + d), where d is the Mahalanobis distance from real footage over the square root of its dimension."""

    name, version = "restrav", "1"
    needs_statistics = True

    def fit(self, real: Sequence[Embeddings]) -> Statistics:
        """Mean and inverse covariance of eight numbers a trajectory."""
        found = np.stack([_shape(path) for path in real])  # (n, 8)
        covariance = np.cov(found, rowvar=False)
        own = np.diag(np.maximum(np.diag(covariance), 1e-9))
        inverse = np.linalg.inv((1 - _SHRINK) * covariance + _SHRINK * own + 1e-9 * np.eye(len(own)))
        return {"mean": found.mean(axis=0).tolist(), "inverse": inverse.ravel().tolist()}

    def value(self, trajectory: Embeddings, statistics: Statistics | None) -> float:
        """See `TrajectoryScore`."""
        assert statistics is not None, "restrav compares with real footage"
        away = _shape(trajectory) - np.asarray(statistics["mean"])
        square = float(away @ np.reshape(np.asarray(statistics["inverse"]), (len(away), -1)) @ away)
        distance = float(np.sqrt(max(0.0, square) / len(away)))
        return distance / (1.0 + distance)


def _shape(trajectory: Embeddings) -> NDArray[np.float64]:
    """Mean, least, largest and deviation of steps and of angles: (8,)."""
    parts = (steps(trajectory), curvature(trajectory))
    return np.array([float(f(part)) for part in parts for f in (np.mean, np.min, np.max, np.std)])
