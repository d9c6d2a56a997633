"""The queue: jobs of the ledger, taken under a lease that a heartbeat renews, tried again a limited number of times.

A worker takes a job by one conditional UPDATE, so two can never have the same one, on SQLite as on PostgreSQL. Whoever
does not renew its lease has lost the job: what it still does changes nothing, since every later write asks for the
lease as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from assay.errors import LeaseLost, StageFailed, StageTimeout
from assay.ledger import HeldRow, JobRow, Ledger, State, now
from assay.request import Request
from assay.serving import Serving
from media import AssayError, MediaError, UsageError

_LOOK = 8  # of the oldest waiting jobs: others may take the first while we look
_BACK_OFF_S = 2.0  # before the second attempt; doubles with each
_ENDED = (State.COMPLETED, State.FAILED)
_FINAL = ("invalid_request", "cancelled", "moderation_blocked")  # codes of errors that come again


class Cancelled(AssayError):
    """Somebody asked for this job to end."""


@dataclass(frozen=True)
class NewJob:
    """What goes into the queue. `idempotency_key` must have the tenant in it."""

    id: str
    tenant: str
    request: Request
    wire: dict[str, Any]
    actor: str | None = None
    policy: str | None = None
    parent: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Taken:
    """A job that a worker has."""

    job: str
    owner: str
    attempt: int
    request: Request
    policy: str | None
    approval: dict[str, Any] | None


class Queue:
    """The jobs of one ledger."""

    def __init__(self, ledger: Ledger, serving: Serving) -> None:
        self.ledger, self._serving = ledger, serving

    def add(self, new: NewJob, room: Callable[[Session], None] | None = None) -> bool:
        """Puts a job into the queue; False where one with its idempotency key is there already.

        `room` is asked inside the transaction, before anything is written, and raises where there is none.
        """
        row = JobRow(
            id=new.id, kind="generate", tenant=new.tenant, actor=new.actor, policy=new.policy, parent=new.parent,
            request=new.request.to_json(), wire=new.wire, idempotency_key=new.idempotency_key, state=State.QUEUED,
            attempts_allowed=self._serving.attempts, created=now(), updated=now(),
            expires=now() + timedelta(hours=self._serving.keep_hours),
        )  # fmt: skip
        try:
            with self.ledger.write() as session:
                if room is not None:
                    room(session)
                session.add(row)
        except IntegrityError:
            if new.idempotency_key is None or self.by_key(new.idempotency_key) is None:
                raise
            return False
        return True

    def by_key(self, idempotency_key: str) -> JobRow | None:
        """The job of that key."""
        with Session(self.ledger.engine, expire_on_commit=False) as session:
            return session.scalars(select(JobRow).where(JobRow.idempotency_key == idempotency_key)).one_or_none()

    def take(self, owner: str) -> Taken | None:
        """The oldest job that may be worked on now, leased to its new owner; None where there is none."""
        waits = (JobRow.state == State.QUEUED) & JobRow.cancelled.is_(False)
        waits &= or_(JobRow.not_before.is_(None), JobRow.not_before <= now())
        with Session(self.ledger.engine) as session:
            ids = session.scalars(select(JobRow.id).where(waits).order_by(JobRow.created).limit(_LOOK)).all()
        for id in ids:
            leased = {"state": State.RUNNING, "lease_owner": owner, "lease_until": self._until(), "updated": now()}
            with self.ledger.write() as session:
                mine = update(JobRow).where(JobRow.id == id, waits).values(attempt=JobRow.attempt + 1, **leased)
                won: Any = session.execute(mine)
            if won.rowcount == 1:
                return self._taken(id, owner)
        return None

    def _taken(self, id: str, owner: str) -> Taken:
        with Session(self.ledger.engine) as session:
            row = session.get_one(JobRow, id)
            return Taken(id, owner, row.attempt, Request.from_json(row.request), row.policy, row.approval)

    def beat(self, taken: Taken, progress: float) -> None:
        """Renews the lease and notes how far the job is; raises LeaseLost, or Cancelled where that was asked for."""
        mine = self._mine(taken)
        with self.ledger.write() as session:
            kept: Any = session.execute(
                update(JobRow).where(mine).values(lease_until=self._until(), progress=progress, updated=now())
            )
            stop = session.scalar(select(JobRow.cancelled).where(JobRow.id == taken.job))
        if kept.rowcount != 1:
            raise LeaseLost(f"{taken.job} is no longer this worker's")
        if stop:
            raise Cancelled(f"{taken.job} was cancelled")

    def tell(self, job: str, made: dict[str, Any]) -> None:
        """What came out, beside what the client asked for: length and size of an upload are known only now."""
        with self.ledger.write() as session:
            row = session.get_one(JobRow, job)
            row.wire = {**(row.wire or {}), **made}

    def give_up(self, taken: Taken, error: Exception) -> None:
        """An attempt ended in an error: another one later where that may help, else the job has failed."""
        values: dict[str, Any] = {"updated": now(), "lease_owner": None, "lease_until": None}
        failed = {"state": State.FAILED, "error": f"{type(error).__name__}: {error}", "error_code": code_of(error)}
        later = now() + timedelta(seconds=_BACK_OFF_S * 2 ** (taken.attempt - 1))
        again = (JobRow.attempt < JobRow.attempts_allowed) & JobRow.cancelled.is_(False)
        with self.ledger.write() as session:
            if may_help(error):
                waits = {"state": State.QUEUED, "not_before": later, "progress": 0.0, "error": failed["error"]}
                session.execute(update(JobRow).where(self._mine(taken) & again).values(**values, **waits))
            ended: Any = session.execute(
                update(JobRow).where(self._mine(taken)).values(completed=now(), **values, **failed)
            )
            if ended.rowcount == 1:
                self.ledger.ended_in(session, taken.job)

    def cancel(self, job: str) -> None:
        """Ends a waiting or held job now, a running one soon; one that has ended keeps its end."""
        ended = {"state": State.FAILED, "error": "cancelled", "error_code": "cancelled", "completed": now()}
        with self.ledger.write() as session:
            mine = JobRow.id == job
            session.execute(update(JobRow).where(mine, JobRow.state.not_in(_ENDED)).values(cancelled=True))
            waited = update(JobRow).where(mine, JobRow.state == State.QUEUED).values(updated=now(), **ended)
            stopped: Any = session.execute(waited)
            if stopped.rowcount == 1:
                self.ledger.ended_in(session, job)
        from assay.review import close_waiting  # it needs provenance, which the server loads late

        with Session(self.ledger.engine, expire_on_commit=False) as session:
            held = session.scalars(select(HeldRow).where(HeldRow.job == job, HeldRow.state == "waiting")).all()
        for row in held:
            if close_waiting(self.ledger, row, "expired", "cancelled"):
                with self.ledger.write() as session:
                    session.execute(update(JobRow).where(JobRow.id == job).values(error_code="cancelled"))

    def reclaim(self) -> int:
        """Jobs whose worker has been silent for longer than its lease: tried again, or failed. How many there were."""
        with Session(self.ledger.engine) as session:
            late = (JobRow.state == State.RUNNING) & (JobRow.lease_until < now()) & JobRow.wire.is_not(None)
            owners = set(session.scalars(select(JobRow.lease_owner).where(late)).all())
        for owner in owners:
            if owner is not None:
                self.ledger.settle_running(owner, "its worker was silent for too long; nothing was released")
        return len(owners)

    def _mine(self, taken: Taken) -> Any:
        lease = (JobRow.lease_owner == taken.owner) & (JobRow.attempt == taken.attempt)
        return (JobRow.id == taken.job) & (JobRow.state == State.RUNNING) & lease

    def _until(self) -> Any:
        return now() + timedelta(seconds=self._serving.lease_s)


def may_help(error: Exception) -> bool:
    """False for what would end the same way again: a request that cannot be met, a cancelled job, a lost lease."""
    cause = error.__cause__ if isinstance(error, StageFailed) else error
    return not isinstance(cause, LeaseLost) and code_of(error) not in _FINAL


def code_of(error: Exception) -> str:
    """What a client is told of an error: a word, never its text."""
    cause = error.__cause__ if isinstance(error, StageFailed) else error
    names = {kind.__name__ for kind in type(cause).__mro__}
    if isinstance(cause, Cancelled):
        return "cancelled"
    if "UpstreamRefused" in names:  # by name, as with signing: importing these takes a while
        return "moderation_blocked"
    stage = getattr(error, "stage", None)
    if isinstance(cause, UsageError) or (isinstance(cause, MediaError) and stage == "input"):
        return "invalid_request"
    if "SigningError" in names:
        return "signing_failed"
    if isinstance(cause, StageTimeout):
        return "timeout"
    return "generation_failed" if stage == "generator" else "evaluation_failed"
