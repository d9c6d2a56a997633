"""The top-level boxes of an MP4, as far as provenance needs them: their order, and what lies behind the last."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from provenance.credentials import TrailingBox

_PADDING = ("free", "skip")
_MOST_BOXES = 10_000  # a file of 8-byte boxes must not keep a reader busy


def trailing_boxes(path: Path) -> tuple[TrailingBox, ...]:
    """The free and skip boxes, or bytes that are no box, after the last real box; raises OSError."""
    trailing: list[TrailingBox] = []
    with path.open("rb") as file:
        for box in top_level(file, path.stat().st_size):
            if box.type in _PADDING or not box.type:
                trailing.append(box)
            else:
                trailing.clear()
    return tuple(trailing)


def top_level(file: BinaryIO, end: int) -> Iterator[TrailingBox]:
    """The top-level boxes in order; what is no box is one with an empty type that runs to the end."""
    offset = 0
    for _ in range(_MOST_BOXES):
        if offset >= end:
            return
        file.seek(offset)
        box = _box(file.read(16), offset, end)
        yield box
        offset += box.size
    yield TrailingBox("", offset, end - offset)


def _box(head: bytes, offset: int, end: int) -> TrailingBox:
    rest = TrailingBox("", offset, end - offset)
    if len(head) < 8:
        return rest
    size, name = struct.unpack(">I4s", head[:8])
    least = 8
    if size == 1 and len(head) == 16:
        (size,) = struct.unpack(">Q", head[8:16])
        least = 16
    elif size == 0:
        size = end - offset  # the last box may run to the end of the file
    if not least <= size <= end - offset:
        return rest
    return TrailingBox(name.decode("latin-1"), offset, size)
