"""Merkle trees as RFC 6962 builds them (leaf 0x00, node 0x01), over hexadecimal hashes; and how batches are chained."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from assay.auditing.noting import canonical

GENESIS = "0" * 64  # what the first batch follows
_LEAF, _NODE, _HEAD = b"\x00", b"\x01", b"\x02"


def leaf_of(entry: Mapping[str, Any]) -> str:
    """The leaf of an entry: its key, id, kind, time and commitment."""
    return _sha256(_LEAF + canonical({name: entry[name] for name in ENTRY}).encode())


ENTRY = ("key", "id", "kind", "made", "commitment")  # what a leaf covers
HEADER = ("number", "first", "last", "count", "root", "previous", "sealed", "signer")  # what a head covers


def head_of(batch: Mapping[str, Any]) -> str:
    """The hash of a batch's header, by which the next one is chained to it, and which is signed."""
    return _sha256(_HEAD + canonical({name: batch[name] for name in HEADER}).encode())


def signed_bytes(head: str) -> bytes:
    """What the signature of a checkpoint is made over."""
    return b"assay checkpoint 1\n" + head.encode()


def root_of(leaves: Sequence[str]) -> str:
    """The root over leaves in their order; ValueError where there are none."""
    if not leaves:
        raise ValueError("a batch has at least one entry")
    if len(leaves) == 1:
        return leaves[0]
    cut = _cut(len(leaves))
    return _node(root_of(leaves[:cut]), root_of(leaves[cut:]))


def path_of(leaves: Sequence[str], at: int) -> list[str]:
    """The inclusion path of the leaf at an index, from the leaf up."""
    if len(leaves) == 1:
        return []
    cut = _cut(len(leaves))
    if at < cut:
        return [*path_of(leaves[:cut], at), root_of(leaves[cut:])]
    return [*path_of(leaves[cut:], at - cut), root_of(leaves[:cut])]


def root_by(path: Sequence[str], leaf: str, at: int, count: int) -> str:
    """The root that a path leads to; ValueError where the path is of another length than the tree asks for."""
    if count == 1:
        if path:
            raise ValueError("the path is too long")
        return leaf
    if not path:
        raise ValueError("the path is too short")
    cut = _cut(count)
    if at < cut:
        return _node(root_by(path[:-1], leaf, at, cut), path[-1])
    return _node(path[-1], root_by(path[:-1], leaf, at - cut, count - cut))


def _cut(count: int) -> int:
    """The largest power of two that is smaller than the number of leaves."""
    return 1 << (count - 1).bit_length() - 1


def _node(left: str, right: str) -> str:
    return _sha256(_NODE + bytes.fromhex(left) + bytes.fromhex(right))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
