"""Does a hash match an entry of a bank, which one, and how well."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safety.frame.banks.index import HammingIndex
from safety.frame.banks.store import Content


class Match(NamedTuple):
    """The entry that a hash matches best. value: 1 for the very hash, 0.5 at the entry's own distance."""

    id: int
    content: str
    distance: int
    value: float
    query: int  # which of the hashes asked about

    @property
    def words(self) -> str:
        """For a reason."""
        name = f" {self.content}" if self.content else ""
        return f"entry {self.id}{name}, {self.distance} bits away"


class Matcher:
    """A bank's PDQ hashes, ready to be asked. Deterministic: of equally near entries the one added first counts."""

    def __init__(self, content: Content, slack: int = 1) -> None:
        """slack: how many times its own distance an entry may be away."""
        self._content = content
        self._distances = content.distances * slack
        radius = int(self._distances.max()) if len(self._distances) else 0
        self._index = HammingIndex(content.values, radius)

    @property
    def search(self) -> str:
        """How it searches, for the posture."""
        return self._index.name

    def matches(self, values: NDArray[np.uint8]) -> list[Match]:
        """For each hash (N, 32) that matches something its best match; hashes without one are left out.

        An entry matches within its own distance. A negative entry that is at least as near takes the match away.
        """
        query, entry, distance = self._index.near(values)
        inside = distance <= self._distances[entry]
        query, entry, distance = query[inside], entry[inside], distance[inside]
        found = []
        for number in np.unique(query):
            here = query == number
            if (best := self._best(entry[here], distance[here], int(number))) is not None:
                found.append(best)
        return found

    def _best(self, entry: NDArray[np.int64], distance: NDArray[np.int64], query: int) -> Match | None:
        held = self._content
        negative = held.negative[entry]
        benign = distance[negative].min(initial=257)
        entry, distance = entry[~negative & (distance < benign)], distance[~negative & (distance < benign)]
        if not len(entry):
            return None
        values = 1.0 - 0.5 * distance / np.maximum(self._distances[entry], 1)
        first = np.lexsort((held.ids[entry], distance, -values))[0]
        best = int(entry[first])
        return Match(int(held.ids[best]), held.names[best], int(distance[first]), float(values[first]), query)
