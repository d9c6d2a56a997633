"""By what a judged file is known again, in a form that signing computes anyway.

The manifest of a large MP4 holds the hash of each block of its media. A digest over those blocks, and over every byte
outside them, says as surely as a plain sha256 that a file is the judged one: both change with any byte. Whoever judges
a file takes both in one read; `publish` then compares the one that it gets while it copies, instead of hashing 500 MB
a second time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenance.kinds import sniff
from provenance.layout import MDAT_HEAD, Layout, plan

CHUNK = 2**20
_VERSION = b"assay blocks 1\n"


@dataclass(frozen=True)
class Digests:
    """What a file was when it was judged; `blocks` only where its layout has hashed blocks of media (hex both)."""

    sha256: str
    blocks: str | None = None

    def same_file(self, found: Digests) -> bool:
        """True where a comparable pair of digests agrees; without a comparable pair the answer is no."""
        if self.blocks and found.blocks:
            return self.blocks == found.blocks
        return bool(self.sha256) and self.sha256 == found.sha256


def digests_of(path: Path) -> Digests:
    """Both digests of a file, from one read; raises OSError, and EOFError where it becomes shorter meanwhile."""
    buffer = memoryview(bytearray(CHUNK))
    kind = sniff(path)
    with path.open("rb", buffering=0) as file:
        size = file.seek(0, 2)
        layout = plan(file, size) if kind is not None and kind.family == "bmff" else None
        whole = hashlib.sha256()
        if layout is None or not layout.leaf_size:
            for chunk in chunks(file, 0, size, buffer):
                whole.update(chunk)
            return Digests(whole.hexdigest())
        blocks = Blocks(layout)
        for box in layout.boxes:
            at = 0
            for chunk in chunks(file, box.offset, box.size, buffer):
                whole.update(chunk)
                blocks.update(box.type, at, chunk)
                at += len(chunk)
    return Digests(whole.hexdigest(), blocks.hexdigest())


def chunks(source: Any, offset: int, size: int, buffer: memoryview) -> Iterator[memoryview]:
    """`size` bytes from `offset` on, in pieces of the one buffer; raises EOFError where the file has become shorter."""
    source.seek(offset)
    while size:
        read = source.readinto(buffer[: min(size, len(buffer))])
        if not read:
            raise EOFError("the file became shorter while it was read")
        size -= read
        yield buffer[:read]


class Blocks:
    """Hashes a file's media blocks one by one, and everything outside them together with where each box stands."""

    def __init__(self, layout: Layout) -> None:
        self._head = MDAT_HEAD if layout.leaf_size else 0
        self._leaves = _Leaves(layout.leaf_size)
        places = "".join(f"{box.type!r} {box.offset} {box.size}\n" for box in layout.boxes)
        self._rest = hashlib.sha256(_VERSION + f"{layout.leaf_size}\n{places}".encode())

    def update(self, box: str, offset: int, chunk: memoryview | bytes) -> int:
        """Takes the next bytes of a box of that type, and returns how many of them lie outside the blocks."""
        outside = len(chunk)
        if box == "mdat" and self._head:
            outside = max(0, min(outside, self._head - offset))
            self._leaves.update(memoryview(chunk)[outside:])
        self._rest.update(chunk[:outside])
        return outside

    def leaves(self) -> tuple[bytes, ...]:
        """Every block's hash, in order; call it when all bytes were taken."""
        return self._leaves.digests()

    def hexdigest(self) -> str:
        """The digest of the whole file; call it when all bytes were taken."""
        whole = self._rest.copy()
        whole.update(b"".join(self._leaves.digests()))
        return whole.hexdigest()


class _Leaves:
    """The hashes of the media's blocks: each of `size` bytes, the last one shorter; none where size is 0."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._open = hashlib.sha256()
        self._room = size
        self._closed: list[bytes] = []

    def update(self, chunk: memoryview) -> None:
        """Takes the next bytes of the media."""
        while len(chunk):
            part = chunk[: self._room]
            self._open.update(part)
            self._room -= len(part)
            chunk = chunk[len(part) :]
            if not self._room:
                self._close()

    def digests(self) -> tuple[bytes, ...]:
        """Every block's hash, in order."""
        if self._room < self._size:
            self._close()
        return tuple(self._closed)

    def _close(self) -> None:
        self._closed.append(self._open.digest())
        self._open, self._room = hashlib.sha256(), self._size
