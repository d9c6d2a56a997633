"""What a file is by its first bytes, and what lies behind an MP4's last box."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from provenance.boxes import trailing_boxes
from provenance.kinds import sniff, sniff_bytes, suffix_contradicts


@pytest.mark.parametrize(
    ("name", "mime", "embeds"),
    [
        ("clip.mp4", "video/mp4", True), ("clip.mov", "video/quicktime", True), ("clip.avi", "video/avi", True),
        ("clip.webm", "video/webm", False), ("still.png", "image/png", True), ("still.jpg", "image/jpeg", True),
        ("still.webp", "image/webp", True), ("still.gif", "image/gif", True), ("still.tiff", "image/tiff", True),
        ("still.bmp", "image/bmp", False),
    ],
)  # fmt: skip
def test_real_files_are_known_by_content(name: str, mime: str, embeds: bool, samples: Path, tmp_path: Path) -> None:
    """Each format is recognised under its own name and under a lying one, and the lie is noticed."""
    disguised = tmp_path / "x.pdf"
    disguised.write_bytes((samples / name).read_bytes())
    for path in (samples / name, disguised):
        kind = sniff(path)
        assert kind is not None
        assert (kind.mime, kind.embeds) == (mime, embeds)
        assert suffix_contradicts(path, kind) is (path == disguised)
    assert kind is not None
    assert not suffix_contradicts(tmp_path / "x.unheard", kind)


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"\0\0\0\x20ftypavif", "image/avif"), (b"\0\0\0\x20ftypheic", "image/heic"),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4"), (b"\0\0\0\x20ftyp????", "video/mp4"),
        (b"\0\0\0\x20moov", "video/quicktime"), (b"\0\0\0\x20styp", "video/iso.segment"),
        (b"RIFF\0\0\0\0WAVE", "audio/wav"), (b"ID3\4", "audio/mpeg"), (b"\xff\xfb\x90", "audio/mpeg"),
        (b"fLaC", "audio/flac"), (b"%PDF-1.7", "application/pdf"), (b"\x47" + b"\0" * 187 + b"\x47", "video/mp2t"),
        (b'\xef\xbb\xbf <?xml version="1.0"?><svg xmlns="x">', "image/svg+xml"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    ],
)  # fmt: skip
def test_other_formats_are_known_by_their_first_bytes(head: bytes, mime: str) -> None:
    """Formats that the tests cannot encode are recognised by their published signatures."""
    kind = sniff_bytes(head)
    assert kind is not None
    assert kind.mime == mime


@given(st.binary(max_size=300))
def test_any_bytes_have_a_kind_or_none(head: bytes) -> None:
    """Sniffing never raises, and text is no medium."""
    sniff_bytes(head)
    assert sniff_bytes(b"text " + head) is None
    assert sniff_bytes(b"RIFF\0\0\0\0????") is None


def _box(name: bytes, payload: bytes = b"", size: int | None = None) -> bytes:
    return (8 + len(payload) if size is None else size).to_bytes(4, "big") + name + payload


@pytest.mark.parametrize(
    ("tail", "types"),
    [
        (b"", []),
        (_box(b"free") + _box(b"moov"), []),
        (_box(b"free", b"x"), ["free"]),
        (_box(b"free", b"x") + _box(b"skip"), ["free", "skip"]),
        (b"abc", [""]),
        (_box(b"free", b"", 7), [""]),
        (_box(b"mdat", b"x", 4000), [""]),
        (_box(b"free", b"to the end", 0), ["free"]),
        ((1).to_bytes(4, "big") + b"free" + (20).to_bytes(8, "big") + b"wide", ["free"]),
    ],
)
def test_trailing_boxes_are_those_after_the_last_real_one(tail: bytes, types: list[str], tmp_path: Path) -> None:
    """Padding and non-boxes at the end are listed with their place; padding before a real box is not."""
    head = _box(b"ftyp", b"isom") + _box(b"mdat", b"x" * 100)
    (tmp_path / "a.mp4").write_bytes(head + tail)
    found = trailing_boxes(tmp_path / "a.mp4")
    assert [box.type for box in found] == types
    if found:
        assert found[0].offset == len(head)
        assert sum(box.size for box in found) == len(tail)


def test_a_file_of_countless_boxes_is_given_up_on(tmp_path: Path) -> None:
    """Half a million tiny boxes end in one entry that covers the rest."""
    (tmp_path / "a.mp4").write_bytes(_box(b"ftyp", b"isom") + _box(b"free") * 500_000)
    found = trailing_boxes(tmp_path / "a.mp4")
    assert found[-1].type == ""
    assert len(found) <= 10_001
    assert found[-1].offset + found[-1].size == (tmp_path / "a.mp4").stat().st_size
