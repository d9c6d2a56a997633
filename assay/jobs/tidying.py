"""What is cleared away: inputs of jobs that have ended, videos that have expired, files that nobody knows of.

Deletion takes the bytes and the words of the request; what was decided, and why, stays. A legal hold overrides it.
"""

from __future__ import annotations

import contextlib
import shutil
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from assay import characters
from assay.auditing.erasing import erase_words
from assay.jobs.queue import Queue
from assay.ledger import HeldRow, JobRow, Ledger, State, now
from assay.settings import Settings
from media import UsageError

_ENDED = (State.COMPLETED, State.FAILED)
_GRACE = timedelta(minutes=10)  # a folder without a job may belong to a request that is being taken in


class OnLegalHold(UsageError):
    """The job is on legal hold; deletion never overrides that."""


def tidy(settings: Settings, queue: Queue) -> None:
    """Everything at once; safe at any time, from any process."""
    from assay import review

    queue.reclaim()
    review.expire(queue.ledger)
    _expire(settings, queue.ledger)
    for folder in _folders(settings.videos):
        tidy_job(settings, queue.ledger, folder.name)
    _tidy_held(settings, queue.ledger)
    characters.tidy(settings, queue.ledger, now().replace(tzinfo=UTC).timestamp() - _GRACE.total_seconds())


def tidy_job(settings: Settings, ledger: Ledger, job: str) -> None:
    """Removes what an ended job no longer needs: inputs, files of attempts that came to nothing; all, where deleted."""
    folder = settings.videos / job
    with Session(ledger.engine) as session:
        row = session.get(JobRow, job)
        if row is None:
            old = now().timestamp() - _modified(folder) > _GRACE.total_seconds()
            _remove(folder if old else None)
            return
        if row.legal_hold or (row.state not in _ENDED and row.deleted is None) or row.state == State.RUNNING:
            return
        kept = Path(row.asset["path"]).parent if row.asset and row.deleted is None else None
    for path in folder.glob("*") if folder.is_dir() else ():
        if path != kept:
            _remove(path)
    if kept is None:
        _remove(folder)


def delete(settings: Settings, ledger: Ledger, job: str, *, hide: bool) -> None:
    """The bytes and the request's words go, and with `hide` the job from lists; OnLegalHold where the law keeps it."""
    gone: dict[str, Any] = {"updated": now(), "asset": None, "request": {"deleted": True, "erased": True}}
    gone |= {"deleted": now()} if hide else {}
    with ledger.write() as session:
        row = session.get_one(JobRow, job)
        erase_words(session, job, "none", "deleted" if hide else "expired")
        wire = {name: value for name, value in (row.wire or {}).items() if name != "prompt"}
        free = (JobRow.id == job) & JobRow.legal_hold.is_(False)
        done: Any = session.execute(update(JobRow).where(free).values(wire=wire, **gone))
        if done.rowcount != 1:
            raise OnLegalHold(f"{job} is on legal hold and cannot be deleted")
        for held in session.scalars(select(HeldRow).where(HeldRow.job == job)).all():
            held.context = {name: value for name, value in held.context.items() if name != "request"}
    tidy_job(settings, ledger, job)


def _expire(settings: Settings, ledger: Ledger) -> None:
    late = JobRow.wire.is_not(None) & (JobRow.expires < now()) & JobRow.deleted.is_(None)
    late &= JobRow.legal_hold.is_(False) & JobRow.state.in_(_ENDED)
    late &= JobRow.request["prompt"].as_string().is_not(None)  # nothing of it is left after
    with Session(ledger.engine) as session:
        jobs = session.scalars(select(JobRow.id).where(late)).all()
    for job in jobs:
        with contextlib.suppress(OnLegalHold):  # put on hold this moment
            delete(settings, ledger, job, hide=False)


def _tidy_held(settings: Settings, ledger: Ledger) -> None:
    """Private files that waited for a person and wait no longer; a kill may have left them."""
    for path in settings.held.glob("*") if settings.held.is_dir() else ():
        job = path.name.partition("-")[0]
        with Session(ledger.engine) as session:
            row = session.get(JobRow, job)
            ended = row is None or (row.state not in (State.RUNNING, State.HELD) and not row.legal_hold)
        if ended:
            _remove(path)


def _folders(root: Path) -> list[Path]:
    return [path for path in root.glob("job_*") if path.is_dir()] if root.is_dir() else []


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _remove(path: Path | None) -> None:
    if path is None:
        return
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
