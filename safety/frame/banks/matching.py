"""Does a hash match an entry of a bank, which one, and how well."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safety.frame.banks.content import Content
from safety.frame.banks.index import HammingIndex

METHOD = "2"  # the way of matching that docs/model-cards/banks.figures.json is about: raise it where that changes


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


class SideMatcher:
    """Pictures with something stamped on a corner or an edge: one side in its own place, within the entry's distance.

    One is enough: of 2,252 strangers no side lay nearer than 46 bits to an entry's (benchmarks/banks).
    """

    def __init__(self, content: Content) -> None:
        self._matchers: list[Matcher] = []
        for place in range(content.sides.shape[1]):
            # A side that was too flat to have a hash is all zeros, and is evidence of nothing.
            kept = np.asarray(content.sides[:, place].any(axis=1), np.bool_)
            names = tuple(name for name, keep in zip(content.names, kept.tolist(), strict=True) if keep)
            here = replace(
                content, ids=content.ids[kept], values=content.sides[kept, place], names=names,
                distances=content.distances[kept], negative=content.negative[kept],
            )  # fmt: skip
            self._matchers.append(Matcher(here))

    def match(self, value: bytes) -> Match | None:
        """The best match of a picture's four hashes; where a negative entry is at least as near, that side has none."""
        queries = np.frombuffer(value, np.uint8).reshape(len(self._matchers), 1, 32)
        found = [
            match
            for matcher, query in zip(self._matchers, queries, strict=True)
            if query.any()
            for match in matcher.matches(query)
        ]
        return min(found, key=lambda one: (-one.value, one.id), default=None)
