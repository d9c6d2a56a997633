"""Strikes: what an actor was refused for, and the cool-down that a policy sets for too many of them.

An actor is a pseudonym; nobody is named here. A refusal counts only where evidence led to it: a model that fails is no
fault of the actor's. Each job counts once. An overturned appeal takes its strike away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from assay.auditing.noting import note
from assay.ledger import DecisionRow, JobRow, Ledger, now
from assay.schema import Table
from safety import Stage, Strikes

_STAGES = (Stage.PROMPT, Stage.NEGATIVE_PROMPT, Stage.INPUT_IMAGE, Stage.INPUT_VIDEO)  # what an actor brings


class StrikeRow(Table):
    """One refusal that counts against an actor."""

    __tablename__ = "strikes"
    job: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(63), index=True)
    actor: Mapped[str] = mapped_column(String(64), index=True)
    decision: Mapped[str] = mapped_column(String(64))
    category: Mapped[str] = mapped_column(String(64))
    made: Mapped[datetime]
    lifted: Mapped[str | None]  # why it no longer counts


@dataclass(frozen=True)
class Standing:
    """How an actor stands: strikes that count, and until when nothing is accepted; None: all is well."""

    strikes: int
    until: datetime | None

    @property
    def cooling(self) -> bool:
        """True while nothing is accepted."""
        return self.until is not None and now() < self.until


def strike(ledger: Ledger, job: str, terms: Strikes | None) -> bool:
    """Counts a refused job against its actor where the policy's terms say so; True where a strike was added."""
    if terms is None:
        return False
    with ledger.write() as session:
        row = session.get(JobRow, job)
        if row is None or row.actor is None or session.get(StrikeRow, job) is not None:
            return False
        found = _ground(session, row, terms)
        if found is None:
            return False
        decision, category = found
        session.add(
            StrikeRow(job=job, tenant=row.tenant, actor=row.actor, decision=decision, category=category, made=now())
        )
        note(session, "strike", row.actor, {"job": job, "category": category}, decision)
    return True


def standing(ledger: Ledger, tenant: str, names: Sequence[str], terms: Strikes | None) -> Standing:
    """How an actor stands under a policy's terms; `names` are the actor's pseudonyms under every key that is kept."""
    if terms is None or not names:
        return Standing(0, None)
    since = now() - timedelta(days=terms.window_days)
    # What lies ahead of the clock counts as well: it was set back, and that forgives nobody.
    query = select(StrikeRow.made).where(
        StrikeRow.tenant == tenant, StrikeRow.actor.in_(names), StrikeRow.lifted.is_(None), StrikeRow.made >= since
    )
    with Session(ledger.engine) as session:
        made = sorted(session.scalars(query))
    reached = [level for level in terms.levels if len(made) >= level.strikes]
    if not reached:
        return Standing(len(made), None)
    longest = max(reached, key=lambda level: level.strikes)
    return Standing(len(made), min(made[-1], now()) + timedelta(hours=longest.cool_down_h))


def lift(session: Session, job: str, why: str) -> None:
    """Takes the strike of a job away, within a transaction that says why."""
    session.execute(update(StrikeRow).where(StrikeRow.job == job, StrikeRow.lifted.is_(None)).values(lifted=why))


def _ground(session: Session, job: JobRow, terms: Strikes) -> tuple[str, str] | None:
    """The decision and category that count: a block of what the actor brought, by evidence."""
    query = select(DecisionRow).where(
        DecisionRow.job == job.id, DecisionRow.attempt == job.attempt, DecisionRow.action == "block"
    )
    for row in session.scalars(query.order_by(DecisionRow.key)):
        for reason in row.body.get("reasons", ()):
            evidence = reason["action"] == "block" and reason["score"] is not None
            if row.stage in _STAGES and evidence and reason["category"] in terms.categories:
                return row.decision, reason["category"]
    return None
