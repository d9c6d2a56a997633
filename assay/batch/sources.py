"""Which files a scan is to look at, one after the other, in an order that is the same whenever it is asked again.

A name is a file, a folder, a glob pattern, a URL that fsspec opens, a list of names (CSV, JSON lines, Parquet, text),
or `-` for such a list on stdin. Nothing here decodes a video. What is not to be scanned is yielded too, with its
reason: each file that was met gets its row.
"""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.batch import lists, remote
from media import UsageError

VIDEO_SUFFIXES = tuple(".mp4 .m4v .mov .webm .mkv .avi .gif .ts .mpg .mpeg .wmv .flv .3gp .ogv".split())  # noqa: SIM905
_HEAD = 4096  # bytes that tell a container

# What containers begin with: a video that somebody named `holiday.txt` is a video.
_MAGIC = (
    b"\x1a\x45\xdf\xa3", b"FLV\x01", b"OggS", b"GIF8", b".RMF", b"DKIF", b"YUV4MPEG2", b"nut/multimedia",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"\x06\x0e\x2b\x34",
    b"\x00\x00\x00\x01\x67", b"\x00\x00\x00\x01\x40",
)  # fmt: skip
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"pnot")
_NO_VIDEO_BRANDS = (b"M4A ", b"M4B ", b"heic", b"heix", b"avif", b"mif1")  # sound and still pictures in the same boxes


@dataclass(frozen=True)
class Source:
    """One file.

    uri     what its row calls it, as the user wrote it
    name    where a copy of it belongs, relative to a folder of copies
    path    where it lies; None: it is fetched from `uri`
    error   why it is not scanned, as the `error` of its row; `skipped` where that is no failure
    facts   what its listing said of it: modified (seconds since 1970), fingerprint
    """

    uri: str
    name: str
    path: Path | None = None
    error: dict[str, Any] | None = None
    skipped: bool = False
    modified_s: float | None = None
    fingerprint: str | None = None


@dataclass(frozen=True)
class Choice:
    """Which of the files that are met are taken.

    shard    (i, n): the i-th of n parts (from 1), by a hash of the uri; the same on every machine
    since_s  files changed at that time or later; where nobody knows when, the file is taken
    limit    at most so many files to scan
    leave    folders that are not entered: where this very scan writes
    """

    shard: tuple[int, int] = (1, 1)
    since_s: float | None = None
    limit: int | None = None
    leave: tuple[Path, ...] = ()

    def takes(self, source: Source) -> bool:
        """Whether it is in this part, and new enough."""
        number, parts = self.shard
        if parts > 1 and int.from_bytes(_hash(source.uri), "big") % parts != number - 1:
            return False
        return self.since_s is None or source.modified_s is None or source.modified_s >= self.since_s


def sources(names: Iterable[str], choice: Choice, wanted: str | None = None) -> Iterator[Source]:
    """Every file once. wanted: a list of names to read besides; its kind is told by how its name ends.

    Raises UsageError for a name that can mean nothing: a pattern without a match, a list that is no list.
    """
    met: set[bytes] = set()
    taken = 0
    for source in _all(names, choice, wanted):
        if choice.limit is not None and taken >= choice.limit:
            return
        mark = _hash(source.uri)
        if mark in met or not choice.takes(source):
            continue
        met.add(mark)
        taken += source.error is None
        yield source


def _all(names: Iterable[str], choice: Choice, wanted: str | None) -> Iterator[Source]:
    for name in names:
        yield from lists.named(name, lambda one: _of(one, choice)) if _is_list(name) else _of(name, choice)
    if wanted is not None:
        yield from lists.named(wanted, lambda one: _of(one, choice))


def _is_list(name: str) -> bool:
    if name == "-":
        return True
    path = Path(name)
    return not remote.is_url(name) and path.suffix.lower() in lists.SUFFIXES and path.is_file() and not is_video(path)


def _of(name: str, choice: Choice) -> Iterator[Source]:
    """The files behind one name."""
    if remote.is_url(name):
        yield from (_remote(found, found.uri == name) for found in remote.listed(name))
        return
    path = Path(name)
    if path.is_dir():
        yield from _folder(path, path, {each.absolute() for each in choice.leave})
    elif glob.has_magic(name) and not path.exists():
        matches = sorted(glob.glob(name, recursive=True))
        if not matches:
            raise UsageError(f"{name}: no file matches this pattern")
        for each in matches:
            yield from _entry(Path(each), Path(each).name) if not Path(each).is_dir() else ()
    elif path.exists() and not path.is_file():
        uri = printable(path)
        yield Source(uri, path.name, path, _refusal(f"{uri}: is no regular file"))  # reading it might wait for ever
    else:
        yield Source(printable(path), path.name, path, modified_s=_modified_s(path))


def _remote(found: remote.Listed, given: bool) -> Source:
    """A remote file; one that was named is scanned whatever it is called."""
    video = (
        given or Path(found.name).suffix.lower() in VIDEO_SUFFIXES or _begins_as_video(remote.head(found.uri, _HEAD))
    )
    other = None if video else _not_a_video(found.uri)
    return Source(found.uri, found.name, None, other, not video, found.modified_s, found.fingerprint)


def _folder(folder: Path, top: Path, leave: set[Path]) -> Iterator[Source]:
    if folder.absolute() in leave:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda one: one.name)
    except OSError as error:
        yield Source(
            printable(folder), folder.name, folder, _refusal(f"{folder}: the folder cannot be read ({error.strerror})")
        )
        return
    for entry in entries:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _folder(path, top, leave)
        else:
            yield from _entry(path, str(path.relative_to(top)))


def _entry(path: Path, name: str) -> Iterator[Source]:
    """A file that was met, not named: one that is no video is passed over, and said."""
    uri = printable(path)
    try:
        facts = path.stat()
    except OSError as error:
        yield Source(uri, name, path, _skip(f"{uri}: leads to no file ({error.strerror})"), skipped=True)
        return
    if not stat.S_ISREG(facts.st_mode):
        reason: dict[str, Any] | None = _skip(f"{uri}: is no regular file")
    elif path.suffix.lower() in VIDEO_SUFFIXES or is_video(path):
        reason = None
    else:
        reason = _not_a_video(uri)
    yield Source(uri, name, path, reason, reason is not None, facts.st_mtime)


def is_video(path: Path) -> bool:
    """Whether its first bytes are a video container's. A file that cannot be read may be one: its scan will say."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return True
    return _begins_as_video(head)


def _begins_as_video(head: bytes | None) -> bool:
    if head is None:
        return True
    if head[4:8] in _BOXES:
        return head[8:12] not in _NO_VIDEO_BRANDS
    moving = (head[:4] == b"\x89PNG" and b"acTL" in head) or (head[8:12] == b"WEBP" and b"ANIM" in head[:64])
    stream = any(head[at : at + 1] == b"\x47" == head[at + step : at + step + 1] for at, step in ((0, 188), (4, 192)))
    return head.startswith(_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"AVI ") or moving or stream


def fingerprint(path: Path) -> str:
    """What changes when a file does: size, times, inode. The time of change cannot be set back by whoever wrote it."""
    at = path.stat()
    return f"{at.st_size}.{at.st_mtime_ns}.{at.st_ctime_ns}.{at.st_ino}.{at.st_dev}"


def printable(path: Path) -> str:
    """The path as text; bytes that are no text are written out, since neither JSON nor a database holds them."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _modified_s(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _not_a_video(uri: str) -> dict[str, Any]:
    return _skip(f"{uri}: neither its name nor its first bytes are a video's; name it to scan it all the same")


def _skip(message: str) -> dict[str, Any]:
    return {"type": "Skipped", "stage": "source", "message": message}


def _refusal(message: str) -> dict[str, Any]:
    return {"type": "SourceUnreadable", "stage": "source", "message": message}


def _hash(uri: str) -> bytes:
    return hashlib.blake2b(uri.encode(), digest_size=8).digest()
