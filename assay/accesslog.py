"""An append-only log of who did what and why, each line chained to the one before by a keyed hash.

Changing, leaving out or reordering lines is noticed by whoever has the key; so is a log that became shorter, as long as
the small file beside it, which remembers the last line, was not put back with it. A line is on the disk before what it
speaks of is done: a process that dies in between leaves a line too many, never one too few.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from media import AssayError, UsageError

_FIRST = "0" * 64
_LONGEST = 1_000  # characters of a name or a reason


class LogBroken(AssayError):
    """The log was changed, or lines of it are gone."""


@dataclass(frozen=True)
class Access:
    """Who acts, and why; both are asked of a person, and neither may be empty."""

    who: str
    why: str

    def __post_init__(self) -> None:
        for name, words in (("who", self.who), ("why", self.why)):
            if not words.strip():
                raise UsageError(f"{name} is missing: every access is logged with who and why")
            if len(words) > _LONGEST:
                raise UsageError(f"{name} is longer than {_LONGEST} characters")


@dataclass(frozen=True)
class Line:
    """One event."""

    number: int
    time: str  # RFC 3339, UTC
    event: str
    item: str
    who: str
    why: str
    facts: dict[str, Any] = field(default_factory=dict)


class AccessLog:
    """The log in a folder: `access.jsonl` and `access.head`. Use `held` around anything that reads and then writes."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self.path, self._head, self._key = folder / "access.jsonl", folder / "access.head", key

    @contextmanager
    def held(self) -> Iterator[list[Line]]:
        """Every line so far, with the log locked against other processes; lines appended inside are added to it."""
        descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield self.lines()
        finally:
            os.close(descriptor)  # the lock goes with it

    def lines(self) -> list[Line]:
        """Every line, the chain proved; raises LogBroken that names the first that does not hold."""
        return [line for line, _ in self._proved()]

    def append(self, event: str, item: str, access: Access, **facts: Any) -> Line:
        """Adds a line and brings it to the disk. Only while the log is `held`."""
        proved = self._proved()
        before = proved[-1][1] if proved else _FIRST
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = Line(len(proved) + 1, now, event, item, access.who, access.why, facts)
        mark = self._mark(before, line)
        with self.path.open("r+b") as file:
            content = file.read()
            file.seek(content.rfind(b"\n") + 1)  # what a power cut left of a line was never acted on
            file.truncate()
            file.write(json.dumps({**asdict(line), "mark": mark}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._remember(line.number, mark)
        return line

    def _proved(self) -> list[tuple[Line, str]]:
        content = self.path.read_bytes() if self.path.exists() else b""
        before, found = _FIRST, []
        for number, raw in enumerate(content.split(b"\n")[:-1], 1):
            try:
                stored = json.loads(raw)
                mark = stored.pop("mark")
                line = Line(**stored)
                sound = hmac.compare_digest(mark, self._mark(before, line)) and line.number == number
            except (ValueError, TypeError, KeyError, AttributeError):
                sound = False
            if not sound:
                raise LogBroken(f"{self.path}: line {number} is not the one that was written; keep the file as it is")
            found.append((line, mark))
            before = mark
        self._ensure_whole(found)
        return found

    def _ensure_whole(self, found: list[tuple[Line, str]]) -> None:
        if not self._head.exists():
            if len(found) > 1:
                raise LogBroken(f"{self._head} is gone, which remembers the end of the log")
            return
        number, _, mark = self._head.read_text("ascii").strip().partition(" ")
        if not number.isdigit() or not 1 <= int(number) <= len(found) or found[int(number) - 1][1] != mark:
            raise LogBroken(f"{self.path}: {len(found)} lines, where {number or 'more'} were written")

    def _remember(self, number: int, mark: str) -> None:
        staged = self._head.with_suffix(".partial")
        with open(os.open(staged, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(f"{number} {mark}\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, self._head)

    def _mark(self, before: str, line: Line) -> str:
        words = json.dumps([before, asdict(line)], sort_keys=True, separators=(",", ":"))
        return hmac.digest(self._key, words.encode(), "sha256").hex()
