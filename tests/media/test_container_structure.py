"""What a container's skeleton says about the file around it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

import media.structure
from media.structure import absurd_claim, missing_bytes


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def nested(content: bytes, *kinds: bytes) -> bytes:
    for kind in reversed(kinds):
        content = box(kind, content)
    return content


def sizes(constant: int, count: int) -> bytes:
    return box(b"stsz", struct.pack(">III", 0, constant, count))


def run(flags: int, count: int) -> bytes:
    return box(b"trun", struct.pack(">II", flags, count))


HEADS = [b"", b"\0\0\0\x08ftyp", b"RIFF", b"\x1aE\xdf\xa3", b"\x89PNG\r\n\x1a\n", b"GIF8", b"\x47"]
TRACK = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


@pytest.fixture
def asked(tmp_path: Path):
    """The two questions, put to these bytes: `asked(absurd_claim, content)`."""

    def ask(question, content: bytes):
        path = tmp_path / "file"
        path.write_bytes(content)
        with path.open("rb") as file:
            return question(file)

    return ask


@pytest.mark.parametrize(
    ("content", "claim"),
    [
        (nested(sizes(10, 2**31), *TRACK), "2147483648 frames"),
        (nested(sizes(0, 2**31), *TRACK), None),  # a table in the file, which FFmpeg measures itself
        (nested(sizes(10, 1000), *TRACK), None),
        (nested(run(0, 2**30), b"moof", b"traf"), "1073741824 frames"),
        (nested(run(0x200, 2**30), b"moof", b"traf"), None),  # a size for each sample is in the file
        (box(b"free") + nested(sizes(10, 2**31), *TRACK), "2147483648 frames"),
        (box(b"mdat", sizes(10, 2**31)), None),  # content, not structure
        (nested(b"", *[b"moov"] * 500), None),
        (box(b"moov", b"\0\0\0\x14stsz"), None),
        (b"", None),
        (b"\0\0\0\x01moov\0\0", None),
        (b"\x1aE\xdf\xa3 no boxes at all", None),
    ],
)
def test_absurd_sample_counts_are_named(asked, content, claim):
    """A count that nothing in the file backs is named; tables, content, nonsense and other formats are left alone."""
    answer = asked(absurd_claim, content)
    assert answer is None if claim is None else claim in answer


def test_a_skeleton_without_end_is_named(asked, monkeypatch):
    """More boxes than any film has end the reading, so that a file of empty boxes costs seconds, not minutes."""
    monkeypatch.setattr(media.structure, "_BOXES", 100)
    assert asked(absurd_claim, box(b"free") * 90) is None
    assert "boxes" in asked(absurd_claim, box(b"free") * 200)


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (box(b"ftyp", b"x" * 12) + box(b"mdat", b"x" * 100), 0),
        ((box(b"ftyp", b"x" * 12) + box(b"mdat", b"x" * 100))[:-30], 30),
        (box(b"ftyp") + b"\0\0\0\0mdat" + b"x" * 50, 0),  # to the end of the file, however long
        (box(b"ftyp") + b"\0\0\0\x01mdat" + struct.pack(">Q", 1000) + b"x" * 84, 900),
        (b"RIFF" + struct.pack("<I", 100) + b"AVI " + b"x" * 96, 0),
        (b"RIFF" + struct.pack("<I", 100) + b"AVI " + b"x" * 46, 50),
        (b"\x1aE\xdf\xa3\x82xx\x18\x53\x80\x67\x8a" + b"x" * 10, 0),
        (b"\x1aE\xdf\xa3\x82xx\x18\x53\x80\x67\x8a" + b"x" * 4, 6),
        (b"\x1aE\xdf\xa3\x82xx\x18\x53\x80\x67\xff" + b"x" * 4, 0),  # streamed: no length
        (b"\x1aE\xdf\xa3\x82xx" + b"x" * 10, 0),
        (b"\x1aE\xdf\xa3\x00", 0),
        (b"\x1aE\xdf\xa3", 0),
        (b"GIF89a" + b"x" * 30 + b"\x3b", 0),
        (b"GIF89a" + b"x" * 30, 1),
        (b"\x47" + b"x" * 187 + b"\x47" + b"x" * 187, 0),
        (b"\x47" + b"x" * 187 + b"\x47" + b"x" * 100, 87),
        (b"\0\0\0\x01moov\0\0", 0),
        (b"plain text", 0),
        (b"", 0),
    ],
)
def test_missing_bytes_are_counted(asked, content, missing):
    """A file that ends before its container does lacks that many bytes; one that makes no claim lacks none."""
    assert asked(missing_bytes, content) == missing


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(HEADS))
def test_no_bytes_upset_either_question(tmp_path_factory, content, head):
    """Whatever the bytes, the answers are a text or None, and a number of at least 0."""
    path = tmp_path_factory.getbasetemp() / "any-bytes"
    path.write_bytes(head + content)
    with path.open("rb") as file:
        claim, missing = absurd_claim(file), missing_bytes(file)
    assert claim is None or claim
    assert missing >= 0
