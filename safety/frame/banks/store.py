"""One bank in one SQLite file: edits are atomic, readers never see half of one, and damage is an error with a name.

The file keeps a hash of its own content. Loading compares it, so a bank that lost rows is not searched as if it were
whole: a damaged bank stops the command (`CorruptRecord`), since scanning without it would let known content pass.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from media import UsageError
from safety.errors import CorruptRecord
from safety.frame.banks.content import Content, content_of
from safety.frame.banks.signal import SIDES, SIZES, Card, Kind, Signal

SUFFIX = ".bank"
_FORMAT = "assay-bank-2"
_WAIT_S = 30.0  # for another process that writes
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE signal (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, value BLOB NOT NULL, content TEXT NOT NULL,
  distance INTEGER, negative INTEGER NOT NULL, aspect REAL NOT NULL, off INTEGER NOT NULL DEFAULT 0,
  corners BLOB NOT NULL DEFAULT x'',
  sides BLOB NOT NULL DEFAULT x'', added REAL NOT NULL, UNIQUE (kind, value, negative, aspect));
CREATE INDEX of_content ON signal (content);
CREATE TABLE sighting (signal INTEGER NOT NULL, item TEXT NOT NULL, seen REAL NOT NULL,
  PRIMARY KEY (signal, item)) WITHOUT ROWID;
"""
# Every column that changes what matches, in one order whatever the history of edits was.
_ACTIVE = "SELECT id, kind, value, content, distance, negative, aspect, corners, sides FROM signal WHERE off = 0"
_ORDERED = _ACTIVE + " ORDER BY kind, value, negative, aspect"


@dataclass(frozen=True)
class Entry:
    """One signal as it stands in a bank."""

    id: int
    signal: Signal
    off: bool  # switched off because it flooded
    added: float  # seconds since 1970
    items: int  # distinct files that it matched within the card's window


class BankStore:
    """A bank on disk. Every method opens the file for itself, so stores may be shared by threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, folder: Path, card: Card) -> BankStore:
        """A new, empty bank; UsageError where one of that name exists."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = cls(folder / f"{card.name}{SUFFIX}")
        partial = folder / f".{card.name}.{os.getpid()}.partial"
        try:
            with closing(sqlite3.connect(partial, isolation_level=None)) as database:
                database.executescript(f"BEGIN; {_TABLES}")
                _put(database, "format", _FORMAT)
                _put(database, "card", json.dumps(card.to_json(), sort_keys=True))
                _seal(database)
                database.execute("COMMIT")
            os.chmod(partial, 0o600)
            os.link(partial, store.path)  # fails where another process was quicker
        except FileExistsError as error:
            raise UsageError(f"a bank named {card.name} exists already") from error
        finally:
            partial.unlink(missing_ok=True)
        return store

    @classmethod
    def open(cls, folder: Path, name: str) -> BankStore:
        """The bank of that name; UsageError where there is none."""
        store = cls(folder / f"{Card(name).name}{SUFFIX}")
        if not store.path.is_file():
            known = ", ".join(each.path.stem for each in cls.every(folder)) or "there is none yet"
            raise UsageError(f"no bank named {name}; known: {known}")
        return store

    @classmethod
    def every(cls, folder: Path) -> list[BankStore]:
        """All banks of a folder, by name."""
        return [cls(path) for path in sorted(folder.glob(f"*{SUFFIX}")) if not path.name.startswith(".")]

    @property
    def state(self) -> tuple[str, str, str]:
        """Name, card and content hash as they are now: whoever keeps a bank loaded compares this."""
        with self._reading() as database:
            return self.path.name, _get(database, "card"), _get(database, "sha256")

    @property
    def card(self) -> Card:
        """What the bank is for."""
        with self._reading() as database:
            return Card.parse(_get(database, "card"), str(self.path))

    def change_card(self, card: Card) -> None:
        """Replaces the card; the name stays."""
        with self._writing() as database:
            _put(database, "card", json.dumps(card.to_json(), sort_keys=True))

    def add(self, signals: Iterable[Signal]) -> int:
        """Adds or, where the same hash is there, replaces; how many are new. All of them or, on an error, none."""
        columns = "kind, value, content, distance, negative, aspect, corners, sides, added"
        change = "content = excluded.content, distance = excluded.distance, corners = excluded.corners, "
        change += "sides = excluded.sides, off = 0"
        rows = (_row(signal) for signal in signals)
        with self._writing() as database:
            before: int = database.execute("SELECT count(*) FROM signal").fetchone()[0]
            database.executemany(
                f"INSERT INTO signal ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608 (constants)
                f"ON CONFLICT (kind, value, negative, aspect) DO UPDATE SET {change}",
                rows,
            )
            after: int = database.execute("SELECT count(*) FROM signal").fetchone()[0]
        return after - before

    def remove(self, ids: Sequence[int] = (), content: str | None = None) -> int:
        """Removes signals by their numbers, or all those of a content; how many there were."""
        with self._writing() as database:
            gone = sum(database.execute("DELETE FROM signal WHERE id = ?", (id,)).rowcount for id in ids)
            if content is not None:
                gone += database.execute("DELETE FROM signal WHERE content = ?", (content,)).rowcount
            database.execute("DELETE FROM sighting WHERE signal NOT IN (SELECT id FROM signal)")
        return gone

    def release(self, ids: Sequence[int]) -> int:
        """A person has looked: switches flooded entries on again and forgets what they matched; how many there were."""
        with self._writing() as database:
            on = sum(database.execute("UPDATE signal SET off = 0 WHERE id = ? AND off", (id,)).rowcount for id in ids)
            database.executemany("DELETE FROM sighting WHERE signal = ?", [(id,) for id in ids])
        return on

    def sighted(self, ids: Iterable[int], item: str, now: float | None = None) -> list[int]:
        """Notes that entries matched a file (by its sha256); the entries that flooded and are off from now on.

        In a bank of worst material nothing is switched off: whoever can upload a hundred files must not be able to
        blind it. `entries` shows the flood all the same.
        """
        now = time.time() if now is None else now
        flooded: list[int] = []
        with self._writing(sealed=False) as database:
            card = Card.parse(_get(database, "card"), str(self.path))
            since = now - card.flood_hours * 3600
            for id in sorted(ids):
                database.execute("INSERT OR REPLACE INTO sighting VALUES (?, ?, ?)", (id, item, now))
                count = "SELECT count(*) FROM sighting WHERE signal = ? AND seen >= ?"
                if not card.worst and database.execute(count, (id, since)).fetchone()[0] > card.flood_items:
                    flooded += [id] * database.execute(
                        "UPDATE signal SET off = 1 WHERE id = ? AND NOT off AND NOT negative", (id,)
                    ).rowcount
            database.execute("DELETE FROM sighting WHERE seen < ?", (since,))
            if flooded:
                _seal(database)
        return flooded

    def entries(self, limit: int | None = None, only_off: bool = False) -> list[Entry]:
        """What the bank holds, in the order in which it was added; flooded entries first."""
        found = (
            "SELECT id, kind, value, content, distance, negative, aspect, corners, sides, off, added, "
            "(SELECT count(*) FROM sighting WHERE signal = signal.id AND seen >= ?) "
            "FROM signal WHERE off >= ? ORDER BY off DESC, id LIMIT ?"
        )
        with self._reading() as database:
            since = time.time() - Card.parse(_get(database, "card"), str(self.path)).flood_hours * 3600
            rows = database.execute(found, (since, int(only_off), -1 if limit is None else limit)).fetchall()
        return [Entry(row[0], _signal(row[1:9], self.path), bool(row[9]), row[10], row[11]) for row in rows]

    def counts(self) -> dict[str, int]:
        """Signals by kind, and how many are negative or switched off."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT kind, count(*), sum(negative), sum(off) FROM signal GROUP BY kind"
            ).fetchall()
        kinds = {kind.value: 0 for kind in Kind} | {row[0]: row[1] for row in rows}
        return kinds | {"negative": sum(row[2] for row in rows), "off": sum(row[3] for row in rows)}

    def load(self) -> Content:
        """What is searched; CorruptRecord where the file is damaged or holds other rows than were written."""
        with self._reading() as database:
            card = Card.parse(_get(database, "card"), str(self.path))
            sealed = _get(database, "sha256")
            rows = database.execute(_ORDERED).fetchall()
            off = database.execute("SELECT count(*) FROM signal WHERE off").fetchone()[0]
        if _hash(rows) != sealed:
            raise CorruptRecord(f"{self.path}: holds other rows than were written; restore the bank from a copy")
        if any(
            row[1] not in set(Kind) or len(row[2]) != SIZES[Kind(row[1])] or len(row[8]) not in (0, SIDES)
            for row in rows
        ):
            raise CorruptRecord(
                f"{self.path}: holds a hash of another length than its kind has; restore it from a copy"
            )
        return content_of(card, rows, off, _hash(rows))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            # mode=rw: a reader may have to roll back what a killed writer left, and must never create the file
            with closing(sqlite3.connect(f"file:{_quoted(self.path)}?mode=rw", uri=True, timeout=_WAIT_S)) as database:
                database.isolation_level = None
                database.execute("BEGIN")
                if _get(database, "format") != _FORMAT:
                    raise CorruptRecord(f"{self.path}: no bank of a version that this Assay reads")
                yield database
        except sqlite3.Error as error:
            raise CorruptRecord(f"{self.path}: the bank cannot be read ({error}); restore it from a copy") from error

    @contextmanager
    def _writing(self, *, sealed: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction; the content hash is written with it."""
        with self._reading() as database:
            database.execute("COMMIT")
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                if sealed:
                    _seal(database)
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise


def _quoted(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path.absolute()))


def _put(database: sqlite3.Connection, key: str, value: str) -> None:
    database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _get(database: sqlite3.Connection, key: str) -> str:
    row = database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else ""


def _seal(database: sqlite3.Connection) -> None:
    _put(database, "sha256", _hash(database.execute(_ORDERED).fetchall()))


def _hash(rows: list[tuple[Any, ...]]) -> str:
    """Of everything that changes what matches; numbers and names of entries do not."""
    digest = hashlib.sha256()
    for _, kind, value, _, distance, negative, aspect, corners, sides in rows:
        numbers = f"{kind} {-1 if distance is None else distance} {negative} {aspect:.6f} {len(corners)} {len(sides)}\n"
        digest.update(b"".join((numbers.encode(), value, corners, sides)))
    return digest.hexdigest()


def _row(signal: Signal) -> tuple[Any, ...]:
    return (signal.kind.value, signal.value, signal.content, signal.distance, int(signal.negative),
            round(signal.aspect, 6), signal.corners, signal.sides, time.time())  # fmt: skip


def _signal(row: Sequence[Any], path: Path) -> Signal:
    try:
        return Signal(Kind(row[0]), bytes(row[1]), row[2], row[3], bool(row[4]), row[5], bytes(row[6]), bytes(row[7]))
    except (TypeError, ValueError, UsageError) as error:
        raise CorruptRecord(f"{path}: holds what is no signal ({error}); restore the bank from a copy") from error
