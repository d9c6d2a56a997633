"""Taking down what was released, and keeping what the law asks for: two orders that a person or a rule gives.

A take-down counts from its transaction on: whoever serves a file asks `withdrawn` first. The bytes go too, unless the
job is on legal hold; then they stay, private, and nothing serves them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from assay.auditing.noting import note
from assay.errors import JobNotFound
from assay.ledger import JobRow, Ledger, new_id, now
from assay.schema import Table
from media import UsageError

_LONGEST = 200


class TakedownRow(Table):
    """A released job that may no longer be served."""

    __tablename__ = "takedowns"
    job: Mapped[str] = mapped_column(String(64), primary_key=True)
    reason: Mapped[str]
    by: Mapped[str]  # a pseudonym, or the emergency rule
    made: Mapped[datetime]
    erased: Mapped[bool] = mapped_column(default=False)  # the bytes are gone


class HoldRow(Table):
    """A matter for which a job is kept. While any is open, nothing of the job is deleted."""

    __tablename__ = "legal_holds"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    job: Mapped[str] = mapped_column(String(64), index=True)
    matter: Mapped[str]
    by: Mapped[str]
    made: Mapped[datetime]
    released: Mapped[datetime | None]


@dataclass(frozen=True)
class Order:
    """Who orders it, and why."""

    by: str  # a pseudonym
    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip() or len(self.reason) > 5_000:
            raise UsageError("an order needs a reason, of up to 5000 characters")


def withdrawn(ledger: Ledger, job: str) -> TakedownRow | None:
    """The take-down of a job; None where it may be served."""
    with Session(ledger.engine, expire_on_commit=False) as session:
        return session.get(TakedownRow, job)


def take_down(ledger: Ledger, job: str, order: Order) -> bool:
    """Ends the serving of a job at once, then removes its files unless the law keeps them. False: it was down already.

    Raises JobNotFound.
    """
    with ledger.write() as session:
        fresh = withdraw_in(session, job, order)
    erase_files(ledger, job)
    return fresh


def withdraw_in(session: Session, job: str, order: Order) -> bool:
    """The take-down itself, within a transaction; the files are left to `erase_files`."""
    if session.get(JobRow, job) is None:
        raise JobNotFound(f"{job[:80]!r}: no such job in this ledger")
    if session.get(TakedownRow, job) is not None:
        return False
    session.add(TakedownRow(job=job, reason=order.reason, by=order.by, made=now()))
    note(session, "takedown", job, {"by": order.by, "reason": order.reason})
    return True


def erase_files(ledger: Ledger, job: str) -> bool:
    """Removes the files of a job that was taken down; False where the law keeps them, or it was not taken down."""
    with Session(ledger.engine) as session:
        row, down = session.get(JobRow, job), session.get(TakedownRow, job)
        if row is None or down is None or down.erased or row.legal_hold:
            return False
        path = Path(row.asset["path"]) if row.asset and row.asset.get("path") else None
    if path is not None:
        pictures = ("thumbnail.jpg", "spritesheet.jpg") if path.parent.parent.name == job else ()  # the API's folders
        for each in (path, *map(path.with_name, pictures)):
            each.unlink(missing_ok=True)
    with ledger.write() as session:
        session.get_one(TakedownRow, job).erased = True
    return True


def unerased(ledger: Ledger) -> list[str]:
    """Jobs that are down and whose files are still there: a kill came between, or a hold has ended."""
    query = select(TakedownRow.job).join(JobRow, JobRow.id == TakedownRow.job)
    with Session(ledger.engine) as session:
        return list(session.scalars(query.where(TakedownRow.erased.is_(False), JobRow.legal_hold.is_(False))))


def hold(ledger: Ledger, job: str, matter: str, order: Order) -> str:
    """Keeps a job for a matter, beside any other; returns the hold's id. From now on deletion is refused."""
    if not matter.strip() or len(matter) > _LONGEST:
        raise UsageError(f"a hold needs the name of its matter, of up to {_LONGEST} characters")
    id = new_id("hold")
    with ledger.write() as session:
        row = session.get(JobRow, job, with_for_update=True)
        if row is None:
            raise JobNotFound(f"{job[:80]!r}: no such job in this ledger")
        row.legal_hold = True
        session.add(HoldRow(id=id, job=job, matter=matter, by=order.by, made=now()))
        note(session, "hold", job, {"matter": matter, "by": order.by, "reason": order.reason}, id)
    return id


def release(ledger: Ledger, hold_id: str, order: Order) -> None:
    """Ends one hold; the job may be deleted again once none is left."""
    with ledger.write() as session:
        row = session.get(HoldRow, hold_id)
        if row is None or row.released is not None:
            raise JobNotFound(f"{hold_id[:80]!r}: no such hold, or it was released already")
        row.released = now()
        session.flush()
        left = session.scalars(select(HoldRow.id).where(HoldRow.job == row.job, HoldRow.released.is_(None))).first()
        session.get_one(JobRow, row.job).legal_hold = left is not None
        note(session, "hold-released", row.job, {"by": order.by, "reason": order.reason}, hold_id)


def holds(ledger: Ledger, job: str) -> list[HoldRow]:
    """Every hold of a job, open and released, oldest first."""
    with Session(ledger.engine, expire_on_commit=False) as session:
        return list(session.scalars(select(HoldRow).where(HoldRow.job == job).order_by(HoldRow.made)))
