"""The ledger: one SQLAlchemy schema for command line, API and batch. It is also the queue, and the memory of reviews.

Scores are kept as they were (`Score` rows, and `Track` blobs of float16 with their maximum), and policies as they
stood, so that any decision can be made again without running a model. A job is leased by the process that works on it;
when that process dies, whoever starts next settles its jobs (`assay.leftovers`): nothing is lost or left half done.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ForeignKey, LargeBinary, String, create_engine, event, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from assay.auditing.noting import Transaction, note
from assay.errors import JobNotFound, LeaseLost
from assay.outbox import announce
from assay.schema import Table, prepare
from safety import (
    Circumstances,
    CorruptRecord,
    Decision,
    Examination,
    Item,
    Policy,
    Posture,
    PostureEntry,
    Score,
    Stage,
    Track,
    decide,
)


class State(StrEnum):
    """The states of a job. On the wire `held` reads in_progress."""

    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"
    COMPLETED = "completed"
    FAILED = "failed"


class JobRow(Table):
    """One request: to generate, or to scan."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    tenant: Mapped[str] = mapped_column(default="local")
    actor: Mapped[str | None] = mapped_column(index=True)  # a pseudonym of whom the tenant acts for
    policy: Mapped[str | None]  # the tenant's; None: that of the settings
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)  # with the tenant in it
    parent: Mapped[str | None]
    request: Mapped[dict[str, Any]]
    wire: Mapped[dict[str, Any] | None]  # what a client of the API asked for, in its words; None: no such client
    state: Mapped[str] = mapped_column(index=True)
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(default=0)
    attempts_allowed: Mapped[int] = mapped_column(default=1)
    not_before: Mapped[datetime | None]  # a retry waits until then
    cancelled: Mapped[bool] = mapped_column(default=False)  # asked for; a running attempt ends soon
    approval: Mapped[dict[str, Any] | None]  # of a held prompt, by a person
    asset: Mapped[dict[str, Any] | None]  # the signed file: path, sha256, manifest_state
    progress: Mapped[float] = mapped_column(default=0.0)
    action: Mapped[str | None]
    billable: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    created: Mapped[datetime] = mapped_column(index=True)
    updated: Mapped[datetime]
    completed: Mapped[datetime | None]
    expires: Mapped[datetime | None]  # its files go then
    deleted: Mapped[datetime | None]  # its files are gone; what was decided stays
    legal_hold: Mapped[bool] = mapped_column(default=False)  # overrides deletion and expiry
    items: Mapped[list[ItemRow]] = relationship(cascade="all, delete-orphan", order_by="ItemRow.key")
    decisions: Mapped[list[DecisionRow]] = relationship(cascade="all, delete-orphan", order_by="DecisionRow.key")


class ItemRow(Table):
    """What was judged for a job."""

    __tablename__ = "items"
    key: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    attempt: Mapped[int] = mapped_column(default=1)
    stage: Mapped[str]
    item: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    count: Mapped[int]
    scores: Mapped[list[ScoreRow]] = relationship(cascade="all, delete-orphan", order_by="ScoreRow.key")


class ScoreRow(Table):
    """One score, or the track of a whole video: `track` then holds the values and `maximum` the largest."""

    __tablename__ = "scores"
    key: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[int] = mapped_column(ForeignKey("items.key"), index=True)
    category: Mapped[str] = mapped_column(index=True)
    source: Mapped[str]
    maximum: Mapped[float | None] = mapped_column(index=True)
    score: Mapped[dict[str, Any] | None]
    track: Mapped[bytes | None] = mapped_column(LargeBinary)


class DecisionRow(Table):
    """One decision, by policy or by a person, with its reasons, as it was made."""

    __tablename__ = "decisions"
    key: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    attempt: Mapped[int] = mapped_column(default=1)
    decision: Mapped[str] = mapped_column(index=True)
    stage: Mapped[str]
    action: Mapped[str]
    policy_digest: Mapped[str | None] = mapped_column(String(64))
    scoring_digest: Mapped[str | None] = mapped_column(String(64))
    body: Mapped[dict[str, Any]]
    made: Mapped[datetime]


class PolicyRow(Table):
    """A policy as it stood when it decided: without it no decision could be made again."""

    __tablename__ = "policies"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[dict[str, Any]]


class PostureRow(Table):
    """Which model effectively looked at a job's items."""

    __tablename__ = "posture"
    key: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    attempt: Mapped[int] = mapped_column(default=1)
    body: Mapped[dict[str, Any]]


class HeldRow(Table):
    """A prompt or an output that waits for a person."""

    __tablename__ = "held"
    id: Mapped[str] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    stage: Mapped[str]
    path: Mapped[str | None]  # the private file; None where a prompt is held
    sha256: Mapped[str | None] = mapped_column(String(64))
    context: Mapped[dict[str, Any]]  # what publishing needs: origin, destination
    state: Mapped[str] = mapped_column(default="waiting", index=True)  # waiting, approved, refused, expired
    created: Mapped[datetime]
    expires: Mapped[datetime]


@dataclass(frozen=True)
class Brought:
    """What comes with the end of a job: who ends it, the signed file, the row of what waits for a person."""

    owner: str | None = None  # None: a person, or whoever clears away
    asset: dict[str, Any] | None = None
    held: HeldRow | None = None


def now() -> datetime:
    """The present in UTC; SQLite keeps no zone, so none is stored."""
    return datetime.now(UTC).replace(tzinfo=None)


def new_id(kind: str) -> str:
    """An identifier that cannot be guessed: `job_...`, `rev_...`."""
    return f"{kind}_{secrets.token_hex(12)}"


class Ledger:
    """Every write is one transaction; readers never wait for writers (WAL)."""

    def __init__(self, url: str) -> None:
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.engine = create_engine(url)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _durable_sqlite)
        try:
            prepare(self.engine)
        except BaseException:
            self.engine.dispose()
            raise

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: all of it is kept, or nothing. New jobs and decisions enter the audit chain with it."""
        with Transaction(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Gives every connection back."""
        self.engine.dispose()

    def open_job(self, kind: str, request: dict[str, Any], lease: tuple[str, float], **whose: str | None) -> str:
        """A running job, leased to its owner for that many seconds; returns the job's id.

        `whose` are further columns: tenant, actor, policy, parent.
        """
        owner, seconds = lease
        job = new_id("job")
        row = JobRow(
            id=job, kind=kind, request=request, state=State.RUNNING, attempt=1, created=now(), updated=now(),
            lease_owner=owner, lease_until=now() + timedelta(seconds=seconds), **whose,
        )  # fmt: skip
        with self.write() as session:
            session.add(row)
        return job

    def record(
        self, job: str, examination: Examination, decisions: Sequence[Decision], policy: Policy, scoring_digest: str
    ) -> None:
        """Keeps what was seen, what was decided and under which document, in one transaction."""
        with self.write() as session:
            session.merge(PolicyRow(digest=policy.digest, document=policy.document()))
            at = {"job": job, "attempt": session.scalars(select(JobRow.attempt).where(JobRow.id == job)).one()}
            for item in examination.items:
                row = ItemRow(**at, stage=item.stage, item=item.id, sha256=item.sha256, count=item.count)
                row.scores = [ScoreRow(**score_columns(score)) for score in examination.scores if score.item == item]
                session.add(row)
            session.add_all(PostureRow(**at, body=body) for body in posture_of(examination))
            session.add_all(DecisionRow(**at, **decision_columns(each, scoring_digest)) for each in decisions)

    def settle(
        self, job: str, state: State, *, action: str | None = None, error: str | None = None,
        brought: Brought | None = None,
    ) -> None:  # fmt: skip
        """Ends a job's lease in a state; only a released video is billable.

        Where an owner brings the end, it counts only while it still has the lease: LeaseLost otherwise, and nothing is
        changed.
        """
        with self.write() as session:
            self.settle_in(session, job, state, action=action, error=error, brought=brought or Brought())

    def settle_in(
        self, session: Session, job: str, state: State, *, action: str | None, error: str | None, brought: Brought
    ) -> None:
        """`settle`, inside a transaction that does more."""
        billable = state is State.COMPLETED and action == "allow"
        values: dict[str, Any] = {"state": state, "updated": now(), "lease_owner": None, "lease_until": None}
        values |= {"action": action, "error": error, "billable": billable, "asset": brought.asset}
        values |= {"completed": now()} if state in (State.COMPLETED, State.FAILED) else {}
        mine = JobRow.id == job
        if brought.owner is not None:
            mine &= (JobRow.lease_owner == brought.owner) & (JobRow.state == State.RUNNING)
        changed: Any = session.execute(update(JobRow).where(mine).values(**values))
        if brought.owner is not None and changed.rowcount != 1:
            raise LeaseLost(f"{job} is no longer this worker's; nothing of this attempt counts")
        if brought.held is not None:
            session.add(brought.held)
        self.ended_in(session, job)

    def ended_in(self, session: Session, job: str) -> None:
        """Notes in the audit chain how a job stands now, and tells its tenant where it has ended.

        Whoever changes a job's state by a statement of its own calls this in the same transaction.
        """
        session.flush()
        ended = select(
            JobRow.tenant, JobRow.state, JobRow.action, JobRow.error_code, JobRow.billable, JobRow.asset, JobRow.wire
        ).where(JobRow.id == job)
        if (row := session.execute(ended).one_or_none()) is None:
            return
        facts = {"state": row.state, "action": row.action, "error_code": row.error_code, "billable": row.billable}
        note(session, "settled", job, facts, row.asset["sha256"] if row.asset else None)
        if row.wire is not None and row.state in (State.COMPLETED, State.FAILED):  # a client of the API waits for it
            well = row.state == State.COMPLETED and row.action == "allow"
            announce(session, [(job, row.tenant, "video.completed" if well else "video.failed")])

    def settle_running(self, owner: str, error: str) -> None:
        """Whatever jobs a process that is gone had leased: tried again where that is allowed, else failed."""
        freed = {"updated": now(), "lease_owner": None, "lease_until": None}
        lost = (JobRow.state == State.RUNNING) & (JobRow.lease_owner == owner)
        again = (JobRow.attempt < JobRow.attempts_allowed) & JobRow.cancelled.is_(False)
        with self.write() as session:
            session.execute(update(JobRow).where(lost & again).values(state=State.QUEUED, progress=0.0, **freed))
            failed = {"state": State.FAILED, "error": error, "error_code": "worker_died", "completed": now(), **freed}
            jobs = session.scalars(select(JobRow.id).where(lost)).all()  # after a write: nobody else changes them now
            session.execute(update(JobRow).where(JobRow.id.in_(jobs), lost).values(**failed))
            for job in jobs:
                self.ended_in(session, job)

    def job(self, id: str) -> JobRow:
        """A job with its items, scores and decisions; JobNotFound where there is none."""
        with Session(self.engine, expire_on_commit=False) as session:
            row = session.get(JobRow, id)
            if row is None:
                raise JobNotFound(f"{id}: no such job in this ledger")
            for item in row.items:
                _ = item.scores  # loaded while the session lives
            _ = row.decisions
            return row

    def posture(self, job: str) -> Posture:
        """Who looked at a job's items, in its last attempt."""
        last = select(func.max(PostureRow.attempt)).where(PostureRow.job == job).scalar_subquery()
        mine = (PostureRow.job == job) & (PostureRow.attempt == last)
        with Session(self.engine) as session:
            bodies = session.scalars(select(PostureRow.body).where(mine).order_by(PostureRow.key)).all()
        return tuple(PostureEntry(**{**body, "stage": Stage(body["stage"])}) for body in bodies)

    def examination(self, job: str) -> Examination:
        """What was said of a job's items in its last attempt, exactly as it was recorded."""
        items = _last(self.job(job).items)
        scores = (_score(kept) for row in items for kept in row.scores)
        return Examination(tuple(_item(row) for row in items), tuple(scores), self.posture(job))

    def decisions(self, job: str) -> tuple[Decision, ...]:
        """A job's decisions by policy in its last attempt, made again from the scores under the policy of that day.

        Raises CorruptRecord where one does not come out as it was recorded: somebody has changed the ledger.
        """
        seen, row = self.examination(job), self.job(job)
        again = []
        for kept in _last(row.decisions):
            if kept.policy_digest is None:
                continue  # a person's
            items = [item for item in seen.items if item.stage == kept.stage]
            under = Circumstances.from_json(kept.body["circumstances"])
            decision = decide(self.policy(kept.policy_digest), items, seen.scores, under)
            erased = kept.body.get("erased") and decision.action.word == kept.action  # its words are gone, by right
            if decision.id != kept.decision and not erased:
                raise CorruptRecord(f"{job}: the record of {kept.decision} no longer leads to that decision")
            again.append(decision)
        return tuple(again)

    def policy(self, digest: str) -> Policy:
        """The policy document of that digest, as it stood; CorruptRecord where it is gone or changed."""
        with Session(self.engine) as session:
            row = session.get(PolicyRow, digest)
            policy = None if row is None else Policy.from_document(row.document, f"ledger policy {digest[:12]}")
        if policy is None or policy.digest != digest:
            raise CorruptRecord(f"the policy {digest} is not in this ledger as it was")
        return policy


def score_columns(score: Score | Track) -> dict[str, Any]:
    """A score as columns of `scores`, without its item."""
    named = {"category": score.category, "source": score.source}
    if isinstance(score, Track):
        return named | {"maximum": score.maximum, "score": None, "track": score.to_bytes()}
    return named | {"maximum": score.value, "score": score.to_json(), "track": None}


def posture_of(examination: Examination) -> list[dict[str, Any]]:
    """Who looked, as the bodies of `posture`."""
    return [entry.to_json() for entry in examination.posture]


def _score(row: ScoreRow) -> Score | Track:
    return Track.from_bytes(row.track) if row.track is not None else Score.from_json(row.score or {})


def _item(row: ItemRow) -> Item:
    return Item(Stage(row.stage), row.item, row.sha256, row.count)


def decision_columns(decision: Decision, scoring_digest: str | None) -> dict[str, Any]:
    """A decision by policy as columns of `decisions`, without its job."""
    return {
        "decision": decision.id, "stage": decision.stage, "action": decision.action.word, "body": decision.to_json(),
        "policy_digest": decision.policy["digest"], "scoring_digest": scoring_digest, "made": now(),
    }  # fmt: skip


_Tried = TypeVar("_Tried", ItemRow, DecisionRow)


def _last(rows: Sequence[_Tried]) -> list[_Tried]:
    """Those of the last attempt: what an earlier one saw is kept, but it ended nothing."""
    newest = max((row.attempt for row in rows), default=0)
    return [row for row in rows if row.attempt == newest]


def _durable_sqlite(connection: Any, _: object) -> None:
    """WAL, and a commit that has returned is on the disk."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
