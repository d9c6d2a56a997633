"""After STALL: how likely pictures and their steps are among real ones, without having seen a generated one (2025).

A Gaussian is fitted to the embeddings of real pictures and another to the directions of their steps. A video's mean
log-likelihood under each is compared with those of the real clips themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from classifier.encoders import Embeddings
from classifier.trajectories import Statistics

_MOST = 32  # directions of the Gaussian that have a variance of their own; the rest share one

Vectors = NDArray[np.float64]


class StallScore:
    """(1 + z / (1 + |z|)) / 2: z says by how many deviations a clip is less likely than real ones, of both."""

    name, version = "stall", "1"
    needs_statistics = True

    def fit(self, real: Sequence[Embeddings]) -> Statistics:
        """Both Gaussians, and what real clips reach under them."""
        found: dict[str, Sequence[float]] = {}
        for index, name in enumerate(("place", "step")):
            clips = [_parts(path)[index] for path in real]
            found |= {f"{name}_{key}": value for key, value in _gaussian(np.concatenate(clips)).items()}
            reached = [_likelihood(clip, found, name) for clip in clips]
            found[f"{name}_reached"] = [float(np.mean(reached)), max(float(np.std(reached)), 1e-9)]
        return found

    def value(self, trajectory: Embeddings, statistics: Statistics | None) -> float:
        """See `TrajectoryScore`."""
        assert statistics is not None, "stall compares with real footage"
        away = float(np.mean(list(_deviations(trajectory, statistics))))
        return 0.5 * (1.0 + away / (1.0 + abs(away)))  # no exponential: footage far out must still be told apart


def _deviations(trajectory: Embeddings, statistics: Statistics) -> Iterator[float]:
    for name, vectors in zip(("place", "step"), _parts(trajectory), strict=True):
        mean, deviation = statistics[f"{name}_reached"]
        yield (mean - _likelihood(vectors, statistics, name)) / deviation


def _parts(trajectory: Embeddings) -> tuple[Vectors, Vectors]:
    """Where it is, and in which direction it moves."""
    moves = np.diff(trajectory, axis=0)
    return trajectory, moves / np.maximum(np.linalg.norm(moves, axis=1, keepdims=True), 1e-12)


def _gaussian(vectors: Vectors) -> dict[str, list[float]]:
    """Mean, principal directions with their variances, and the variance that the other directions share."""
    mean = vectors.mean(axis=0)
    _, lengths, directions = np.linalg.svd(vectors - mean, full_matrices=False)
    kept = max(1, min(_MOST, len(vectors) // 4, len(lengths)))
    variances = lengths**2 / max(1, len(vectors) - 1)
    rest = float(variances[kept:].sum()) / max(1, vectors.shape[1] - kept)
    floor = 1e-6 * float(variances.sum()) + 1e-12
    return {
        "mean": mean.tolist(),
        "directions": directions[:kept].ravel().tolist(),
        "variances": np.maximum(variances[:kept], floor).tolist(),
        "rest": [max(rest, floor)],
    }


def _likelihood(vectors: Vectors, statistics: Statistics, name: str) -> float:
    """The mean log-likelihood of vectors (n, dim), up to a constant, over the dimension."""
    mean, variances = np.asarray(statistics[f"{name}_mean"]), np.asarray(statistics[f"{name}_variances"])
    directions = np.reshape(np.asarray(statistics[f"{name}_directions"]), (len(variances), -1))  # (kept, dim)
    rest = float(statistics[f"{name}_rest"][0])
    centred = vectors - mean
    along = centred @ directions.T  # (n, kept)
    beside = np.maximum((centred**2).sum(axis=1) - (along**2).sum(axis=1), 0.0)
    return float(-0.5 * np.mean((along**2 / variances).sum(axis=1) + beside / rest) / len(mean))
