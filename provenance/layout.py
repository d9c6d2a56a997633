"""Where a manifest goes into an MP4, worked out before a byte is written: what shifts, and what the hash covers.

The layout is the library's own: the manifest's box follows `ftyp`, everything behind it moves by that box's size, and
the chunk offsets in `moov` move with it. Only the plain case is planned: one `ftyp` first, one `moov`, no fragments, no
item locations, no manifest yet. For any other file there is no plan, and the library does the work itself.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from provenance.boxes import top_level
from provenance.credentials import TrailingBox as Box

_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # the extended type of the box that holds a manifest
_KNOWN = frozenset({"ftyp", "free", "skip", "wide", "mdat", "moov", "uuid"})
_CONTAINERS = frozenset({b"trak", b"mdia", b"minf", b"stbl"})
_TABLES = {b"stco": "I", b"co64": "Q"}
# Boxes with offsets of their own, fragments, or a compressed moov. Looked for as bytes: a false hit costs a fallback.
_UNPLANNED = (b"saio", b"iloc", b"mvex", b"cmov")
_LARGEST_MOOV = 64 * 2**20
_UUID_ROOM = 24  # bytes: header and extended type

MDAT_HEAD = 16  # bytes of mdat that the hash of the file covers; what follows is covered by leaves where there are any
# Bytes. A flat hash is what every reader follows, c2pa-ts included; but c2pa-rs holds its mdat in memory when it reads.
_FLAT_UP_TO = 96 * 2**20
_LEAF = 2**20
_MOST_LEAVES = 2_048  # 70 kB of manifest; beyond 2 GiB leaves grow instead


@dataclass(frozen=True)
class Layout:
    """The boxes of a source in order, its index, and how large the leaves of its hash are (0: one flat hash)."""

    boxes: tuple[Box, ...]
    moov: bytes
    leaf_size: int

    @property
    def leaves(self) -> int:
        """How many leaves the media box has."""
        return -(-(self.media.size - MDAT_HEAD) // self.leaf_size) if self.leaf_size else 0

    @property
    def media(self) -> Box:
        """The first media box."""
        return next(box for box in self.boxes if box.type == "mdat")

    def shifted_moov(self, shift: int) -> bytes:
        """The index for media that lies `shift` bytes later; raises OverflowError where 32 bits do not hold that."""
        moved = bytearray(self.moov)
        _shift(moved, 8, len(moved), shift)
        return bytes(moved)


def plan(file: BinaryIO, size: int) -> Layout | None:
    """The layout of an open file of `size` bytes, or None where it is not the plain case; raises OSError."""
    boxes = tuple(top_level(file, size))
    names = [box.type for box in boxes]
    if not names or names[0] != "ftyp" or not _KNOWN.issuperset(names) or "mdat" not in names:
        return None
    if names.count("ftyp") != 1 or names.count("moov") != 1:
        return None
    if any(box.size < _UUID_ROOM or _at(file, box.offset + 8, 16) == _C2PA for box in boxes if box.type == "uuid"):
        return None
    moov = next(box for box in boxes if box.type == "moov")
    if moov.size > _LARGEST_MOOV:
        return None
    content = _at(file, moov.offset, moov.size)
    if struct.unpack(">I", content[:4])[0] != moov.size or any(name in content for name in _UNPLANNED):
        return None
    layout = Layout(boxes, content, _leaf_size(boxes))
    try:
        layout.shifted_moov(0)
    except (struct.error, ValueError):  # a damaged index is the library's to judge
        return None
    return layout


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _leaf_size(boxes: tuple[Box, ...]) -> int:
    """Leaves only for exactly one media box: with two, 0.38 answers trusted or invalid at random."""
    media = [box for box in boxes if box.type == "mdat"]
    if len(media) != 1 or media[0].size <= _FLAT_UP_TO:
        return 0
    leaf = _LEAF
    while media[0].size > leaf * _MOST_LEAVES:
        leaf *= 2
    return leaf


def _shift(moov: bytearray, start: int, end: int, shift: int) -> None:
    while start < end:
        size, name = struct.unpack_from(">I4s", moov, start)
        if not 8 <= size <= end - start:
            raise ValueError(f"box {name!r} of {size} bytes where {end - start} are left")
        if name in _CONTAINERS:
            _shift(moov, start + 8, start + size, shift)
        elif name in _TABLES:
            _shift_table(moov, start, size, _TABLES[name], shift)
        start += size


def _shift_table(moov: bytearray, start: int, size: int, width: str, shift: int) -> None:
    (count,) = struct.unpack_from(">I", moov, start + 12)
    table = f">{count}{width}"
    if 16 + struct.calcsize(table) > size:
        raise ValueError("a chunk offset table that is longer than its box")
    moved = [offset + shift for offset in struct.unpack_from(table, moov, start + 16)]
    if width == "I" and any(offset >= 2**32 for offset in moved):
        raise OverflowError("a chunk offset beyond 4 GiB in a table of 32 bits")
    struct.pack_into(table, moov, start + 16, *moved)
