"""How many entries were ever written, and a sum over them all: in one row, changed in the transaction of each entry.

Entries are never deleted, so the row and the table must agree at every moment: an entry that is removed or exchanged
before its seal is missed. The sum does not depend on the order, since transactions commit in another order than they
were given their keys. The row has no secret: who can write the database can make it fit again, until the next seal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, String, event, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from assay.auditing.tables import EntryRow
from assay.schema import Table

_ONLY = 1  # the one row
_WIDTH = 256  # bits of a sum


class TipRow(Table):
    """One row. `sealed_count` and `sealed_sum` are those of entries that are in batches."""

    __tablename__ = "audit_tip"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(default=0)
    sum: Mapped[str] = mapped_column(String(64), default="0" * 64)
    sealed_count: Mapped[int] = mapped_column(default=0)
    sealed_sum: Mapped[str] = mapped_column(String(64), default="0" * 64)


@dataclass(frozen=True)
class Amount:
    """A number of entries and the sum over them."""

    count: int = 0
    sum: int = 0

    @classmethod
    def of(cls, entries: Iterable[tuple[str, str]]) -> Amount:
        """Of the (id, commitment) of each."""
        count, total = 0, 0
        for id, commitment in entries:
            count += 1
            total += int.from_bytes(hashlib.sha256(f"assay entry 1\0{id}\0{commitment}".encode()).digest(), "big")
        return cls(count, total % (1 << _WIDTH))

    @classmethod
    def stored(cls, count: int, text: str) -> Amount:
        """As a row holds it; ValueError where it is no sum."""
        made = cls(count, int(text, 16))
        if made.text != text:
            raise ValueError("a sum of the audit chain is not written as one")
        return made

    @property
    def text(self) -> str:
        """The sum as a row holds it."""
        return f"{self.sum:064x}"

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.count + other.count, (self.sum + other.sum) % (1 << _WIDTH))

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.count - other.count, (self.sum - other.sum) % (1 << _WIDTH))


def written(session: Session, *, alone: bool = False) -> tuple[Amount, Amount]:
    """What was ever written, and what of it is sealed; `alone`: nobody else writes entries until we commit.

    Raises LookupError where the row is gone.
    """
    row = session.execute(_row(alone)).one_or_none()
    if row is None:
        raise LookupError("the row that counts the entries of the audit chain is gone")
    count, total, sealed_count, sealed_total = row
    return Amount.stored(count, total), Amount.stored(sealed_count, sealed_total)


def set_written(session: Session, all_of_them: Amount, sealed: Amount) -> None:
    """Sets both."""
    values = {"count": all_of_them.count, "sum": all_of_them.text}
    values |= {"sealed_count": sealed.count, "sealed_sum": sealed.text}
    session.execute(update(TipRow).where(TipRow.number == _ONLY).values(**values))


def add_written(session: Session, entries: Iterable[tuple[str, str]]) -> None:
    """Adds entries that this transaction writes. Called last, so that others wait for as short a time as may be.

    Where the row is gone nothing is added: verifying and sealing tell.
    """
    row = session.execute(_row(alone=True)).one_or_none()
    if row is not None:
        total = Amount.stored(row[0], row[1]) + Amount.of(entries)
        session.execute(update(TipRow).where(TipRow.number == _ONLY).values(count=total.count, sum=total.text))


def begin(connection: Connection, entries: Iterable[tuple[str, str, bool]] = ()) -> None:
    """Makes the row; `entries` are (id, commitment, sealed) of a ledger that had none."""
    known = list(entries)
    total = Amount.of((id, said) for id, said, _ in known)
    sealed = Amount.of((id, said) for id, said, is_sealed in known if is_sealed)
    values = {"number": _ONLY, "count": total.count, "sum": total.text}
    connection.execute(insert(TipRow).values(**values, sealed_count=sealed.count, sealed_sum=sealed.text))


def here(session: Session) -> tuple[Amount, Amount]:
    """What the table of entries holds, and what of it is sealed."""
    rows = session.execute(select(EntryRow.id, EntryRow.commitment, EntryRow.batch)).all()
    sealed = Amount.of((row.id, row.commitment) for row in rows if row.batch is not None)
    return sealed + Amount.of((row.id, row.commitment) for row in rows if row.batch is None), sealed


def waiting_here(session: Session) -> Amount:
    """What of it waits for its seal: far less to read."""
    query = select(EntryRow.id, EntryRow.commitment).where(EntryRow.batch.is_(None))
    return Amount.of((id, said) for id, said in session.execute(query))


def _row(alone: bool) -> Any:
    columns = (TipRow.count, TipRow.sum, TipRow.sealed_count, TipRow.sealed_sum)
    query = select(*columns).where(TipRow.number == _ONLY)
    return query.with_for_update() if alone else query


@event.listens_for(TipRow.__table__, "after_create")
def _first_row(_: object, connection: Connection, **__: object) -> None:
    """A new ledger begins with nothing."""
    begin(connection)
