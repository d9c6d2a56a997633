"""What the skeleton of a container says about the file around it, read without a decoder.

FFmpeg reads a file that breaks off as one that ends, and believes a header's frame count before it has seen a frame.
Both are answered here, from the lengths that containers write down about themselves.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

_NESTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}  # boxes on the way to sample counts
_DEPTH = 6  # no sane file nests them deeper
_BOXES = 2_000_000  # boxes that are looked at: a day of one-second fragments has a third of that
_PLAUSIBLE = 4_000_000  # samples: a day and a half at 30 fps; below that, a wrong count costs nothing


def size_of(file: BinaryIO) -> int:
    """Bytes in the file."""
    return os.fstat(file.fileno()).st_size


def absurd_claim(file: BinaryIO) -> str | None:
    """What an MP4's skeleton claims that the file is too short for, in words; None where all is plausible.

    Samples of one constant size need no table in the file, so that 20 bytes may claim 4 billion frames, for each of
    which FFmpeg sets memory aside at once. Other kinds of file do not look like boxes, and make no claim.
    """
    end = size_of(file)
    for number, count in enumerate(_sample_counts(file, 0, end, _DEPTH)):
        if count > max(_PLAUSIBLE, end):
            return f"{count} frames in {end} bytes"
        if number > _BOXES:
            return f"more than {_BOXES} boxes"
    return None


def missing_bytes(file: BinaryIO) -> int:
    """How many bytes, at least, the file falls short of what its container claims; 0 where it makes no claim."""
    end = size_of(file)
    file.seek(0)
    head = file.read(64)
    if head[:4] == b"RIFF" and len(head) >= 8:  # AVI, WebP; an odd chunk's pad byte is often left out
        return max(0, int.from_bytes(head[4:8], "little") + 8 - end)
    if head[:1] == b"\x47" and _at(file, 188) == b"\x47":  # MPEG-TS: packets of 188 bytes, and no other claim
        return -end % 188
    if head[:4] == b"\x1aE\xdf\xa3":
        return _missing_matroska(head, end)
    if head[:3] == b"GIF":
        return int(not _ends_with(file, b"\x3b", 16))
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return int(not _ends_with(file, b"IEND", 4096))
    if _is_boxes(file):
        return max([0, *(start + size - end for _, start, size in islice(_boxes(file, 0, end), _BOXES))])
    return 0


def _at(file: BinaryIO, position: int) -> bytes:
    file.seek(position)
    return file.read(1)


def _ends_with(file: BinaryIO, mark: bytes, slack: int) -> bool:
    """Whether the mark stands in the last `slack` bytes: tools append padding and comments."""
    file.seek(max(0, size_of(file) - slack))
    return mark in file.read(slack)


def _is_boxes(file: BinaryIO) -> bool:
    file.seek(4)
    return file.read(4) in {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"wide", b"free", b"skip", b"sidx", b"uuid"}


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, size) of the boxes from start to end; the last one's size may run past the end."""
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        if size == 1:
            large = file.read(8)
            size = struct.unpack(">Q", large)[0] if len(large) == 8 else 0
        elif size == 0:  # to the end of what holds it
            size = end - start
        if size < 8:
            return
        yield kind, start, size
        start += size


def _sample_counts(file: BinaryIO, start: int, end: int, depth: int) -> Iterator[int]:
    """The sample counts that no table in the file backs, and a 0 for every other box passed on the way."""
    for kind, at, size in _boxes(file, start, end):
        if kind in _NESTS and depth:
            yield from _sample_counts(file, at + 8, min(at + size, end), depth - 1)
        elif kind in {b"stsz", b"trun"}:
            file.seek(at + 8)
            head = file.read(12).ljust(12, b"\0")
            flags, first, second = struct.unpack(">III", head)
            yield (second if first else 0) if kind == b"stsz" else (0 if flags & 0xF00 else first)
        else:
            yield 0


def _missing_matroska(head: bytes, end: int) -> int:
    """EBML header, then the segment, whose length is known unless the file was streamed."""
    header = _vint(head, 4)
    if header is None:
        return 0
    length, at = header
    segment = head[at + length :]
    at += length + 4
    size = _vint(segment, 4) if segment[:4] == b"\x18\x53\x80\x67" else None
    if size is None:
        return 0
    return max(0, at + (size[1] - 4) + size[0] - end)


def _vint(octets: bytes, at: int) -> tuple[int, int] | None:
    """A variable-length integer and the position after it; None where it is cut off or means 'unknown'."""
    if at >= len(octets) or octets[at] == 0:
        return None
    width = 9 - octets[at].bit_length()
    raw = int.from_bytes(octets[at : at + width], "big")
    value = raw & ((1 << 7 * width) - 1)
    if at + width > len(octets) or value == (1 << 7 * width) - 1:
        return None
    return value, at + width
