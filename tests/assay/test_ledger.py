"""The ledger keeps what decisions depend on, and says so when it was changed."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from assay.errors import JobNotFound
from assay.ledger import DecisionRow, JobRow, Ledger, PolicyRow, ScoreRow, State
from assay.settings import Settings
from safety import (
    Absence,
    Circumstances,
    CorruptRecord,
    Examination,
    Item,
    Policy,
    PostureEntry,
    Score,
    Stage,
    Track,
    decide,
)

POLICY = Policy.load("permissive")
PROMPT = Item.text(Stage.PROMPT, "prompt", "a grey second")
FRAMES = Item(Stage.FRAME, "frames", "f" * 64, 5)
UNDER = Circumstances(backend="embedded", on=date(2026, 11, 22), require_complete=False)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'deep' / 'ledger.sqlite'}")


def seen() -> Examination:
    values = (0.1, 0.1, 0.1, 0.9, Absence.FAILED)
    track = Track.of(FRAMES, "sexual", "toy@1", [(0.1 * n, value, None) for n, value in enumerate(values)])
    scores = (Score.measured(PROMPT, "hate", "toy@1", 1 / 3), track)
    return Examination((PROMPT, FRAMES), scores, (PostureEntry(Stage.PROMPT, "toy", "1", None, "cpu", 1, 0),))


def recorded(ledger: Ledger) -> str:
    job = ledger.open_job("scan", {"path": "x.mp4"}, ("worker-1", 60))
    examination = seen()
    made = [decide(POLICY, [item], examination.scores, UNDER) for item in examination.items]
    ledger.record(job, examination, made, POLICY, "digest")
    return job


def test_examinations_come_back_equal(ledger: Ledger) -> None:
    """Scores, tracks and posture come back exactly as they were recorded."""
    found, kept = ledger.examination(recorded(ledger)), seen()
    assert found.items == kept.items
    assert found.posture == kept.posture
    assert found.scores[0] == kept.scores[0]
    ours, theirs = found.scores[1], kept.scores[1]
    assert isinstance(ours, Track)
    assert isinstance(theirs, Track)
    assert np.array_equal(ours.values, theirs.values, equal_nan=True)
    assert ours.absences == theirs.absences


def test_decisions_are_made_again_bit_for_bit(ledger: Ledger) -> None:
    """From the ledger alone each decision is made again with the same id, reasons and action."""
    examination = seen()
    made = tuple(decide(POLICY, [item], examination.scores, UNDER) for item in examination.items)
    assert ledger.decisions(recorded(ledger)) == made


def test_changed_records_are_noticed(ledger: Ledger) -> None:
    """A score that somebody edits no longer leads to the recorded decision."""
    job = recorded(ledger)
    with ledger.write() as session:
        row = session.query(ScoreRow).where(ScoreRow.track.is_(None)).one()
        edited = {**(row.score or {}), "value": 0.5}
        session.execute(update(ScoreRow).where(ScoreRow.key == row.key).values(score=edited))
    with pytest.raises(CorruptRecord):
        ledger.decisions(job)


def test_changed_policies_are_noticed(ledger: Ledger) -> None:
    """A policy document that somebody edits, or that is gone, decides nothing."""
    job = recorded(ledger)
    with ledger.write() as session:
        row = session.query(PolicyRow).one()
        session.execute(update(PolicyRow).values(document={**row.document, "version": "other"}))
    with pytest.raises(CorruptRecord):
        ledger.decisions(job)
    with pytest.raises(CorruptRecord):
        ledger.policy("0" * 64)


def test_maximum_is_kept_for_search(ledger: Ledger) -> None:
    """Each row carries its maximum, so that many rows can be sifted without unpacking tracks."""
    recorded(ledger)
    with ledger.write() as session:
        assert sorted(row.maximum for row in session.query(ScoreRow)) == pytest.approx([1 / 3, 0.9], abs=1e-3)
        assert {row.stage for row in session.query(DecisionRow)} == {"prompt", "frame"}


def test_jobs_of_a_dead_owner_fail(ledger: Ledger) -> None:
    """Only the dead owner's running jobs are settled; a finished one keeps its end."""
    lost, other = ledger.open_job("scan", {}, ("worker-1", 60)), ledger.open_job("scan", {}, ("worker-2", 60))
    done = ledger.open_job("generate", {}, ("worker-1", 60))
    ledger.settle(done, State.COMPLETED, action="allow")
    ledger.settle_running("worker-1", "died")
    states = {id: ledger.job(id).state for id in (lost, other, done)}
    assert states == {lost: State.FAILED, other: State.RUNNING, done: State.COMPLETED}
    assert ledger.job(done).billable
    assert not ledger.job(lost).billable


def test_refusals_are_not_billable(ledger: Ledger) -> None:
    """A job that ended in a block is completed and costs nothing."""
    job = ledger.open_job("generate", {}, ("worker-1", 60))
    ledger.settle(job, State.COMPLETED, action="block")
    assert not ledger.job(job).billable


def test_unknown_job(ledger: Ledger) -> None:
    """An id that is not there is a usage error."""
    with pytest.raises(JobNotFound):
        ledger.job("job_none")


def test_home_is_private(toy_settings: Callable[..., Settings], tmp_path: Path) -> None:
    """The folder that a ledger makes for itself is closed to others."""
    settings = toy_settings()
    Ledger(settings.ledger).close()
    assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700


def test_a_broken_transaction_leaves_nothing(ledger: Ledger) -> None:
    """Everything in a write is kept, or nothing."""
    job = ledger.open_job("scan", {}, ("worker-1", 60))
    with pytest.raises(RuntimeError), ledger.write() as session:
        session.execute(update(JobRow).values(state="nonsense"))
        raise RuntimeError
    assert ledger.job(job).state == State.RUNNING
