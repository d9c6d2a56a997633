"""Shadow policies: they judge what was recorded of a job, after it was decided, and nothing acts on what they say.

They read scores from the ledger and write rows of their own; they are given neither the job nor its decisions to
change. A policy that asks for what nobody scored cannot be compared, and that is what its row says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Index, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from assay.ledger import DecisionRow, JobRow, Ledger, State, now
from assay.metrics import Gauge
from assay.rollout import current, load
from assay.schema import Table
from media import AssayError
from safety import Action, Circumstances, Decision, Examination, Item, Policy, Stage, decide


class ShadowRow(Table):
    """What a shadow policy would have done at one stage of a job."""

    __tablename__ = "shadows"
    key: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(String(64), index=True)
    stage: Mapped[str] = mapped_column(String(32))
    policy: Mapped[str]  # id@version
    digest: Mapped[str] = mapped_column(String(64), index=True)
    acted: Mapped[str] = mapped_column(String(10))
    would: Mapped[str | None] = mapped_column(String(10))  # None: it cannot be compared
    why: Mapped[str | None]
    made: Mapped[datetime]
    __table_args__ = (Index("ux_shadows_once", "job", "stage", "digest", unique=True),)


@dataclass(frozen=True)
class Comparison:
    """How often a shadow policy agreed with what acted."""

    policy: str
    digest: str
    acted: str
    would: str | None
    jobs: int


def judge_in_shadow(ledger: Ledger, folder: Path, job: str) -> int:
    """Judges a job under every shadow policy that is rolled out for its tenant; how many rows came of it.

    Never raises for what a shadow says or cannot say: that is a row. The database's own errors pass.
    """
    row = ledger.job(job)
    written = 0
    for digest in current(ledger, row.tenant).shadows:
        written += _judge(ledger, folder, row, digest)
    return written


def unjudged(ledger: Ledger, since: datetime, most: int = 100) -> list[str]:
    """Jobs that ended since then, and that some shadow policy has not judged yet, oldest first."""
    shadows = current(ledger).shadows
    if not shadows:
        return []
    seen = select(ShadowRow.job).where(ShadowRow.digest == shadows[-1])
    ended = JobRow.state.in_((State.COMPLETED, State.HELD)) & (JobRow.updated >= since)
    query = select(JobRow.id).where(ended, JobRow.id.not_in(seen), JobRow.decisions.any()).order_by(JobRow.created)
    with Session(ledger.engine) as session:
        return list(session.scalars(query.limit(most)))


def comparisons(ledger: Ledger) -> list[Comparison]:
    """How often each shadow policy would have done what, against what was done."""
    kinds = (ShadowRow.policy, ShadowRow.digest, ShadowRow.acted, ShadowRow.would)
    with Session(ledger.engine) as session:
        rows = session.execute(select(*kinds, func.count()).group_by(*kinds).order_by(*kinds)).all()
    return [Comparison(*row) for row in rows]


def gauges(ledger: Ledger) -> list[Gauge]:
    """The comparisons for Prometheus."""
    return [
        Gauge(
            "assay_shadow_decisions", "Decisions that a shadow policy would have made, by what was done.", one.jobs,
            {"policy": one.policy, "acted": one.acted, "would": one.would or "not_comparable"},
        )
        for one in comparisons(ledger)
    ]  # fmt: skip


def _judge(ledger: Ledger, folder: Path, row: JobRow, digest: str) -> int:
    acted = [one for one in row.decisions if one.policy_digest is not None and one.attempt == row.attempt]
    with Session(ledger.engine) as session:
        done = set(
            session.scalars(select(ShadowRow.stage).where(ShadowRow.job == row.id, ShadowRow.digest == digest)).all()
        )
    made = [_compared(ledger, folder, one, digest) for one in acted if one.stage not in done]
    with ledger.write() as session:
        session.add_all(made)
    return len(made)


def _compared(ledger: Ledger, folder: Path, acted: DecisionRow, digest: str) -> ShadowRow:
    shadow = ShadowRow(
        job=acted.job, stage=acted.stage, digest=digest, policy=digest[:12], acted=acted.action, made=now()
    )
    try:
        policy = load(ledger, folder, digest)
        shadow.policy = f"{policy.id}@{policy.version}"
        would = rejudged(policy, ledger.examination(acted.job), acted)
    except (AssayError, ValueError) as error:
        shadow.why = f"{type(error).__name__}: {error}"[:500]
        return shadow
    missing = [
        reason for reason in would.reasons if reason.note == "no stage answered" and reason.action is would.action
    ]
    graver = [reason for reason in would.reasons if reason.action is would.action and reason not in missing]
    if missing and not graver and would.action > Action.ALLOW:
        shadow.why = f"nobody scored {', '.join(sorted({reason.category for reason in missing}))}"
        return shadow
    shadow.would = would.action.word
    return shadow


def rejudged(policy: Policy, seen: Examination, kept: DecisionRow) -> Decision:
    """What a policy says of one stage of a job, from its recorded scores and in its circumstances."""
    items: list[Item] = [item for item in seen.items if item.stage is Stage(kept.stage)]
    return decide(policy, items, seen.scores, Circumstances.from_json(kept.body["circumstances"]))
