"""Appeals: whoever was refused may object, and a person upholds or overturns the decision. Both are recorded.

Overturning takes the strike away and stands in the record beside the decision. It releases nothing by itself: what was
blocked was deleted, and a block is the policy's. It is the reason to change the policy, and to let the actor ask again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from assay import strikes
from assay.errors import JobNotFound, ReviewClosed
from assay.ledger import DecisionRow, JobRow, Ledger, State, new_id, now
from assay.schema import Table
from assay.withdrawal import Order, TakedownRow
from media import UsageError

_LONGEST = 5_000


class AppealRow(Table):
    """One objection to how a job was decided."""

    __tablename__ = "appeals"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    job: Mapped[str] = mapped_column(String(64), unique=True)  # one objection a job
    tenant: Mapped[str] = mapped_column(String(63), index=True)
    words: Mapped[str]
    state: Mapped[str] = mapped_column(String(10), index=True)  # open, upheld, overturned
    reason: Mapped[str | None]
    made: Mapped[datetime]
    decided: Mapped[datetime | None]

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id, "object": "appeal", "job": self.job, "state": self.state, "words": self.words,
            "reason": self.reason, "created": f"{self.made.isoformat()}Z",
            "decided": f"{self.decided.isoformat()}Z" if self.decided else None,
        }  # fmt: skip


def appeal(ledger: Ledger, tenant: str, job: str, words: str) -> AppealRow:
    """Objects to the refusal, or the take-down, of a tenant's job; the same again gives the appeal that is there."""
    if not words.strip() or len(words) > _LONGEST:
        raise UsageError(f"an appeal says why, in up to {_LONGEST} characters")
    with ledger.write() as session:
        row = session.get(JobRow, job)
        if row is None or row.tenant != tenant:
            raise JobNotFound(f"{job[:80]!r}: no such job")
        refused = row.state == State.COMPLETED and row.action == "block"
        if not refused and session.get(TakedownRow, job) is None:
            raise UsageError(f"{job} was neither refused nor taken down; there is nothing to appeal")
        there = session.scalars(select(AppealRow).where(AppealRow.job == job)).one_or_none()
        if there is not None:
            return there
        made = AppealRow(id=new_id("apl"), job=job, tenant=tenant, words=words, state="open", made=now())
        session.add(made)
    return made


def appeals(ledger: Ledger, state: str | None = "open", tenant: str | None = None) -> list[AppealRow]:
    """Appeals, oldest first."""
    query = select(AppealRow).order_by(AppealRow.made, AppealRow.id)
    query = query.where(AppealRow.state == state) if state else query
    query = query.where(AppealRow.tenant == tenant) if tenant else query
    with Session(ledger.engine, expire_on_commit=False) as session:
        return list(session.scalars(query))


def decide_appeal(ledger: Ledger, id: str, order: Order, *, overturn: bool) -> AppealRow:
    """A person upholds or overturns; that stands beside the policy's decision. ReviewClosed where one did before."""
    state = "overturned" if overturn else "upheld"
    with ledger.write() as session:
        row = session.get(AppealRow, id)
        if row is None:
            raise JobNotFound(f"{id[:80]!r}: no such appeal")
        open_ = (AppealRow.id == id) & (AppealRow.state == "open")
        values = {"state": state, "decided": now(), "reason": order.reason}
        ended: Any = session.execute(update(AppealRow).where(open_).values(**values))
        if ended.rowcount != 1:
            raise ReviewClosed(f"{id} was decided already")
        job = session.get_one(JobRow, row.job)
        body = {"reviewer": order.by, "action": "overturn" if overturn else "uphold", "reason": order.reason}
        session.add(
            DecisionRow(
                job=job.id, attempt=job.attempt, decision=f"{id}-{state}", stage="appeal",
                action="allow" if overturn else "block", body=body, made=now(),
            )
        )  # fmt: skip
        if overturn:
            strikes.lift(session, job.id, f"{id} was overturned")
        session.refresh(row)
    return row
