"""Writing entries, in the very transaction of what they speak of: neither is kept without the other.

`Transaction` is the session of the ledger. Whatever new job or decision it is about to write, it notes first: no code
path can record a decision and leave it out of the chain.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session

from assay.auditing.tables import EntryRow, OpeningRow
from assay.auditing.tip import add_written
from assay.schema import Table

_DOMAIN = b"assay record 1\0"
SALT = 32  # bytes
MISSING = "missing"  # the kind of an entry that says that others were removed


class Transaction(Session):
    """The session of `Ledger.write`: it notes new jobs and decisions by itself."""


def canonical(value: object) -> str:
    """One spelling of a JSON value: sorted keys, no spaces, ASCII; ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def commitment(salt: bytes, record: str) -> str:
    """The salted hash, hexadecimal, of a canonical record."""
    return hashlib.sha256(_DOMAIN + salt + record.encode()).hexdigest()


def sha256_json(value: object) -> str:
    """The plain hash of a JSON value in its one spelling."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def note(session: Session, kind: str, subject: str, facts: Mapping[str, Any], reference: str | None = None) -> EntryRow:
    """Adds an entry to the transaction; it waits for its seal. The facts must be JSON, and hold no secret."""
    made = datetime.now(UTC).isoformat(timespec="milliseconds")
    id, salt = f"aud_{secrets.token_hex(12)}", secrets.token_bytes(SALT)
    record = canonical({"kind": kind, "made": made, "subject": subject, "reference": reference, "facts": dict(facts)})
    entry = EntryRow(id=id, kind=kind, made=made, commitment=commitment(salt, record))
    session.info.setdefault("noted", []).append((id, entry.commitment))
    session.add_all((entry, OpeningRow(entry=id, subject=subject, reference=reference, salt=salt, record=record)))
    return entry


def without_texts(body: Any) -> Any:
    """The body of a decision without the words it cites, which may be personal and are kept only as long as allowed."""
    if isinstance(body, dict):
        return {key: without_texts(value) for key, value in body.items() if key not in ("text", "erased")}
    if isinstance(body, list):
        return [without_texts(value) for value in body]
    return body


def decision_facts(row: Any) -> dict[str, Any]:
    """What the chain commits to of a decision, from its row as it stands in the ledger."""
    return {
        "decision": row.decision, "stage": row.stage, "action": row.action, "policy_digest": row.policy_digest,
        "scoring_digest": row.scoring_digest, "body_sha256": sha256_json(without_texts(row.body)),
        "made": row.made.isoformat(),
    }  # fmt: skip


def posture_sha256(decision: Any, rows: Iterable[Any]) -> str:
    """The hash of who looked at the stage of a decision, in whatever order the rows come."""
    mine = [row.body for row in rows if row.job == decision.job and row.body.get("stage") == decision.stage]
    return sha256_json(sorted(canonical(body) for body in mine))


@event.listens_for(Transaction, "before_flush")
def _note_what_is_new(session: Session, _context: object, _instances: object) -> None:
    """Notes each new job, and each new decision with the posture behind it."""
    rows = [row for row in session.new if isinstance(row, Table)]
    looked = [row for row in rows if row.__tablename__ == "posture"]
    for row in rows:
        if row.__tablename__ == "jobs":
            _note_job(session, row)
        elif row.__tablename__ == "decisions":
            _note_decision(session, row, looked)


@event.listens_for(Transaction, "before_commit")
def _count_what_was_noted(session: Session) -> None:
    """Counts the transaction's entries, as its last statement."""
    session.flush()
    if noted := session.info.pop("noted", None):
        add_written(session, noted)


@event.listens_for(Transaction, "do_orm_execute")
def _note_what_is_inserted(state: ORMExecuteState) -> None:
    """The same for rows that are inserted many at a time; who looked is then inserted apart, and not committed to."""
    if not state.is_insert or state.bind_mapper is None:
        return
    table = state.bind_mapper.local_table.name  # type: ignore[attr-defined]
    if table not in ("jobs", "decisions"):
        return
    given: list[Any] = state.parameters if isinstance(state.parameters, list) else [state.parameters]
    if not given or not all(given):
        raise TypeError(
            f"rows of {table} are inserted with their values as parameters, so that the audit chain sees them"
        )
    blank = {"policy_digest": None, "scoring_digest": None, "tenant": None}
    for values in given:
        row = SimpleNamespace(**(blank | dict(values or {})))
        if table == "jobs":
            _note_job(state.session, row)
        else:
            _note_decision(state.session, row, None)


def _note_job(session: Session, row: Any) -> None:
    facts = {"kind": row.kind, "tenant": row.tenant or "local", "request": row.request}
    note(session, "request", row.id, facts)


def _note_decision(session: Session, row: Any, looked: list[Any] | None) -> None:
    facts = decision_facts(row)
    by_models = looked is not None and row.policy_digest is not None  # no model stands behind a person's decision
    facts["posture_sha256"] = posture_sha256(row, looked or ()) if by_models else None
    note(session, "decision" if row.policy_digest else "human", row.job, facts, row.decision)
