"""A linear model over hashed words and character n-grams: numpy only, no hashing in Python loops.

A text (in key form, see `phrases`) becomes a set of buckets: its words, pairs of words, pairs with one word between,
and runs of 3 to 5 characters inside a word (from CJK on also of 1 and 2). The logit of a category is
W[buckets].sum() / sqrt(max(n, FLOOR)) + b.
Masked characters (`_`: names, innocent phrases) take part in no feature, so the rest of the prompt is judged alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import Traversable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from safety.errors import ModelUnavailable

BUCKETS = 1 << 18
WINDOW = 600  # characters judged at once; longer texts are judged in windows, and the maximum counts
STRIDE = 450
MASK = "_"
# Buckets that a text is counted to have at least (five short words have about as many). Without it one word speaks as
# loudly as a sentence: of 1,500 common words, each alone, 3.2 % reached review; with it 0.6 %.
FLOOR = 48

_PRIME = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_DENSE = np.uint64(0x2E80)  # where CJK begins
_SPACE, _BREAK, _MASK = (np.uint64(ord(c)) for c in (" ", ";", MASK))


@dataclass(frozen=True)
class Features:
    """The buckets (N,) of a text, and the characters [starts, ends) (N,) that each came from."""

    buckets: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


def features(text: str) -> Features:
    """The features of a text in key form; a bucket met twice appears once, where it was met first."""
    return features_of([text])[0]


def features_of(texts: Sequence[str]) -> list[Features]:
    """The features of several texts, each as if it were alone; together they cost little more than one of them.

    Between two of them stands a masked character, which no run, no word and no pair reaches across.
    """
    if not texts:
        return []
    buckets, starts, ends = _parts(MASK.join(f" {text} " for text in texts))
    lengths = np.array([len(text) for text in texts])
    begins = np.r_[0, np.cumsum(lengths + 3)[:-1]]  # of each text's leading blank
    owners = np.searchsorted(begins, starts, side="right") - 1
    keys, first = np.unique(owners * BUCKETS + buckets, return_index=True)
    cuts = np.searchsorted(keys, np.arange(len(texts) + 1) * BUCKETS)
    found = []
    for number, (begin, length) in enumerate(zip(begins + 1, lengths, strict=True)):
        mine = slice(cuts[number], cuts[number + 1])
        at = first[mine]
        places = (np.clip(edges[at] - begin, 0, length) for edges in (starts, ends))
        found.append(Features(keys[mine] - number * BUCKETS, *places))
    return found


def _parts(padded: str) -> _Part:
    """The bucket and the place of everything that is counted, in a text with a blank at both ends."""
    codes = np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    codes[codes == _BREAK] = _SPACE
    blank, masked = codes == _SPACE, codes == _MASK
    parts = [_runs(codes, blank, masked, length) for length in (3, 4, 5)] + _words(codes, blank | masked, masked)
    if codes.max(initial=0) >= _DENSE:  # scripts whose words are one or two characters, written without spaces
        parts += [_runs(codes, blank, masked | (codes < _DENSE), length) for length in (1, 2)]
    return (
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.concatenate([part[2] for part in parts]),
    )


_Part = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def _bucket(hashes: NDArray[np.uint64], kind: int) -> NDArray[np.int64]:
    mixed = (hashes + np.uint64(kind)) * _MIX
    mixed ^= mixed >> np.uint64(29)
    mixed *= _PRIME
    return (mixed >> np.uint64(64 - 18)).astype(np.int64)


def _runs(codes: NDArray[np.uint64], blank: NDArray[np.bool_], masked: NDArray[np.bool_], length: int) -> _Part:
    """Runs of `length` characters that lie in one word; a space may stand at either edge."""
    count = len(codes) - length + 1
    if count <= 0:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64)
    hashes = np.zeros(count, np.uint64)
    usable = np.ones(count, bool)
    for offset in range(length):
        hashes = hashes * _PRIME + codes[offset : offset + count]
        usable &= ~masked[offset : offset + count]
        if 0 < offset < length - 1:
            usable &= ~blank[offset : offset + count]
    at = np.flatnonzero(usable)
    return _bucket(hashes[at], length if length > 2 else 10 + length), at, at + length


def _words(codes: NDArray[np.uint64], blank: NDArray[np.bool_], masked: NDArray[np.bool_]) -> list[_Part]:
    """Words, pairs of neighbours, and pairs with one word between. A masked stretch stands as a gap in between."""
    edges = np.diff(blank.astype(np.int8))
    starts, ends = np.flatnonzero(edges == -1) + 1, np.flatnonzero(edges == 1) + 1
    if not len(starts):
        return []
    index = np.arange(len(codes)) - np.repeat(np.r_[0, starts], np.diff(np.r_[0, starts, len(codes)]))
    powers = np.cumprod(np.r_[np.uint64(1), np.full(int(index.max()), _PRIME)], dtype=np.uint64)
    valued = np.where(blank, np.uint64(0), codes) * powers[index]
    hashes = np.add.reduceat(valued, starts)
    gaps = np.cumsum(masked)[starts]
    parts = [(_bucket(hashes, 1), starts, ends)]
    for apart, kind in ((1, 2), (2, 6)):
        if len(starts) > apart:
            near = np.flatnonzero(gaps[apart:] == gaps[:-apart])
            pairs = hashes[:-apart] * _PRIME + hashes[apart:]
            parts.append((_bucket(pairs[near], kind), starts[:-apart][near], ends[apart:][near]))
    return parts


@dataclass(frozen=True)
class LinearModel:
    """Weights (BUCKETS, C) and biases (C,) of the categories."""

    categories: tuple[str, ...]
    weights: NDArray[np.float32]
    biases: NDArray[np.float32]

    @classmethod
    def load(cls, file: Traversable | Path, sha256: str) -> LinearModel:
        """Reads a safetensors file; raises ModelUnavailable where it is missing or its hash is not `sha256`."""
        try:
            raw = file.read_bytes()
        except OSError as error:
            raise ModelUnavailable(f"{file}: cannot be read ({error}); reinstall Assay") from error
        found = hashlib.sha256(raw).hexdigest()
        if found != sha256:
            raise ModelUnavailable(
                f"{file}: sha256 is {found}, expected {sha256}; reinstall Assay, or retrain and recalibrate"
            )
        tensors = load(raw)
        names = tuple(bytes(tensors["categories"]).decode().split("\n"))
        weights = tensors["weights"].astype(np.float32) * tensors["scales"].astype(np.float32)
        if weights.shape != (BUCKETS, len(names)) or tensors["biases"].shape != (len(names),):
            raise ModelUnavailable(f"{file}: weights {weights.shape} are not ({BUCKETS}, {len(names)}); retrain")
        return cls(names, weights, tensors["biases"].astype(np.float32))

    def logits(self, found: Features) -> NDArray[np.float32]:
        """The logits (C,) of one text; a text without a feature has the biases alone."""
        total: NDArray[np.float32] = self.weights[found.buckets].sum(axis=0)
        return total / np.float32(max(len(found.buckets), FLOOR)) ** np.float32(0.5) + self.biases

    def strongest(self, found: Features, column: int, text: str) -> tuple[int, int]:
        """The words [start, end) of the text that speak most for a category: the best one and strong neighbours."""
        weights = self.weights[found.buckets, column].astype(np.float64)
        share = weights / np.maximum(found.ends - found.starts, 1)
        steps = np.zeros(len(text) + 1)
        np.add.at(steps, found.starts, share)
        np.subtract.at(steps, found.ends, share)
        evidence = np.cumsum(steps)[:-1]
        edges = np.diff(np.array([not c.isalnum() for c in f" {text} "], np.int8))
        starts, ends = np.flatnonzero(edges == -1), np.flatnonzero(edges == 1)
        if not len(starts):
            return 0, len(text)
        sums = np.array([evidence[a:b].sum() for a, b in zip(starts, ends, strict=True)])
        first = last = int(sums.argmax())
        while first > 0 and sums[first - 1] >= 0.5 * sums.max():
            first -= 1
        while last + 1 < len(sums) and sums[last + 1] >= 0.5 * sums.max():
            last += 1
        return int(starts[first]), int(ends[last])


def windows(text: str) -> list[tuple[int, int]]:
    """Where a text is cut: overlapping windows of at most WINDOW characters, cut at word edges if there are any."""
    out, start = [], 0
    while len(text) - start > WINDOW:
        end = text.rfind(" ", start + STRIDE, start + WINDOW)
        end = end if end > 0 else start + WINDOW
        out.append((start, end))
        following = text.find(" ", start + STRIDE - 1, end)
        start = following + 1 if following > 0 else start + STRIDE
    return [*out, (start, len(text))]
