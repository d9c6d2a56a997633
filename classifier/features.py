"""The numbers that stand for a stretch, in groups: the detector sees those of its weights; others are for measuring.

`signs` and `spatial` look at single pictures, `temporal` at how they follow each other. What each group is worth on
generators and cameras that were left out is in the model card; the groups that lost are kept so that it can be measured
again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier import signs, spatial, temporal
from classifier.canonical import LONGEST
from classifier.spatial import Named

Planes = NDArray[np.uint8]

GROUPS: Final[Mapping[str, Callable[[Planes, Planes], Named]]] = {
    "signs": signs.measured,
    "chroma": spatial.chroma_measured,
    "spatial": spatial.measured,
    "temporal": temporal.measured,
}


def named(luma: Planes, chroma: Planes, groups: Iterable[str] = ("signs", "chroma")) -> dict[str, float]:
    """The numbers of the planes (T, 256, 256) and (T, 2, 128, 128) by name: `group/...`."""
    luma, chroma = luma[:LONGEST], chroma[:LONGEST]
    return {f"{group}/{name}": value for group in groups for name, value in GROUPS[group](luma, chroma).items()}


def groups_of(names: Iterable[str]) -> tuple[str, ...]:
    """The groups that these names come from, in a fixed order."""
    wanted = {name.partition("/")[0] for name in names}
    return tuple(group for group in GROUPS if group in wanted)
