"""Fragmented MP4 in segments: the manifest is in the first file, the pictures in the others."""

from __future__ import annotations

import os
from pathlib import Path

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
