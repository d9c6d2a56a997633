"""Which files are met, in which order, and what is said of those that are passed over."""

from __future__ import annotations

import io
import json
import os
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from assay.batch.plan import Plan, moment, shard_of
from assay.batch.sources import Choice, Source, is_video, sources
from media import UsageError

EVERYTHING = Choice()
MP4 = b"\0\0\0\x18ftypisom" + bytes(32)


def laid_out(folder: Path) -> Path:
    """A folder with videos, one of them in disguise, and other things."""
    for name, content in {
        "b.mp4": MP4, "a/z.MOV": MP4, "a/notes.txt": b"words", "a/holiday.dat": MP4, "song.m4a": b"\0\0\0\x18ftypM4A ",
        "c.webm": b"\x1a\x45\xdf\xa3", "broken.avi": b"nothing",
    }.items():  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def met(*names: object, choice: Choice = EVERYTHING, wanted: str | None = None) -> dict[str, Source]:
    return {one.uri: one for one in sources(map(str, names), choice, wanted)}


def test_a_folder_gives_every_file_once_in_order(tmp_path: Path) -> None:
    """Videos by name or by their first bytes are scanned, everything else is named and skipped, sorted by path."""
    folder = laid_out(tmp_path / "clips")
    found = met(folder)
    assert list(found) == [str(path) for path in sorted(folder.rglob("*")) if path.is_file()]
    skipped = {Path(uri).name for uri, one in found.items() if one.skipped}
    assert skipped == {"notes.txt", "song.m4a"}
    assert all(uri in (one.error or {})["message"] for uri, one in found.items() if one.skipped)
    assert {one.name for one in found.values()} >= {"a/z.MOV", "b.mp4"}


def test_what_is_named_twice_is_met_once(tmp_path: Path) -> None:
    """A file that is named, matched by a pattern and listed is one source, scanned whatever its name."""
    folder = laid_out(tmp_path / "clips")
    (tmp_path / "list.txt").write_text(f"{folder}/b.mp4\n\n{folder}/a/notes.txt\n")
    found = met(folder / "b.mp4", folder / "*.mp4", tmp_path / "list.txt")
    assert list(found) == [f"{folder}/b.mp4", f"{folder}/a/notes.txt"]
    assert not any(one.skipped for one in found.values())


def test_folders_that_cannot_be_walked_are_said(tmp_path: Path) -> None:
    """Links to nothing, devices and the folders where the scan writes cost nobody else its row."""
    folder = laid_out(tmp_path / "clips")
    (folder / "gone.mp4").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe.mp4")
    (folder / "passed").mkdir()
    (folder / "passed" / "copy.mp4").write_bytes(MP4)
    found = met(folder, choice=Choice(leave=(folder / "passed",)))
    assert found[f"{folder}/gone.mp4"].skipped
    assert found[f"{folder}/pipe.mp4"].skipped
    assert next(iter(met(folder / "pipe.mp4").values())).error is not None
    assert not any("copy.mp4" in uri for uri in found)


def test_names_that_are_no_text_can_be_told(tmp_path: Path) -> None:
    """A file name that is not UTF-8 has a uri that JSON and a database hold."""
    (tmp_path / os.fsdecode(b"clip-\xff.mp4")).write_bytes(MP4)
    (uri,) = met(tmp_path)
    assert uri.encode("utf-8").endswith(b"clip-\\xff.mp4")


@pytest.mark.parametrize("kind", ["txt", "csv", "jsonl", "parquet"])
def test_lists_of_every_kind(kind: str, tmp_path: Path) -> None:
    """The same names come out of a text file, CSV, JSON lines and Parquet."""
    names = [f"{tmp_path}/one, with a comma.mp4", f"{tmp_path}/zwei ü.mp4"]
    for name in names:
        Path(name).write_bytes(MP4)
    listing = tmp_path / f"list.{kind}"
    if kind == "parquet":
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pa.table({"id": [1, 2], "path": names}), listing)
    else:
        quoted = "".join(f'{n},"{name}"\n' for n, name in enumerate(names))
        lines = "".join(json.dumps({"url": name}) + "\n" for name in names)
        listing.write_text({"txt": "\n".join(names), "csv": "id,Path\n" + quoted, "jsonl": lines}[kind], "utf-8")
    assert list(met(listing)) == names
    assert list(met(wanted=str(listing))) == names


def test_a_bad_line_costs_one_row(tmp_path: Path) -> None:
    """A line that names nothing is named by its number; the lines around it are read."""
    (tmp_path / "list.jsonl").write_text(
        f'{{"path": "{tmp_path}/a.mp4"}}\n{{"path": 3}}\n{{broken\n"{tmp_path}/b.mp4"\n'
    )
    found = list(met(tmp_path / "list.jsonl").values())
    assert [one.error is None for one in found] == [True, False, False, True]
    assert found[1].uri == f"{tmp_path}/list.jsonl:2"
    assert "no JSON" in (found[2].error or {})["message"]


def test_lists_that_are_none_are_usage_errors(tmp_path: Path) -> None:
    """A table without names, a Parquet file that is none, a list that is not there, a pattern without a match."""
    (tmp_path / "two.csv").write_text("id,title\n1,x\n")
    (tmp_path / "no.parquet").write_bytes(b"PAR1 not")
    for name in ("two.csv", "no.parquet"):
        with pytest.raises(UsageError, match=name):
            met(tmp_path / name)
    with pytest.raises(UsageError, match=r"none\.txt"):
        met(wanted=str(tmp_path / "none.txt"))
    with pytest.raises(UsageError, match="no file matches"):
        met(tmp_path / "*.mkv")


def test_stdin_is_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads names from stdin."""
    (tmp_path / "a.mp4").write_bytes(MP4)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{tmp_path}/a.mp4\n"))
    assert list(met("-")) == [f"{tmp_path}/a.mp4"]


@given(names=st.sets(st.text("abcdefgh/", min_size=1), max_size=60), parts=st.integers(1, 9))
def test_shards_are_a_partition(names: set[str], parts: int) -> None:
    """Every file is in exactly one shard, and always in the same."""
    taken = Counter(
        name for number in range(1, parts + 1) for name in names if Choice((number, parts)).takes(Source(name, name))
    )
    assert taken == Counter(names)


def test_since_and_limit(tmp_path: Path) -> None:
    """Older files are left out, skipped files do not count towards the limit."""
    for number in range(4):
        (tmp_path / f"{number}.mp4").write_bytes(MP4)
        (tmp_path / f"{number}.txt").write_bytes(b"words")
        os.utime(tmp_path / f"{number}.mp4", (1000 * number, 1000 * number))
    found = [one for one in met(tmp_path, choice=Choice(since_s=1000.0, limit=2)).values() if one.error is None]
    assert [one.name for one in found] == ["1.mp4", "2.mp4"]


def test_moments_and_shards_in_words() -> None:
    """Ages, dates and i/n are read; anything else is a usage error."""
    present = datetime(2026, 11, 22, tzinfo=UTC)
    assert moment("36h", present) == present.timestamp() - 36 * 3600
    assert moment("2026-11-22T00:00+00:00") == present.timestamp()
    assert shard_of("2/8") == (2, 8)
    for bad in ("0/4", "5/4", "1/0", "x", "1/4/2"):
        with pytest.raises(UsageError):
            shard_of(bad)
    with pytest.raises(UsageError):
        moment("yesterday")


def test_what_was_asked_is_known_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same question from the same folder has the same key; another shard, policy or scoring has another."""
    from safety import Policy

    monkeypatch.chdir(tmp_path)
    policy, plan = Policy.load("default"), Plan(("clips",))
    assert plan.key(policy, "s") == Plan(("clips",)).key(policy, "s")
    others = [Plan(("clips",), choice=Choice((1, 2))), Plan(("clips", "more")), Plan(("clips",), sign_passed=tmp_path)]
    keys = {plan.key(policy, "s"), plan.key(policy, "t"), plan.key(Policy.load("demo"), "s")}
    assert len(keys | {other.key(policy, "s") for other in others}) == 6
    assert plan.resumed({"since_s": 5.0}).choice.since_s == 5.0


def test_first_bytes_tell_a_container(tmp_path: Path) -> None:
    """Transport streams, AVI and animated pictures are videos; text, still pictures and sound are not."""
    stream = bytearray(400)
    stream[0] = stream[188] = 0x47
    videos = [bytes(stream), b"RIFF\0\0\0\0AVI ", b"\x89PNG\r\n\x1a\n....acTL", b"GIF89a", b"\0\0\0\x08moov"]
    others = [b"plain text", b"\x89PNG\r\n\x1a\nIHDR", b"\xff\xd8\xff", b"RIFF\0\0\0\0WAVE", b"\0\0\0\x18ftypheic", b""]
    for number, content in enumerate(videos + others):
        path = tmp_path / str(number)
        path.write_bytes(content)
        assert is_video(path) is (number < len(videos)), content
    assert is_video(tmp_path / "none")
