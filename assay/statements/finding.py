"""Which decision is meant: by its own id, by that of its job, or by the hash of a scanned file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from assay.batch.tables import ContentRow
from assay.errors import JobNotFound
from assay.ledger import DecisionRow, JobRow, Ledger

_GRAVITY = {"allow": 0, "review": 1, "block": 2}


@dataclass(frozen=True)
class Found:
    """A decision by policy, its job, and what a person said of the same job afterwards, if anybody did."""

    decision: DecisionRow
    job: JobRow
    human: DecisionRow | None


def find(ledger: Ledger, id: str) -> Found:
    """The decision of that id; of a job, or of a content by its sha256, the gravest of the newest.

    Raises JobNotFound where there is none.
    """
    with Session(ledger.engine, expire_on_commit=False) as session:
        rows = session.scalars(_wanted(id).order_by(DecisionRow.key)).all()
        by_policy = [row for row in rows if row.policy_digest is not None]
        if not by_policy:
            raise JobNotFound(f"{id[:80]}: no decision by a policy of that id, job or sha256 in this ledger")
        newest = [row for row in by_policy if row.policy_digest == by_policy[-1].policy_digest]
        decision = max(newest, key=lambda row: (_GRAVITY[row.action], row.key))
        job = session.get_one(JobRow, decision.job)
        later = (DecisionRow.job == job.id) & DecisionRow.policy_digest.is_(None) & (DecisionRow.key > decision.key)
        human = session.scalars(select(DecisionRow).where(later).order_by(DecisionRow.key.desc())).first()
        return Found(decision, job, human)


def _wanted(id: str) -> Any:
    if id.startswith("dec_"):
        return select(DecisionRow).where(DecisionRow.decision == id)
    if id.startswith("job_"):
        return select(DecisionRow).where(DecisionRow.job == id)
    return (
        select(DecisionRow).join(ContentRow, ContentRow.job == DecisionRow.job).where(ContentRow.sha256 == id.lower())
    )
