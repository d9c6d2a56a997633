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

    def is_benign(self, value: NDArray[np.uint8]) -> bool:
        """Whether a negative entry lies within its own distance of the hash (1, 32)."""
        _, entry, distance = self._index.near(value)
        return bool((self._content.negative[entry] & (distance <= self._distances[entry])).any())

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


_AGREE = 2  # quarters of one picture: one alone may be a common sky


class QuarterMatcher:
    """Pictures with something stamped on a corner: two quarters in their own places within the bank's distance."""

    def __init__(self, content: Content) -> None:
        self._rows, self._distance = content.quarters, content.card.distance
        values = np.frombuffer(b"".join(row[3] for row in self._rows), np.uint8).reshape(-1, 32)
        self._kept = np.flatnonzero(values.any(axis=1))  # the others were too flat
        self._index = HammingIndex(values[self._kept], self._distance)

    def match(self, value: bytes) -> Match | None:
        """The best match of a picture's four hashes; None where a negative entry is at least as near."""
        queries = np.frombuffer(value, np.uint8).reshape(4, 32)
        query, near, distance = self._index.near(queries)
        near = self._kept[near]
        here = (near % 4 == query) & np.asarray(queries.any(axis=1))[query]
        owners, distance = near[here] // 4, distance[here]
        agreed = [
            (float(distance[owners == owner].mean()), int(owner))
            for owner in np.unique(owners)
            if (owners == owner).sum() >= _AGREE
        ]
        if not agreed:
            return None
        nearest, owner = min(agreed, key=lambda one: (one[0], not self._rows[one[1]][2], one[1]))
        id, content, negative, _ = self._rows[owner]
        if negative or any(far == nearest and self._rows[other][2] for far, other in agreed):
            return None
        return Match(id, content, round(nearest), 1.0 - 0.5 * nearest / max(1, self._distance), 0)
