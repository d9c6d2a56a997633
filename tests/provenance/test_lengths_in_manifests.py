"""Lengths in a manifest are held against the bytes that there are, before the library would take memory for them."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import c2pa
import pytest
from hypothesis import example, given, settings, strategies as st

import provenance.stores
from provenance import Kind, Manifest, SigningIdentity, SourceUnreadable, State, Trust, publish, read, read_fragment
from provenance.cbor import LengthError, LengthWalker
from provenance.stores import false_length, false_length_in_store

FALSE = b"\x5a\x7f\xff\xff\xff"  # a string of 2 GiB
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>'


# --- CBOR, by an encoder and a second walker of the test's own ---


def _head(major: int, value: int, wide: int = 0) -> bytes:
    """A head in its shortest form, or in one `wide` steps wider."""
    least = 0 if value < 24 else 1 + sum(value >= limit for limit in (2**8, 2**16, 2**32))
    step = min(least + wide, 4)
    return bytes([major << 5 | value]) if not step else bytes([major << 5 | 23 + step]) + value.to_bytes(1 << step - 1)


numbers, widths = st.integers(0, 2**64 - 1), st.integers(0, 4)
strings = st.builds(
    lambda major, body, wide: _head(major, len(body), wide) + body, st.sampled_from((2, 3)), st.binary(max_size=300),
    widths,
)  # fmt: skip
pieces = st.one_of(
    *(
        st.lists(st.binary(max_size=30), max_size=3).map(
            lambda parts, m=major: bytes([m << 5 | 31]) + b"".join(_head(m, len(p)) + p for p in parts) + b"\xff"
        )
        for major in (2, 3)
    )
)
simple = st.sampled_from((b"\xf4", b"\xf6", b"\xf8\x20", b"\xf9\0\0", b"\xfa\0\0\0\0", b"\xfb" + bytes(8)))
leaves = st.builds(_head, st.sampled_from((0, 1)), numbers, widths) | strings | pieces | simple


def _nested(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    lists = st.lists(inner, max_size=4)
    pairs = st.lists(st.tuples(inner, inner).map(b"".join), max_size=3)
    return st.one_of(
        st.builds(lambda items, wide: _head(4, len(items), wide) + b"".join(items), lists, widths),
        st.builds(lambda items, wide: _head(5, len(items), wide) + b"".join(items), pairs, widths),
        lists.map(lambda items: b"\x9f" + b"".join(items) + b"\xff"),
        pairs.map(lambda items: b"\xbf" + b"".join(items) + b"\xff"),
        st.builds(lambda tag, item: _head(6, tag) + item, numbers, inner),
    )


items = st.recursive(leaves, _nested, max_leaves=12)


def _end(content: bytes, at: int) -> int:
    """Where the item at `at` ends, by plain recursion; IndexError or ValueError where it has no end."""
    major, short = content[at] >> 5, content[at] & 31
    at += 1
    if short > 27:
        if short != 31 or major not in (2, 3, 4, 5):
            raise ValueError
        number = 0
        while content[at] != 0xFF:
            if major in (2, 3) and (content[at] >> 5 != major or content[at] & 31 == 31):
                raise ValueError
            at, number = _end(content, at), number + 1
        if major == 5 and number % 2:
            raise ValueError
        return at + 1
    width = 0 if short < 24 else 1 << short - 24
    value = int.from_bytes(content[at : at + width]) if width else short
    at += width
    if at > len(content):
        raise IndexError
    if major in (2, 3):
        at += value
        if at > len(content):
            raise IndexError
    for _ in range({4: value, 5: 2 * value, 6: 1}.get(major, 0)):
        at = _end(content, at)
    return at


def _walk(content: bytes) -> int:
    return LengthWalker(10_000).end_of_item(content)


@given(item=items, rest=st.binary(max_size=9))
def test_every_item_ends_where_its_encoder_ended_it(item: bytes, rest: bytes) -> None:
    """Whatever is encoded is walked to its end, with and without bytes behind it."""
    assert _walk(item) == len(item)
    assert _walk(item + rest) == len(item)


@given(item=items)
def test_no_beginning_of_an_item_is_taken_for_one(item: bytes) -> None:
    """Cut anywhere, an item has no end."""
    for size in range(min(len(item), 200)):
        with pytest.raises(LengthError):
            _walk(item[:size])


@settings(max_examples=500)
@given(item=items, place=st.integers(0, 10**6), patch=st.binary(min_size=1, max_size=6))
@example(item=b"\xc1\xf6", place=1, patch=b"\xff")
@example(item=b"\x9f\xc1\xff\xff", place=0, patch=b"\x9f")
def test_damaged_items_are_walked_as_by_the_second_walker(item: bytes, place: int, patch: bytes) -> None:
    """After any change the walker agrees with plain recursion on where the item ends, or that it does not."""
    at = place % len(item)
    changed = item[:at] + patch + item[at + len(patch) :]
    try:
        expected: int | None = _end(changed, 0)
    except (IndexError, ValueError):
        expected = None
    if expected is None:
        with pytest.raises(LengthError):
            _walk(changed)
    else:
        assert _walk(changed) == expected


@given(item=strings, more=st.integers(1, 2**32 - 1000))
def test_a_string_that_is_longer_than_its_bytes_is_refused(item: bytes, more: int) -> None:
    """A length with as much as one byte too many is not walked over, alone and inside an array."""
    body = item[_end(item, 0) :]
    assert body == b""
    for major in (2, 3, 4, 5):
        with pytest.raises(LengthError):
            _walk(_head(major, len(item) + more) + item)


def test_what_would_keep_a_walker_busy_is_refused() -> None:
    """Nesting and the number of items have an end."""
    assert _walk(b"\x81" * 100 + b"\0") == 101
    for content in (b"\x81" * 200 + b"\0", b"\x9f" * 200 + b"\xff" * 200, b"\x9f" + b"\x80" * 20_000 + b"\xff"):
        with pytest.raises(LengthError, match=r"nested|more items"):
            _walk(content)


# --- the containers that hold it ---


@pytest.fixture(scope="module")
def carriers(samples: Path, sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples, a drawing and sounds in one folder."""
    folder = tmp_path_factory.mktemp("carriers")
    for path in samples.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "drawing.svg").write_bytes(SVG)
    for path in sounds.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


CARRIERS = [
    *("clip.mp4", "clip.mov", "hevc.mp4", "clip.avi", "still.png", "still.jpg", "still.webp", "still.gif"),
    *("still.tiff", "drawing.svg", "tone.wav", "tone.m4a", "tone.flac", "tone.mp3"),
]


def _spoiled(content: bytes, svg: bool = False) -> bytes:
    """The content with a false length at the beginning of the first CBOR box."""
    if svg:
        before, found, after = content.partition(b"<c2pa:manifest>")
        store, closing, rest = after.partition(b"</c2pa:manifest>")
        assert found
        assert closing
        return before + found + base64.b64encode(_spoiled(base64.b64decode(store))) + closing + rest
    at = content.index(b"cbor", content.index(b"cbor") + 8) + 4  # the first is the name of a description
    return content[:at] + FALSE + content[at + 5 :]


@pytest.fixture
def uncalled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Fails whoever calls the library's reader."""
    called: list[object] = []

    def try_create(*given: object, **named: object) -> Any:
        called.append(given)
        raise AssertionError("the library was called")

    monkeypatch.setattr(c2pa.Reader, "try_create", try_create)
    return called


@pytest.mark.parametrize("name", CARRIERS)
def test_a_false_length_is_noticed_in_every_container(
    name: str, carriers: Path, folder: Path, manifest: Callable[..., Manifest], identity: SigningIdentity,
    trust: Trust, uncalled: list[object], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The intact file stays TRUSTED; with one length changed it is UNREADABLE, and the library is not asked."""
    with monkeypatch.context() as as_ever:
        as_ever.setattr(c2pa.Reader, "try_create", _REAL)
        assert publish(carriers / name, folder / name, manifest(), identity).state is State.TRUSTED
    (folder / name).write_bytes(_spoiled((folder / name).read_bytes(), name.endswith(".svg")))
    found = read(folder / name, trust)
    assert (found.state, found.codes) == (State.UNREADABLE, ("manifest.malformed",))
    assert "malformed" in str(found.note)
    assert not uncalled


_REAL = c2pa.Reader.try_create


def test_a_false_length_is_noticed_in_a_sidecar_and_in_segments(
    samples: Path, signed: Path, folder: Path, manifest: Callable[..., Manifest], identity: SigningIdentity,
    trust: Trust,
) -> None:  # fmt: skip
    """A sidecar is looked at as it is read, and so are a first file and a segment with a part of a hash tree."""
    publish(samples / "clip.webm", folder / "clip.webm", manifest(), identity)
    sidecar = folder / "clip.c2pa"
    sidecar.write_bytes(_spoiled(sidecar.read_bytes()))
    assert read(folder / "clip.webm", trust).codes == ("manifest.malformed",)
    segment, init = folder / "a.m4s", folder / "init.mp4"
    head = b"\0\0\0\x18stypmsdh\0\0\0\0msdhmsix"
    init.write_bytes(_spoiled(signed.read_bytes()))
    segment.write_bytes(head)
    assert read_fragment(init, segment, trust).codes == ("manifest.malformed",)
    for cbor, code in ((b"\xa1\x61a\x01", None), (b"\xa1\x61a" + FALSE, "manifest.malformed")):
        body = provenance.stores._C2PA + bytes(4) + b"merkle\0" + cbor
        segment.write_bytes(head + struct.pack(">I4s", 8 + len(body), b"uuid") + body)
        assert (code is None) == ("manifest.malformed" not in read_fragment(signed, segment, trust).codes)


def test_a_malformed_input_is_not_handed_to_the_library(
    samples: Path, folder: Path, manifest: Callable[..., Manifest], identity: SigningIdentity
) -> None:
    """A picture that a model only looked at, and whose credentials nobody judged, is refused by name."""
    still = folder.parent / "still.png"
    publish(samples / "still.png", still, manifest(), identity)
    still.write_bytes(_spoiled(still.read_bytes()))
    with pytest.raises(SourceUnreadable, match=r"still\.png.*malformed"):
        publish(samples / "clip.mp4", folder / "a.mp4", manifest(Kind.IMAGE_TO_VIDEO, still), identity)
    assert not list(folder.iterdir())


def _box(content: bytes, size: int | None = None) -> bytes:
    return struct.pack(">I4s", 8 + len(content) if size is None else size, b"cbor") + content


def _jpeg(*pieces: tuple[int, int, bytes], scan: bytes = b"") -> bytes:
    """A JPEG of APP11 segments: instance, number and content (with the box's head, which each piece repeats)."""
    segments = [b"JP" + struct.pack(">HI", instance, number) + body for instance, number, body in pieces]
    return (
        b"\xff\xd8\xff\xe0\0\x04ab" + scan
        + b"".join(b"\xff\xff\xeb" + struct.pack(">H", 2 + len(each)) + each for each in segments) + b"\xff\xd9"
    )  # fmt: skip


def _id3(frame_flags: bytes, body: bytes, tag_flags: int = 0) -> bytes:
    frame = b"GEOB" + struct.pack(">I", len(body)) + frame_flags + body
    size = len(frame)
    return b"ID3\4\0" + bytes([tag_flags, size >> 21, size >> 14 & 127, size >> 7 & 127, size & 127]) + frame


def test_a_box_in_pieces_is_put_together() -> None:
    """APP11 segments of one instance continue each other, behind fill bytes and a scan too; another's do not."""
    good, spoiled = _box(b"\x49abcdefghi"), _box(b"\x49abcd")  # 4 bytes of 9
    beyond = _box(b"\x49abcd", 500)  # which is no box
    for box, fault in ((good, False), (spoiled, True), (beyond, False)):
        head, tail = box[:10], box[:8] + box[10:]
        for scan in (b"", b"\xff\xda\0\x04ab" + b"\xff\0cbor\xff\xd0"):
            content = _jpeg((1, 1, head), (2, 1, b"\0\0\0\x09jumb!"), (1, 2, tail), scan=scan)
            assert bool(false_length(io.BytesIO(content))) is fault
    again = _jpeg((1, 1, good), (1, 1, spoiled))  # the same instance begins anew
    assert false_length(io.BytesIO(again))


def test_what_a_tag_holds_in_another_form_is_seen() -> None:
    """In an ID3 tag: plain, kept from looking like sound (a zero behind each 0xFF), and compressed."""
    for content, fault in ((b"\x43\xff\0\xff", False), (b"\x44\xff\0\xff", True)):
        box = _box(content)
        escaped = box.replace(b"\xff", b"\xff\0")
        packed = zlib.compress(box)
        length = struct.pack(">I", len(box))
        for tag in (
            _id3(b"\0\0", box), _id3(b"\0\x09", length + packed), _id3(b"\0\x80", length + packed),
            _id3(b"\0\0", escaped, 0x80),
        ):  # fmt: skip
            assert bool(false_length(io.BytesIO(tag))) is fault, tag
    assert false_length(io.BytesIO(b"\xff\xfb\x90\0" + _box(FALSE))) is None  # no tag, so no manifest


def test_boxes_of_every_size_are_seen() -> None:
    """A size in 64 bits and one that runs to the end count; one beyond the store is no box, to the library neither."""
    wide = struct.pack(">I4sQ", 1, b"cbor", 21) + FALSE
    for box in (wide, _box(FALSE, 0), b"x" * (2**20 - 6) + _box(FALSE), b"cbor" + _box(FALSE)):
        assert false_length_in_store(box), box[-30:]
    for box in (_box(FALSE, 5000), b"cbor", wide[:10], _box(b"", 8), b""):
        assert false_length_in_store(box) is None


def test_other_containers_are_gone_through_whole(tmp_path: Path) -> None:
    """A long AVI's later parts, a chunk that lies about its length, and what is no box of an MP4 are all looked at."""
    bad = _box(FALSE)
    chunk = b"C2PA" + struct.pack("<I", len(bad)) + bad
    riff = b"RIFF" + struct.pack("<I", 4) + b"AVI "
    movie = b"movi" + struct.pack("<I", 3) + b"abc\0"
    ftyp = b"\0\0\0\x18ftypisom" + bytes(12)
    for content in (
        riff + chunk, riff + movie + b"RIFF\x04\0\0\0AVIX" + chunk, riff + b"junk\xff\xff\xff\xff" + bad,
        ftyp + b"\xff\xff\xff\xff" + bad, ftyp + b"\0\0\0\0uuid" + provenance.stores._C2PA + bad,
        b"<svg><c2pa:manifest>%%%</c2pa:manifest></svg>",
    ):  # fmt: skip
        assert false_length(io.BytesIO(content)), content
    for content in (riff + movie + b"junk" + chunk[4:], ftyp + b"\0\0\0\0mdat" + bad, ftyp + b"\0\0\0\0uuid" + bad):
        assert false_length(io.BytesIO(content)) is None


def test_more_cbor_than_any_manifest_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes that overlap by the thousand cannot keep a reader busy: their bytes are counted together."""
    monkeypatch.setattr(provenance.stores, "_MOST_CBOR", 5_000)
    assert false_length_in_store(_box(b"\xf6") * 100) is None
    for store in (_box(b"\xf6" + bytes(50)) * 200, struct.pack(">I4s", 0, b"cbor") * 2_000):
        assert "more CBOR" in str(false_length_in_store(store))


def test_files_made_of_small_parts_are_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of boxes, chunks, segments, pieces and packed frames by the million have an end."""
    for name in ("_MOST_PARTS", "_MOST_PIECES", "_MOST_FRAMES"):
        monkeypatch.setattr(provenance.stores, name, 20)
    packed = _id3(b"\0\x80", b"x" * 9)[10:] * 30
    size = len(packed)
    for content in (
        b"\x89PNG\r\n\x1a\n" + b"cbor" * 30, b"\xff\xd8\xff\xe0\0\2" + b"\xff\xe1\0\2" * 30,
        b"GIF89a!\xff\x0bC2PA_GIF\1\0\0" + b"\1x" * 30 + b"\0",
        b"ID3\4\0\0\0\0" + bytes([size >> 7, size & 127]) + packed,
        b"RIFF\4\0\0\0AVI " + b"junk\0\0\0\0" * 30 + _box(FALSE),
    ):  # fmt: skip
        assert false_length(io.BytesIO(content)), content
    assert false_length(io.BytesIO(b"RIFF\4\0\0\0AVI " + b"junk\0\0\0\0" * 30)) is None
    assert false_length(io.BytesIO(b"<svg>" + b"<c2pa:manifest>" * 30)) is None
