"""Files that were signed offline and await their time-stamp.

Signing never waits for the network: what it publishes while `timestamp` is `later` is noted here, one small file a
path, and `assay keys stamp --pending` asks the authority when it can be reached. A note is written before the file
appears, so that a kill loses none, and is taken away only when the stamp was read back from the file; whatever dies in
between is done again, and a file that has its stamp already is not stamped twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from media import AssayError
from provenance import Credentials, SourceTampered, SourceUnreadable, TargetUnwritable, UnsupportedKind

Stamp = Callable[[Path], Credentials]  # provenance.stamp, with everything but the path

# A note is older than its file while that is being signed; after this long it will not appear any more.
_APPEARS_WITHIN = timedelta(days=1)


class Fate(StrEnum):
    """What became of a note when the authority was asked."""

    STAMPED = "stamped"
    WAITING = "waiting"  # the note stays: the authority did not answer, or the file is not there yet
    DROPPED = "dropped"  # the note is gone: no stamp can come of this file any more


@dataclass(frozen=True)
class Note:
    """A file that awaits its time-stamp."""

    path: str  # absolute
    noted: str  # RFC 3339
    attempts: int = 0
    last_error: str | None = None

    @property
    def age(self) -> timedelta:
        """Since when it waits."""
        return datetime.now(UTC) - datetime.fromisoformat(self.noted)


@dataclass(frozen=True)
class Stamped:
    """What became of one note."""

    path: str
    fate: Fate
    timestamp: str | None
    error: str | None

    def to_json(self) -> dict[str, str | None]:
        """One line of `assay keys stamp --json`."""
        return {"path": self.path, "fate": self.fate.value, "timestamp": self.timestamp, "error": self.error}


def stamp_all(paths: Iterable[Path], stamp: Stamp) -> Iterator[Stamped]:
    """Stamps files that somebody named; what fails is WAITING for another attempt, or DROPPED where none can help."""
    for path in paths:
        yield _attempt(str(path), stamp)


def _attempt(path: str, stamp: Stamp) -> Stamped:
    try:
        return Stamped(path, Fate.STAMPED, stamp(Path(path)).timestamp, None)
    except (SourceTampered, SourceUnreadable, UnsupportedKind) as error:
        return Stamped(path, Fate.DROPPED, None, str(error))
    except AssayError as error:
        return Stamped(path, Fate.WAITING, None, str(error))


@dataclass(frozen=True)
class StampQueue:
    """The notes of one installation, in a private folder."""

    folder: Path

    def note(self, path: Path) -> None:
        """Notes that this file awaits a stamp, replacing an older note of the same path.

        Raises TargetUnwritable: a signature whose stamp could be forgotten is not made.
        """
        try:
            self._write(Note(os.path.abspath(path), datetime.now(UTC).isoformat(timespec="seconds")))
        except OSError as error:
            fault = f"{self.folder}: that {path} awaits a time-stamp cannot be noted ({error.strerror})"
            raise TargetUnwritable(fault) from error

    def waiting(self) -> list[Note]:
        """What awaits a stamp, oldest first; a damaged note is an AssayError that names it."""
        notes = [_parsed(path) for path in self.folder.glob("*.json")]
        return sorted((note for note in notes if note is not None), key=lambda note: (note.noted, note.path))

    def work(self, stamp: Stamp) -> Iterator[Stamped]:
        """Stamps what waits, one after another; two processes that do this at once do it in turn.

        Only what the file itself makes impossible ends a note without a stamp.
        """
        with self._alone():
            for note in self.waiting():
                found = self._one(note, stamp)
                if found.fate is Fate.WAITING:
                    self._write(replace(note, attempts=note.attempts + 1, last_error=found.error))
                else:
                    self._place(note.path).unlink(missing_ok=True)
                yield found

    def _one(self, note: Note, stamp: Stamp) -> Stamped:
        if not Path(note.path).exists():
            gone = note.age > _APPEARS_WITHIN
            return Stamped(note.path, Fate.DROPPED if gone else Fate.WAITING, None, "no such file")
        return _attempt(note.path, stamp)

    def _place(self, path: str) -> Path:
        return self.folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"

    def _write(self, note: Note) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = self.folder / f".{secrets.token_hex(8)}.partial"
        try:
            with staged.open("w", encoding="utf-8") as file:
                json.dump(asdict(note), file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(staged, self._place(note.path))
        finally:
            staged.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time; the kernel lets go of the lock when its holder dies."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.folder / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _parsed(path: Path) -> Note | None:
    try:
        return Note(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None  # done meanwhile by another process
    except (ValueError, TypeError) as error:
        raise AssayError(f"{path} is no note of a file that awaits its stamp ({error}); remove it") from error
