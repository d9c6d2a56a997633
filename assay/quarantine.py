"""Where the worst material goes: sealed on the disk, every access logged, never deleted while it is on hold (law 7).

A hit under `sexual/minors`, or in a bank marked so, makes no picture anywhere. The item comes here instead: its content
and a record of what was found, each sealed (`assay.sealed`), under an id that says nothing. What is known of an item
without opening it (when it came, its size, who holds it) stands in the access log (`assay.accesslog`). That log is also
the only memory of holds and deletions, so that neither can be changed unnoticed.

Every item is on hold from its first moment; a person releases it, with a name and a reason, before it can be deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from assay import sealed
from assay.accesslog import Access, AccessLog, Line
from assay.sealed import CHUNK, SealBroken
from media import AssayError, UsageError, sync_folder

AUTOMATIC = "automatic"  # the hold that every item starts with
_STAGED = ".staged-"
_ABANDONED = 86_400  # seconds; nobody takes a day to seal a file
_SYSTEM = Access("assay", "found by a scan or a generation")


class UnderHold(UsageError):
    """The item is on hold; deletion never overrides that."""


class NotQuarantined(UsageError):
    """No item of that id, or it was deleted."""


@dataclass(frozen=True)
class Evidence:
    """What is known of an item when it comes in. `record` is sealed: decisions, reasons, posture, job, origin."""

    kind: str  # output, input, existing, prompt
    name: str  # a file name for whoever opens the package
    record: dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """An item as the log knows it, without opening it."""

    id: str
    kind: str
    came: str  # RFC 3339, UTC
    size: int  # bytes
    holds: tuple[str, ...]  # matters for which it is kept; empty: it may be deleted

    def to_json(self) -> dict[str, Any]:
        """One line of `assay quarantine list --json`."""
        return {"id": self.id, "kind": self.kind, "came": self.came, "size": self.size, "holds": list(self.holds)}


@dataclass(frozen=True)
class Package:
    """Evidence for a receiver outside: the record, and the content where that was asked for."""

    id: str
    record: dict[str, Any]
    content: Iterator[bytes] | None  # chunks; raises SealBroken where the content does not hold


class Reporter(Protocol):
    """The seam for the report that law asks for: whoever receives it has an own form and an own channel."""

    @property
    def name(self) -> str:
        """The receiver, as the access log names it."""
        ...

    def report(self, package: Package) -> str:
        """Hands the evidence over, and returns the receiver's reference. Raises AssayError where it was not taken."""
        ...


class Quarantine:
    """The quarantine in a folder (0700). Any number of processes may use it at once."""

    def __init__(self, folder: Path, key_path: Path) -> None:
        self.folder, self._items = folder, folder / "items"
        known = self._items.is_dir() and any(self._items.iterdir())
        self._key = sealed.load_key(key_path, create=not known)  # a new key beside old items would only hide the loss
        self._items.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.log = AccessLog(folder, sealed.derived(self._key, b"", b"assay access log"))

    def put(self, evidence: Evidence, content: Path | bytes, access: Access = _SYSTEM) -> str:
        """Seals a copy of the content with its record, on hold; returns the item's id. The original is not touched.

        Raises OSError where it cannot be read or kept: then nothing half-written stays.
        """
        id = f"qua_{secrets.token_hex(12)}"
        staged = self._items / f"{_STAGED}{id}"
        staged.mkdir(mode=0o700)
        try:
            facts = self._seal_content(staged / "content", id, content)
            known = {"id": id, "kind": evidence.kind, "name": evidence.name, "came": _now(), **facts}
            self._write(staged / "record", id, [json.dumps({**known, **evidence.record}).encode()])
            with self.log.held():
                os.rename(staged, self._items / id)
                sync_folder(self._items)
                self.log.append("put", id, access, kind=evidence.kind, size=facts["size"])
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return id

    def entries(self) -> list[Entry]:
        """What is kept, oldest first. Nothing is opened, so nothing is logged; what a kill left undone is done."""
        with self.log.held() as lines:
            self._settle(lines)
            return list(_entries(self.log.lines()).values())

    def show(self, id: str, access: Access) -> dict[str, Any]:
        """The sealed record: hashes, decisions, times. Logged before it is opened."""
        with self._logged("show", id, access):
            return self._record(id)

    def hold(self, id: str, matter: str, access: Access) -> Entry:
        """Keeps the item for a matter, beside any other; deletion is refused until each is released."""
        with self._logged("hold", id, access, matter=_matter(matter)):
            return self._entry(id)

    def release(self, id: str, matter: str, access: Access) -> Entry:
        """Ends the hold for one matter; UsageError where there is none of that name."""
        with self.log.held() as lines:
            entry = _known(lines, id)
            if matter not in entry.holds:
                raise UsageError(
                    f"{id} is not on hold for {matter!r}; it is for: {', '.join(entry.holds) or 'nothing'}"
                )
            self.log.append("release", id, access, matter=matter)
            return self._entry(id)

    def delete(self, id: str, access: Access) -> None:
        """Removes content and record for good; the log keeps that they were here. UnderHold where a hold stands."""
        with self.log.held() as lines:
            entry = _known(lines, id)
            if entry.holds:
                self.log.append("delete-refused", id, access)
                raise UnderHold(f"{id} is on hold ({', '.join(entry.holds)}); release it first")
            self.log.append("delete", id, access)
            self._remove(id)

    def report(self, id: str, reporter: Reporter, access: Access, *, include_content: bool) -> str:
        """Hands the evidence to a receiver; its reference is logged, and so is an attempt that failed."""
        with self._logged("report", id, access, receiver=reporter.name, content=include_content):
            record = self._record(id)
        content = self._open(id, "content") if include_content else None
        try:
            reference = reporter.report(Package(id, record, content))
        except BaseException:
            with self._logged("report-failed", id, access, receiver=reporter.name):
                raise
        with self._logged("reported", id, access, receiver=reporter.name, reference=reference):
            return reference

    def _seal_content(self, target: Path, id: str, content: Path | bytes) -> dict[str, Any]:
        """Seals the content and returns its size and hashes, all from one read."""
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)  # receivers compare lists of MD5
        size = 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for chunk in _chunks(content):
                sha256.update(chunk)
                md5.update(chunk)
                size += len(chunk)
                yield chunk

        self._write(target, id, counted())
        return {"size": size, "sha256": sha256.hexdigest(), "md5": md5.hexdigest()}

    def _write(self, target: Path, id: str, chunks: Iterable[bytes]) -> None:
        with open(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as file:
            sealed.seal(chunks, file, self._key, _purpose(id, target.name))
            file.flush()
            os.fsync(file.fileno())

    def _open(self, id: str, part: str) -> Iterator[bytes]:
        try:
            file: BinaryIO = (self._items / id / part).open("rb")
        except OSError as error:
            raise SealBroken(f"the {part} of {id} is gone: {error.strerror}") from error
        with file:
            yield from sealed.opened(file, self._key, _purpose(id, part))

    def _record(self, id: str) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(b"".join(self._open(id, "record")))
        return record

    def _entry(self, id: str) -> Entry:
        return _known(self.log.lines(), id)

    @contextmanager
    def _logged(self, event: str, id: str, access: Access, **facts: Any) -> Iterator[None]:
        """Writes the line before what it speaks of is done, for an item that is here."""
        with self.log.held() as lines:
            _known(lines, id)
            self.log.append(event, id, access, **facts)
            yield

    def _settle(self, lines: list[Line]) -> None:
        """Ends what a process that was killed had begun; only while the log is held."""
        known, gone = {line.item for line in lines}, {line.item for line in lines if line.event == "delete"}
        for path in self._items.iterdir():
            if path.name in gone or (path.name.startswith(_STAGED) and time.time() - path.stat().st_mtime > _ABANDONED):
                self._remove(path.name)
            elif path.name not in known and not path.name.startswith(_STAGED):  # whole, and its line not yet written
                record = self._record(path.name)
                found = Access("assay", "found in the folder without a line: its process was killed")
                self.log.append("put", path.name, found, kind=record["kind"], size=record["size"])

    def _remove(self, id: str) -> None:
        shutil.rmtree(self._items / id, ignore_errors=True)
        sync_folder(self._items)
        if (self._items / id).exists():
            raise AssayError(f"{self._items / id} cannot be removed; remove it and list again")


def _entries(lines: Iterable[Line]) -> dict[str, Entry]:
    """What the log says of each item that is still here."""
    found: dict[str, Entry] = {}
    for line in lines:
        known = found.get(line.item)
        if line.event == "put":
            found[line.item] = Entry(line.item, line.facts["kind"], line.time, line.facts["size"], (AUTOMATIC,))
        elif known is not None and line.event in ("hold", "release"):
            matter = line.facts["matter"]
            kept = tuple(each for each in known.holds if each != matter)
            holds = (*kept, matter) if line.event == "hold" else kept
            found[line.item] = Entry(known.id, known.kind, known.came, known.size, holds)
        elif line.event == "delete":
            found.pop(line.item, None)
    return found


def _known(lines: list[Line], id: str) -> Entry:
    entry = _entries(lines).get(id)
    if entry is None:
        raise NotQuarantined(f"{id} is not in quarantine; `assay quarantine list` shows what is")
    return entry


def _matter(words: str) -> str:
    if not words.strip() or len(words) > 200:
        raise UsageError("a hold needs the name of its matter, of up to 200 characters")
    return words


def _purpose(id: str, part: str) -> bytes:
    return f"{id}/{part}".encode()


def _chunks(content: Path | bytes) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
