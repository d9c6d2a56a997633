"""Sealing: whatever waits is put under one root, chained to the batch before, and signed.

Any number of processes may try at once; the database lets one through at a time, and no two batches can follow the same
one. The checkpoint is also written to a file beside the key, so that a database that was put back to an older state, or
cut, is noticed; copies of it kept elsewhere notice more (docs/audit.md).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from assay.auditing.merkle import ENTRY, GENESIS, HEADER, head_of, leaf_of, root_of
from assay.auditing.noting import MISSING, note
from assay.auditing.signing import AuditKey
from assay.auditing.tables import BatchRow, EntryRow
from assay.auditing.tip import Amount, TipRow, begin, here, set_written, waiting_here, written
from assay.ledger import Ledger

log = logging.getLogger("assay.audit")

MOST = 4096  # entries of one batch
_LOCK = 0x61756474  # of PostgreSQL's advisory locks, ours: "audt"


@dataclass(frozen=True)
class Checkpoint:
    """A sealed batch's header and its signature."""

    number: int
    first: int
    last: int
    count: int
    root: str
    previous: str
    sealed: str
    signer: str
    head: str
    signature: str

    @classmethod
    def of(cls, row: BatchRow) -> Checkpoint:
        """The checkpoint that a row holds."""
        return cls(**{name: getattr(row, name) for name in (*HEADER, "head", "signature")})

    def to_json(self) -> dict[str, Any]:
        """For files and proofs; `Checkpoint(**stored)` gives it back."""
        return asdict(self)


def seal(ledger: Ledger, folder: Path) -> list[Checkpoint]:
    """Seals all that waits, in batches; returns their checkpoints. Nothing waiting is nothing done.

    Raises AuditKeyUnusable where the key is gone: a new one is made only where nothing was ever sealed.
    """
    made: list[Checkpoint] = []
    while (one := _seal_batch(ledger, folder)) is not None:
        made.append(one)
        _remember(folder, one)
    return made


def waiting(ledger: Ledger) -> int:
    """The number of entries that wait for their seal."""
    with Session(ledger.engine) as session:
        return session.scalar(select(func.count()).where(EntryRow.batch.is_(None))) or 0


def rotate(ledger: Ledger, folder: Path) -> str:
    """A new key from here on; returns its public half. The change itself is an entry, the last that the old key seals.

    Where the old key is lost, the new one seals that entry: whoever audits must then be told of it by other means, and
    verifying says so.
    """
    path = folder / "checkpoint.key"
    retired = f"checkpoint.retired-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.key"
    fresh = AuditKey.load(folder / "next", create=True)
    with ledger.write() as session:
        note(session, "key", "audit", {"public_key": fresh.public})
    if path.exists():
        seal(ledger, folder)
        os.replace(path, folder / retired)
    os.replace(folder / "next" / "checkpoint.key", path)
    AuditKey.load(folder, create=False)
    for left in (folder / "next").iterdir():
        left.unlink()
    (folder / "next").rmdir()
    seal(ledger, folder)
    return fresh.public


def remembered(folder: Path) -> list[Checkpoint]:
    """The checkpoints in the file beside the key, oldest first; a line that a power cut left unfinished is none."""
    path = folder / "checkpoints.jsonl"
    found = []
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        with contextlib.suppress(ValueError, TypeError):
            found.append(Checkpoint(**json.loads(line)))
    return found


def _seal_batch(ledger: Ledger, folder: Path) -> Checkpoint | None:
    if not waiting(ledger):
        return None
    with ledger.write() as session:
        _alone(session)
        before = session.scalars(select(BatchRow).order_by(BatchRow.number.desc()).limit(1)).one_or_none()
        key = AuditKey.load(folder, create=before is None)
        counted = _ensure_whole(session)
        query = select(EntryRow).where(EntryRow.batch.is_(None)).order_by(EntryRow.key).limit(MOST)
        entries = session.scalars(query).all()
        if not entries:
            return None  # somebody else was quicker
        leaves = [leaf_of({name: getattr(entry, name) for name in ENTRY}) for entry in entries]
        header: dict[str, Any] = {
            "number": before.number + 1 if before else 1, "previous": before.head if before else GENESIS,
            "first": entries[0].key, "last": entries[-1].key, "count": len(entries), "root": root_of(leaves),
            "sealed": datetime.now(UTC).isoformat(timespec="milliseconds"), "signer": key.public,
        }  # fmt: skip
        head = head_of(header)
        row = BatchRow(**header, head=head, signature=key.sign(head))
        session.add(row)
        marks = [
            {"key": entry.key, "batch": row.number, "leaf": leaf} for entry, leaf in zip(entries, leaves, strict=True)
        ]
        session.execute(update(EntryRow), marks)
        set_written(session, counted[0], counted[1] + Amount.of((entry.id, entry.commitment) for entry in entries))
    return Checkpoint.of(row)


def _ensure_whole(session: Session) -> tuple[Amount, Amount]:
    """What was ever written, and what is sealed; from here on nobody writes an entry until we commit.

    Where entries are gone that nobody sealed, the chain itself says so from now on: the entry `missing` is sealed with
    what is left, and every verification finds it.
    """
    try:
        all_of_them, sealed = written(session, alone=True)
    except LookupError:
        all_of_them = sealed = Amount(-1)  # no amount fits
    if all_of_them - sealed == waiting_here(session):
        return all_of_them, sealed
    log.error("entries of the audit chain were removed or changed before they were sealed")
    note(session, MISSING, "audit", {"written": all_of_them.count, "here": here(session)[0].count})
    session.flush()
    session.info.pop("noted", None)  # counted below
    session.execute(delete(TipRow))
    begin(session.connection())
    return here(session)


def _alone(session: Session) -> None:
    """Waits until no other process seals, before anything is read."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    else:  # on SQLite any write takes the one lock, even where it changes nothing
        session.execute(update(BatchRow).where(BatchRow.number < 0).values(count=0))


def _remember(folder: Path, checkpoint: Checkpoint) -> None:
    line = b"\n" + json.dumps(checkpoint.to_json()).encode() + b"\n"  # whatever an earlier one left unfinished
    flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC
    with open(os.open(folder / "checkpoints.jsonl", flags, 0o600), "ab", buffering=0) as file:
        file.write(line)
        os.fsync(file.fileno())
