"""Inclusion proofs: that one entry stands in the log, for whoever has the public key and nothing else.

A proof carries the entry, its record and salt where they may be shown, the path to the root of its batch, and the
batch's signed checkpoint. docs/audit.md says how to read one without Assay.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from assay.auditing.merkle import ENTRY, head_of, leaf_of, path_of, root_by
from assay.auditing.noting import commitment
from assay.auditing.sealing import Checkpoint
from assay.auditing.signing import pem_of, signature_holds
from assay.auditing.tables import BatchRow, EntryRow, OpeningRow
from assay.errors import JobNotFound
from assay.ledger import Ledger
from media import AssayError

FORMAT = "assay audit proof 1"


class ProofBroken(AssayError):
    """The proof does not show what it claims."""


class NotSealed(AssayError):
    """The entry waits for its seal; nothing can be proved of it yet."""


def entries_of(ledger: Ledger, id: str) -> list[str]:
    """The ids of the entries that an id leads to: an entry's own, a job's, a decision's, a review's, an actor's."""
    about = or_(OpeningRow.subject == id, OpeningRow.reference == id, EntryRow.id == id)
    query = select(EntryRow.id).outerjoin(OpeningRow, OpeningRow.entry == EntryRow.id).where(about)
    with Session(ledger.engine) as session:
        found = list(session.scalars(query.order_by(EntryRow.key)))
    if not found:
        raise JobNotFound(f"{id}: no entry speaks of it; name a job, a decision, a review or an entry (aud_...)")
    return found


def prove(ledger: Ledger, entry: str, *, words: bool = False) -> dict[str, Any]:
    """The proof of one entry, JSON-able. The record of a request, with its prompt, is shown only with `words`.

    Raises NotSealed where the entry has no batch yet.
    """
    with Session(ledger.engine) as session:
        row = session.scalars(select(EntryRow).where(EntryRow.id == entry)).one()
        if row.batch is None:
            raise NotSealed(f"{entry} waits for its seal; run `assay audit seal`")
        leaves = session.scalars(select(EntryRow.leaf).where(EntryRow.batch == row.batch).order_by(EntryRow.key)).all()
        keys = session.scalars(select(EntryRow.key).where(EntryRow.batch == row.batch).order_by(EntryRow.key)).all()
        point, opening = Checkpoint.of(session.get_one(BatchRow, row.batch)), session.get(OpeningRow, entry)
    at = keys.index(row.key)
    shown = opening is not None and opening.record is not None and (words or row.kind != "request")
    return {
        "format": FORMAT, "entry": {name: getattr(row, name) for name in ENTRY}, "index": at,
        "path": path_of([leaf or "" for leaf in leaves], at), "checkpoint": point.to_json(),
        "public_key": pem_of(point.signer).decode(),
        "record": opening.record if shown and opening else None,
        "salt": bytes(opening.salt).hex() if shown and opening else None,
    }  # fmt: skip


def examine(proof: Mapping[str, Any], trusted: Collection[str]) -> dict[str, Any] | None:
    """What a proof shows under a trusted public key: the record, or None where it was not shown.

    Raises ProofBroken where it shows nothing.
    """
    try:
        entry, point = proof["entry"], Checkpoint(**proof["checkpoint"])
        root = root_by(proof["path"], leaf_of(entry), proof["index"], point.count)
        record, salt = proof["record"], proof["salt"]
        opened = None if record is None else commitment(bytes.fromhex(salt), record)
    except (KeyError, TypeError, ValueError) as error:
        raise ProofBroken(f"this is no proof of `assay audit prove` ({type(error).__name__})") from error
    if root != point.root:
        raise ProofBroken("the entry is not part of the batch whose root is shown")
    if head_of(point.to_json()) != point.head:
        raise ProofBroken("the checkpoint's header was changed")
    if not signature_holds(point.signer, point.head, point.signature, trusted):
        raise ProofBroken("the checkpoint is not signed by a key that is trusted here")
    if opened not in (None, entry["commitment"]):
        raise ProofBroken("the record shown is not what the entry commits to")
    shown: dict[str, Any] | None = json.loads(record) if record is not None else None
    if shown is not None and (shown["kind"], shown["made"]) != (entry["kind"], entry["made"]):
        raise ProofBroken("the record shown is of another entry")
    return shown
