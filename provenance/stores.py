"""A look at the CBOR of a file's manifests before the library sees them (see `provenance.cbor` for why).

The bytes of a manifest store are found by the container: whole in most formats, in pieces in JPEG and GIF, as base64 in
SVG. In them, every run of bytes that a reader could take for a `cbor` box is walked, wherever it stands: whichever way
the library goes through the JUMBF boxes, damaged ones too, it meets no box that was not walked. A box that does not fit
into the store is none to the library either.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from provenance.boxes import top_level
from provenance.cbor import LengthError, LengthWalker
from provenance.kinds import HEAD_BYTES, sniff_bytes

_MOST_ITEMS = 500_000  # half a second of walking; a hash tree of a film has some thousands
_MOST_CBOR = 64 * 2**20  # bytes of CBOR boxes
_LARGEST_TEXT = 256 * 2**20  # of a JPEG, GIF or SVG, which the library holds in memory too
_FARTHEST = 2**30  # bytes searched where the container tells nothing
_CHUNK = 2**20
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_RIFF_HEAD = 12
_JPEG_PIECE = b"JP"
_GIF_HEAD = b"!\xff\x0bC2PA_GIF"
_SVG_TAG, _SVG_END = b"<c2pa:manifest", b"</c2pa:manifest"
_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd9]")  # not stuffing, fill, or one without a length
_MOST_PARTS = 10_000  # chunks, or names of boxes: a manifest has dozens, and a hostile file must not keep us busy
_MOST_PIECES = 400_000  # of a box: 64 MiB in a GIF have 260,000
_MOST_FRAMES = 16  # of ID3 that are stored in another form
_MOST_UNPACKED = 4 * 2**20

Part = tuple[BinaryIO, int, int]  # a file, and from where to where in it


def false_length(file: BinaryIO) -> str | None:
    """What is wrong with the lengths in the manifests of an open media file, in words; None where nothing is.

    The file is left at its beginning. Raises OSError.
    """
    file.seek(0)
    kind = sniff_bytes(file.read(HEAD_BYTES))
    size = file.seek(0, 2)
    family = kind.family if kind is not None else ""
    seen = _Seen()
    try:
        if family.startswith("bmff"):
            for part in _of_bmff(file, size, seen):
                seen.look(part)
        else:
            for part in _parts(file, size, family):
                seen.look(part)
    except LengthError as error:
        return f"its manifest is malformed: {error}"
    finally:
        file.seek(0)
    return None


def false_length_in_store(store: bytes) -> str | None:
    """The same for a manifest store that is at hand, such as a sidecar's content."""
    try:
        _Seen().look((io.BytesIO(store), 0, len(store)))
    except LengthError as error:
        return f"its manifest is malformed: {error}"
    return None


class _Seen:
    """Walks CBOR, and counts what all of it costs."""

    def __init__(self) -> None:
        self._walker = LengthWalker(_MOST_ITEMS)
        self._left = _MOST_CBOR
        self._names = _MOST_PARTS

    def look(self, part: Part) -> None:
        """Walks every `cbor` box in a part of a file; raises LengthError."""
        file, start, end = part
        for at in range(start, end, _CHUNK):
            file.seek(at)
            chunk = file.read(min(_CHUNK + 3, end - at))  # 3: a name on the border belongs to the first of both
            for match in re.finditer(b"cbor", chunk):
                self._box(part, at + match.start() - 4)

    def item(self, content: bytes) -> None:
        """Walks one item; raises LengthError."""
        self._left -= len(content)
        if self._left < 0:
            raise LengthError("more CBOR than a manifest has")
        self._walker.end_of_item(content)

    def _box(self, part: Part, offset: int) -> None:
        file, start, end = part
        self._names -= 1
        if self._names < 0:
            raise LengthError("more boxes than a manifest has")
        if offset < start:
            return
        file.seek(offset)
        head = file.read(16)
        size, room, least = int.from_bytes(head[:4]), end - offset, 8
        if size == 1 and len(head) == 16:
            size, least = int.from_bytes(head[8:]), 16
        elif size == 0:
            size = room
        if least < size <= room:
            if size > self._left:
                raise LengthError("more CBOR than a manifest has")
            file.seek(offset + least)
            self.item(file.read(size - least))


def _of_bmff(file: BinaryIO, size: int, seen: _Seen) -> Iterator[Part]:
    """The C2PA boxes; of those that hold a part of a hash tree, the CBOR itself is walked."""
    for box in top_level(file, size):
        end = min(box.offset + box.size, box.offset + _LARGEST_TEXT)
        if box.type == "uuid":
            file.seek(box.offset)
            head = file.read(64)
            body = 16 if head[:4] == b"\0\0\0\1" else 8
            purpose, _, _ = head[body + 20 :].partition(b"\0")
            if head[body : body + 16] == _C2PA and purpose == b"merkle":
                file.seek(box.offset + body + 27)
                seen.item(file.read(min(end - box.offset - body - 27, _MOST_CBOR + 1)))
            elif head[body : body + 16] == _C2PA:
                yield file, box.offset, end
        elif not box.type:  # no box, or one too many to count
            yield file, box.offset, end


def _parts(file: BinaryIO, size: int, family: str) -> Iterator[Part]:
    if family in ("webp", "avi", "wav"):
        yield from _of_riff(file, size)
    elif family in _IN_PIECES:
        file.seek(0)
        for store in _IN_PIECES[family](file.read(_LARGEST_TEXT)):
            yield io.BytesIO(store), 0, len(store)
    else:
        yield file, 0, min(size, _FARTHEST)


def _of_riff(file: BinaryIO, size: int) -> Iterator[Part]:
    at = _RIFF_HEAD
    for _ in range(_MOST_PARTS):
        if at + 8 > size:
            return
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] == b"RIFF":  # the next part of a long AVI
            at += _RIFF_HEAD
            continue
        if head[:4] == b"C2PA" or length > size - at - 8:  # a chunk beyond the end: what follows may be anything
            yield file, at + 8, min(at + 8 + length, size, at + _FARTHEST)
        at += 8 + length + length % 2
    yield file, at, min(size, at + _FARTHEST)


def _of_jpeg(content: bytes) -> Iterator[bytes]:
    """The boxes that APP11 segments carry in pieces, each piece with the box's head again."""
    stores: list[list[bytes]] = []
    latest: dict[bytes, list[bytes]] = {}  # by instance number
    at, seen = 2, 0
    while match := _JPEG_MARKER.search(content, at):
        at, seen = match.start(), seen + 1
        if seen > _MOST_PIECES:
            raise LengthError("more segments than a picture has")
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4])
        if content[at + 1] == 0xEB and content[at + 4 : at + 6] == _JPEG_PIECE:
            instance, number = content[at + 6 : at + 8], int.from_bytes(content[at + 8 : at + 12])
            first = number == 1 or instance not in latest
            if first:
                latest[instance] = []
                stores.append(latest[instance])
            latest[instance].append(content[at + 12 if first else at + 20 : end])
        at = max(end, at + 2)
    for pieces in stores:
        yield b"".join(pieces)


def _of_gif(content: bytes) -> Iterator[bytes]:
    """The application extension's content, which is in pieces of 255 bytes."""
    at, seen = 0, 0
    while (at := content.find(_GIF_HEAD, at)) >= 0:
        at += len(_GIF_HEAD) + 3
        pieces = []
        while at < len(content) and content[at]:
            pieces.append(content[at + 1 : at + 1 + content[at]])
            at += 1 + content[at]
            seen += 1
            if seen > _MOST_PIECES:
                raise LengthError("more pieces than a manifest has")
        yield b"".join(pieces)


def _of_svg(content: bytes) -> Iterator[bytes]:
    at = 0
    while (at := content.find(_SVG_TAG, at)) >= 0:
        begin = content.find(b">", at) + 1
        end = content.find(_SVG_END, begin)
        if not begin or end < 0:
            return
        try:
            yield base64.b64decode(b"".join(content[begin:end].split()), validate=True)
        except binascii.Error:
            raise LengthError("it is not in base64") from None
        at = end


def _of_id3(content: bytes) -> Iterator[bytes]:
    """The tag, as it was before it was kept from looking like sound, and what its frames hold compressed."""
    if content[:3] != b"ID3":
        return
    tag = content[: 10 + _syncsafe(content[6:10])]
    if tag[5] & 0x80:
        tag = tag.replace(b"\xff\0", b"\xff")
    yield tag
    for number, match in enumerate(re.finditer(b"GEOB.{5}([^\0])", tag, re.DOTALL)):
        if number == _MOST_FRAMES:
            raise LengthError("more packed frames than a tag has")
        body = tag[match.end() : match.end() + _MOST_UNPACKED]
        if match[1][0] & 0x02:
            body = body.replace(b"\xff\0", b"\xff")
        for head in (0, 1, 4, 5):  # a frame's flags may put a group and a length before its content
            with contextlib.suppress(zlib.error):
                yield zlib.decompressobj().decompress(body[head:], _MOST_UNPACKED)


def _syncsafe(content: bytes) -> int:
    return sum((byte & 0x7F) << shift for byte, shift in zip(content, (21, 14, 7, 0), strict=False))


_IN_PIECES: Mapping[str, Callable[[bytes], Iterator[bytes]]] = {
    "jpeg": _of_jpeg,
    "gif": _of_gif,
    "svg": _of_svg,
    "mp3": _of_id3,
}
