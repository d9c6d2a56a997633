"""D3: the evenness of motion. Zheng et al., "D3: Training-Free AI-Generated Video Detection", ICCV 2025.

Real video changes its pace more abruptly: the second differences of the distances between neighbouring embeddings
scatter more widely than in generated video.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classifier.encoders import Embeddings
from classifier.trajectories import Statistics, steps

_TYPICAL = 0.05  # of the deviation between unit vectors: where the scale has its middle, which no threshold depends on


class D3Score:
    """1 / (1 + deviation / 0.05): near 1 where the pace is even."""

    name, version = "d3", "1"
    needs_statistics = False

    def fit(self, real: Sequence[Embeddings]) -> Statistics:
        """Nothing to learn."""
        return {}

    def value(self, trajectory: Embeddings, statistics: Statistics | None) -> float:
        """See `TrajectoryScore`."""
        deviation = float(np.std(np.diff(steps(trajectory))))  # of the second difference of the path's length
        return 1.0 / (1.0 + deviation / _TYPICAL)
