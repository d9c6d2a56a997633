"""The ledger: one SQLAlchemy schema for command line, API and batch. It is also the queue, and the memory of reviews.

Scores are kept as they were (`Score` rows, and `Track` blobs of float16 with their maximum), and policies as they
stood, so that any decision can be made again without running a model. A job is leased by the process that works on it;
when that process dies, whoever starts next settles its jobs (`assay.leftovers`): nothing is lost or left half done.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, String, create_engine, event, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from assay.errors import JobNotFound
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


class _Table(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012 (SQLAlchemy's own idiom)


class JobRow(_Table):
    """One request: to generate, or to scan."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    tenant: Mapped[str] = mapped_column(default="local")
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    parent: Mapped[str | None]
    request: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(index=True)
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(default=0)
    progress: Mapped[float] = mapped_column(default=0.0)
    action: Mapped[str | None]
    billable: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None]
    created: Mapped[datetime]
    updated: Mapped[datetime]
    expires: Mapped[datetime | None]
    items: Mapped[list[ItemRow]] = relationship(cascade="all, delete-orphan", order_by="ItemRow.key")
    decisions: Mapped[list[DecisionRow]] = relationship(cascade="all, delete-orphan", order_by="DecisionRow.key")


class ItemRow(_Table):
    """What was judged for a job."""

    __tablename__ = "items"
    key: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    stage: Mapped[str]
    item: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    count: Mapped[int]
    scores: Mapped[list[ScoreRow]] = relationship(cascade="all, delete-orphan", order_by="ScoreRow.key")


class ScoreRow(_Table):
    """One score, or the track of a whole video: `track` then holds the values and `maximum` the largest."""

    __tablename__ = "scores"
    key: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[int] = mapped_column(ForeignKey("items.key"), index=True)
    category: Mapped[str] = mapped_column(index=True)
    source: Mapped[str]
    maximum: Mapped[float | None] = mapped_column(index=True)
    score: Mapped[dict[str, Any] | None]
    track: Mapped[bytes | None] = mapped_column(LargeBinary)


class DecisionRow(_Table):
    """One decision, by policy or by a person, with its reasons, as it was made."""

    __tablename__ = "decisions"
    key: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    decision: Mapped[str] = mapped_column(index=True)
    stage: Mapped[str]
    action: Mapped[str]
    policy_digest: Mapped[str | None] = mapped_column(String(64))
    scoring_digest: Mapped[str | None] = mapped_column(String(64))
    body: Mapped[dict[str, Any]]
    made: Mapped[datetime]


class PolicyRow(_Table):
    """A policy as it stood when it decided: without it no decision could be made again."""

    __tablename__ = "policies"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[dict[str, Any]]


class PostureRow(_Table):
    """Which model effectively looked at a job's items."""

    __tablename__ = "posture"
    key: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    body: Mapped[dict[str, Any]]


class HeldRow(_Table):
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
        _Table.metadata.create_all(self.engine)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: everything in it is kept, or nothing."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Gives every connection back."""
        self.engine.dispose()

    def open_job(self, kind: str, request: dict[str, Any], lease: tuple[str, float]) -> str:
        """A running job, leased to its owner for that many seconds; returns the job's id."""
        owner, seconds = lease
        job = new_id("job")
        row = JobRow(
            id=job, kind=kind, request=request, state=State.RUNNING, attempt=1, created=now(), updated=now(),
            lease_owner=owner, lease_until=now() + timedelta(seconds=seconds),
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
            for item in examination.items:
                row = ItemRow(job=job, stage=item.stage, item=item.id, sha256=item.sha256, count=item.count)
                row.scores = [_score_row(score) for score in examination.scores if score.item == item]
                session.add(row)
            session.add_all(PostureRow(job=job, body=entry.to_json()) for entry in examination.posture)
            session.add_all(_decision_row(job, decision, scoring_digest) for decision in decisions)

    def settle(self, job: str, state: State, *, action: str | None = None, error: str | None = None) -> None:
        """Ends a job's lease in a state; only a released video is billable."""
        billable = state is State.COMPLETED and action == "allow"
        values: dict[str, Any] = {"state": state, "updated": now(), "lease_owner": None, "lease_until": None}
        values |= {"action": action, "error": error, "billable": billable}
        with self.write() as session:
            session.execute(update(JobRow).where(JobRow.id == job).values(**values))

    def settle_running(self, owner: str, error: str) -> None:
        """Fails whatever jobs a process that is gone had leased."""
        values = {"state": State.FAILED, "error": error, "updated": now(), "lease_owner": None, "lease_until": None}
        with self.write() as session:
            lost = (JobRow.state == State.RUNNING) & (JobRow.lease_owner == owner)
            session.execute(update(JobRow).where(lost).values(**values))

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
        """Who looked at a job's items."""
        with Session(self.engine) as session:
            bodies = session.scalars(
                select(PostureRow.body).where(PostureRow.job == job).order_by(PostureRow.key)
            ).all()
        return tuple(PostureEntry(**{**body, "stage": Stage(body["stage"])}) for body in bodies)

    def examination(self, job: str) -> Examination:
        """What was said of a job's items, exactly as it was recorded."""
        items = self.job(job).items
        scores = (_score(kept) for row in items for kept in row.scores)
        return Examination(tuple(_item(row) for row in items), tuple(scores), self.posture(job))

    def decisions(self, job: str) -> tuple[Decision, ...]:
        """A job's decisions by policy, made again from the recorded scores under the policy of that day.

        Raises CorruptRecord where one does not come out as it was recorded: somebody has changed the ledger.
        """
        seen, row = self.examination(job), self.job(job)
        again = []
        for kept in row.decisions:
            if kept.policy_digest is None:
                continue  # a person's
            items = [item for item in seen.items if item.stage == kept.stage]
            under = Circumstances.from_json(kept.body["circumstances"])
            decision = decide(self.policy(kept.policy_digest), items, seen.scores, under)
            if decision.id != kept.decision:
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


def _score_row(score: Score | Track) -> ScoreRow:
    if isinstance(score, Track):
        return ScoreRow(
            category=score.category, source=score.source, maximum=score.maximum, score=None, track=score.to_bytes()
        )
    return ScoreRow(
        category=score.category, source=score.source, maximum=score.value, score=score.to_json(), track=None
    )


def _score(row: ScoreRow) -> Score | Track:
    return Track.from_bytes(row.track) if row.track is not None else Score.from_json(row.score or {})


def _item(row: ItemRow) -> Item:
    return Item(Stage(row.stage), row.item, row.sha256, row.count)


def _decision_row(job: str, decision: Decision, scoring_digest: str | None) -> DecisionRow:
    return DecisionRow(
        job=job, decision=decision.id, stage=decision.stage, action=decision.action.word,
        policy_digest=decision.policy["digest"], scoring_digest=scoring_digest, body=decision.to_json(), made=now(),
    )  # fmt: skip


def _durable_sqlite(connection: Any, _: object) -> None:
    """WAL, and a commit that has returned is on the disk."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
