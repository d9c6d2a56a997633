"""The three tables of the audit chain.

An *entry* is a commitment: a salted hash of something that happened, which says nothing by itself. Its *opening* is the
salt and the record; deleting the opening of a request makes the entry meaningless and leaves the chain whole. A *batch*
seals entries under a Merkle root, is chained to the batch before it, and is signed: each batch is a checkpoint.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from assay.schema import Table


class EntryRow(Table):
    """One thing that happened. Never changed after it is written, but for `batch` and `leaf`, once, by the sealer."""

    __tablename__ = "audit_entries"
    key: Mapped[int] = mapped_column(primary_key=True)  # the order in which a batch holds its entries
    id: Mapped[str] = mapped_column(String(32), unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    made: Mapped[str] = mapped_column(String(32))  # RFC 3339, UTC
    commitment: Mapped[str] = mapped_column(String(64))
    batch: Mapped[int | None] = mapped_column(index=True)  # None: waits for its seal
    leaf: Mapped[str | None] = mapped_column(String(64))


class OpeningRow(Table):
    """What an entry commits to, and the salt: the part that may be deleted."""

    __tablename__ = "audit_openings"
    entry: Mapped[str] = mapped_column(ForeignKey("audit_entries.id"), primary_key=True)
    subject: Mapped[str] = mapped_column(String(64), index=True)  # a job, an actor's pseudonym, a rule
    reference: Mapped[str | None] = mapped_column(String(64), index=True)  # a decision, a review, a file's hash
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    record: Mapped[str | None]  # canonical JSON; None where the words were erased and the salt was kept


class BatchRow(Table):
    """A sealed batch and its signed checkpoint."""

    __tablename__ = "audit_batches"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # from 1, without gaps
    first: Mapped[int]  # keys of its first and last entry
    last: Mapped[int]
    count: Mapped[int]
    root: Mapped[str] = mapped_column(String(64))
    previous: Mapped[str] = mapped_column(String(64), unique=True)  # two batches cannot follow the same one
    sealed: Mapped[str] = mapped_column(String(32))  # RFC 3339, UTC
    signer: Mapped[str] = mapped_column(String(64))  # the public key, hexadecimal
    head: Mapped[str] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(String(128))
