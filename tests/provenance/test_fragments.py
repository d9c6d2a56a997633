"""Fragmented MP4 in segments: the manifest is in the first file, the pictures in the others."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from provenance import State, Trust, read_fragment

SEGMENT = b"\0\0\0\x18stypmsdh\0\0\0\0msdhmsix\0\0\0\x10moof\0\0\0\x08mfhd"


def test_segments_that_are_none_say_so(signed: Path, video: Path, tmp_path: Path, trust: Trust) -> None:
    """A missing file, a pipe, a whole video in place of a segment, and swapped arguments are UNREADABLE with a code."""
    segment = tmp_path / "a.m4s"
    segment.write_bytes(SEGMENT)
    os.mkfifo(tmp_path / "pipe")
    for init, fragment, code in (
        (signed, tmp_path / "absent", "file.missing"), (tmp_path / "absent", segment, "file.missing"),
        (signed, tmp_path / "pipe", "file.notRegular"), (signed, video, "format.unsupported"),
        (segment, signed, "format.unsupported"), (signed, Path("a\0b"), "file.denied"),
    ):  # fmt: skip
        found = read_fragment(init, fragment, trust)
        assert (found.state, found.codes) == (State.UNREADABLE, (code,))


def test_a_segment_of_another_file_is_not_trusted(signed: Path, video: Path, tmp_path: Path, trust: Trust) -> None:
    """A segment beside a manifest that does not speak of it, or beside no manifest, is never TRUSTED or VALID."""
    segment = tmp_path / "a.m4s"
    segment.write_bytes(SEGMENT)
    for init in (signed, video):
        assert read_fragment(init, segment, trust).state not in (State.TRUSTED, State.VALID)


THIRD_PARTY = os.environ.get("ASSAY_C2PA_FILES")  # a folder of third-party files, where somebody has one


@pytest.mark.full
@pytest.mark.skipif(THIRD_PARTY is None, reason="ASSAY_C2PA_FILES names no folder of third-party files")
def test_a_pair_by_another_vendor_is_read(tmp_path: Path) -> None:
    """A DASH pair by another signer is VALID to strangers, and INVALID with one bit of the segment changed."""
    folder = Path(str(THIRD_PARTY))
    init, segment = folder / "c2pa-js__dashinit.mp4", tmp_path / "dash1.m4s"
    shutil.copyfile(folder / "c2pa-js__dash1.m4s", segment)
    assert read_fragment(init, segment, Trust()).state is State.VALID
    content = bytearray(segment.read_bytes())
    content[-100] ^= 1
    segment.write_bytes(content)
    assert read_fragment(init, segment, Trust()).state is State.INVALID
