"""Which of many 256-bit hashes lie within a few bits of one: exactly, never approximately.

Small lists are compared one by one (by faiss where the extra `banks` is installed, else by numpy: the same answers).
In large ones the hash is cut into 16 words of 16 bits: of two hashes that differ in fewer than 16 (k + 1) bits, one
word differs in k bits or fewer, so only the entries that share a nearly equal word are compared. At a million hashes
that is some thousands of comparisons.
"""

from __future__ import annotations

import importlib.util
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint8]  # (N, 32)
_SMALL = 20_000  # entries; below this comparing all is as fast
_WORDS, _BITS = 16, 16
_MOST_FLIPS = 2  # beyond 47 bits the words say too little
_BLOCK = 4 << 20  # comparisons at once, in numpy: 32 MB of differences


class HammingIndex:
    """Hashes, and the radius in bits within which they are ever asked for. Read-only after it is built."""

    def __init__(self, values: Hashes, radius: int, *, faiss: bool | None = None) -> None:
        if values.ndim != 2 or values.shape[1] != 32 or values.dtype != np.uint8:
            raise ValueError(f"hashes are uint8 (N, 32), not {values.dtype} {values.shape}")
        self._values = np.ascontiguousarray(values)
        self._words = self._values.view(np.uint64)  # (N, 4)
        self._radius, flips = radius, radius // _BITS
        self._flat: Any = None
        self._table: _Table | None = None
        if len(values) > _SMALL and flips <= _MOST_FLIPS:
            self._table = _Table(self._values, flips)
            self.name = "words of 16 bits"
        elif (importlib.util.find_spec("faiss") is not None) if faiss is None else faiss:
            self._flat = _faiss_flat(self._values)
            self.name = "faiss flat"
        else:
            self.name = "numpy flat"

    def near(self, queries: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """(query, entry, distance), int64 (M,) each: every pair within the radius, by query, then by entry."""
        if not len(self._values) or not len(queries):
            nothing = np.zeros(0, np.int64)
            return nothing, nothing, nothing
        queries = np.ascontiguousarray(queries)
        if self._table is not None:
            found = [self._near_by_words(query, number) for number, query in enumerate(queries)]
        elif self._flat is not None:
            found = [self._near_by_faiss(queries)]
        else:
            step = max(1, _BLOCK // len(self._values))
            found = [self._near_by_numpy(queries[at : at + step], at) for at in range(0, len(queries), step)]
        query, entry, distance = (np.concatenate(part).astype(np.int64) for part in zip(*found, strict=True))
        order = np.lexsort((entry, query))
        return query[order], entry[order], distance[order]

    def _near_by_words(self, query: Hashes, number: int) -> tuple[Any, Any, Any]:
        assert self._table is not None
        candidates = self._table.candidates(query)
        distance = np.bitwise_count(self._words[candidates] ^ query.view(np.uint64)).sum(axis=1, dtype=np.int64)
        close = distance <= self._radius
        entry, first = np.unique(candidates[close], return_index=True)
        return np.full(len(entry), number), entry, distance[close][first]

    def _near_by_faiss(self, queries: Hashes) -> tuple[Any, Any, Any]:
        limits, distance, entry = self._flat.range_search(queries, self._radius + 1)  # its radius is exclusive
        return np.repeat(np.arange(len(queries)), np.diff(limits.astype(np.int64))), entry, distance

    def _near_by_numpy(self, queries: Hashes, first: int) -> tuple[Any, Any, Any]:
        different = np.bitwise_count(queries.view(np.uint64)[:, None] ^ self._words[None])  # (Q, N, 4)
        distance = different.sum(axis=2, dtype=np.int64)
        query, entry = np.nonzero(distance <= self._radius)
        return query + first, entry, distance[query, entry]


class _Table:
    """For each of the 16 words, the entries sorted by it, and where each of its 65,536 values begins."""

    def __init__(self, values: Hashes, flips: int) -> None:
        words = values.view(np.uint16)  # (N, 16)
        self._order = np.empty((_WORDS, len(values)), np.int32)
        self._starts = np.empty((_WORDS, (1 << _BITS) + 1), np.int64)
        for place in range(_WORDS):
            self._order[place] = np.argsort(words[:, place], kind="stable")
            counts = np.bincount(words[:, place], minlength=1 << _BITS)
            self._starts[place] = np.concatenate(([0], np.cumsum(counts)))
        masks = [sum(1 << bit for bit in some) for k in range(flips + 1) for some in combinations(range(_BITS), k)]
        self._masks = np.array(masks, np.uint16)  # (F,)

    def candidates(self, query: Hashes) -> NDArray[np.int32]:
        """Every entry that shares a word with the query, but for the flips; some several times."""
        near = (query.view(np.uint16)[:, None] ^ self._masks[None]).astype(np.int64)  # (16, F)
        places = np.arange(_WORDS)[:, None]
        begin, end = self._starts[places, near], self._starts[places, near + 1]
        lengths = (end - begin).ravel()
        offsets = (begin + places * self._order.shape[1]).ravel()
        skipped = np.repeat(np.cumsum(lengths) - lengths, lengths)
        found: NDArray[np.int32] = self._order.ravel()[np.repeat(offsets, lengths) + np.arange(len(skipped)) - skipped]
        return found


def _faiss_flat(values: Hashes) -> Any:
    import faiss

    faiss.omp_set_num_threads(1)  # workers make the parallelism
    flat = faiss.IndexBinaryFlat(256)
    flat.add(values)
    return flat
