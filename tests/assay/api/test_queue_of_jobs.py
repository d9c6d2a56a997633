"""The ledger as a queue, on SQLite and on a real PostgreSQL: taken once, kept by its lease, tried again, ended once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete as delete_rows, text, update
from toy_postgres import binaries, postgres

from assay import emergency, review
from assay.api.errors import ApiError
from assay.api.limits import Limiter
from assay.errors import LeaseLost, LedgerVersion, StageFailed
from assay.jobs.queue import Cancelled, NewJob, Queue, Taken, code_of, may_help
from assay.jobs.tidying import OnLegalHold, delete, tidy
from assay.jobs.variants import Wanted, draw
from assay.jobs.working import work
from assay.ledger import Brought, HeldRow, JobRow, Ledger, State, new_id, now
from assay.leftovers import OwnerLock
from assay.request import Request
from assay.schema import VERSION, declared
from assay.settings import Settings
from assay.tasks import Bench
from assay.tenants import Caller, Limits, Tenants
from assay.upgrading import upgrade
from assay.watch import Silent
from media import MediaError, UsageError
from provenance import read


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed, and apt cannot install it here")
    with postgres(tmp_path_factory.mktemp("postgres"), programs) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.full)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.sqlite"
    found: str = request.getfixturevalue("postgres_url")
    from sqlalchemy import create_engine

    engine = create_engine(found)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return found


@dataclass
class House:
    """A queue, and a worker's bench that works in this process."""

    settings: Settings
    queue: Queue
    bench: Bench

    def put(self, prompt: str = "grey", room: Any = None, **more: Any) -> str:
        job = new_id("job")
        request = Request(prompt, self.settings.videos / job / "x.mp4", size=(96, 64), seconds=0.25)
        wire = {"model": "m", "seconds": "1", "size": "96x64", "prompt": prompt}
        assert self.queue.add(NewJob(job, "one", request, wire, **more), room)
        return job

    def work(self) -> str | None:
        return work(self.bench, None, Silent())

    def job(self, id: str) -> JobRow:
        return self.queue.ledger.job(id)

    def change(self, id: str, **values: Any) -> None:
        with self.queue.ledger.write() as session:
            session.execute(update(JobRow).where(JobRow.id == id).values(**values))


@pytest.fixture
def house(toy_settings: Callable[..., Settings], url: str) -> Iterator[House]:
    settings = toy_settings(ledger_url=url)
    queue = Queue(Ledger(url), settings.serve)
    with OwnerLock(settings, "worker-test"):
        bench = Bench(settings, "worker-test")
        yield House(settings, queue, bench)
        bench.close()
    queue.ledger.close()
    emergency.forget(url)


def test_a_job_comes_to_its_end(house: House) -> None:
    """A queued job is worked on, its signed file recorded, and the folder holds nothing else."""
    job = house.put()
    assert house.work() == job
    row = house.job(job)
    assert (row.state, row.action, row.billable, row.attempt) == (State.COMPLETED, "allow", True, 1)
    assert row.asset is not None
    assert [str(path) for path in (house.settings.videos / job).rglob("*") if path.is_file()] == [row.asset["path"]]
    assert house.work() is None


def test_oldest_first(house: House) -> None:
    """Jobs are taken in the order in which they came."""
    first, second = house.put(), house.put()
    assert [house.work(), house.work()] == [first, second]


def test_one_job_is_taken_once(house: House) -> None:
    """Of many workers that ask at the same time, each job goes to exactly one."""
    jobs = {house.put() for _ in range(4)}
    got: list[Taken | None] = []
    threads = [threading.Thread(target=lambda n=n: got.append(house.queue.take(f"w{n}"))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [each.job for each in got if each is not None]
    assert len(taken) == len(set(taken))
    while (more := house.queue.take("late")) is not None:
        taken.append(more.job)
    assert sorted(taken) == sorted(jobs)


def test_idempotency_key_makes_one_job(house: House) -> None:
    """A second job with the same key is not added, and the first one is found by it."""
    job = house.put(idempotency_key="one:k")
    again = NewJob(new_id("job"), "one", Request("grey", Path("x.mp4")), {}, idempotency_key="one:k")
    assert not house.queue.add(again)
    found = house.queue.by_key("one:k")
    assert found is not None
    assert found.id == job


def test_a_silent_worker_loses_its_job(house: House) -> None:
    """Whose lease ran out has lost the job: it cannot renew it, end it or give it up, and another finishes it."""
    job = house.put()
    taken = house.queue.take("silent")
    assert taken is not None
    house.change(job, lease_until=now() - timedelta(seconds=1))
    assert house.queue.reclaim() == 1
    with pytest.raises(LeaseLost):
        house.queue.beat(taken, 0.5)
    with pytest.raises(LeaseLost):
        house.queue.ledger.settle(job, State.COMPLETED, action="allow", brought=Brought("silent"))
    house.queue.give_up(taken, RuntimeError("late"))
    assert house.job(job).state == State.QUEUED
    assert house.work() == job
    assert (house.job(job).state, house.job(job).attempt) == (State.COMPLETED, 2)


def test_a_heartbeat_keeps_the_job(house: House) -> None:
    """A renewed lease is not reclaimed, and carries the progress."""
    job = house.put()
    taken = house.queue.take("alive")
    assert taken is not None
    house.change(job, lease_until=now() - timedelta(seconds=1))
    house.queue.beat(taken, 0.5)
    assert house.queue.reclaim() == 0
    assert (house.job(job).state, house.job(job).progress) == (State.RUNNING, 0.5)


def test_retries_have_a_limit(house: House) -> None:
    """A job whose stage fails is tried again later, so many times, and then has failed; nothing is billed."""
    job = house.put()
    for attempt in range(1, house.settings.serve.attempts + 1):
        assert house.job(job).state == State.QUEUED
        house.change(job, not_before=None)
        taken = house.queue.take("worker")
        assert taken is not None
        assert taken.attempt == attempt
        house.queue.give_up(taken, StageFailed("frame", RuntimeError("the model fell over")))
        assert house.queue.take("worker") is None, "it waits before it is tried again"
    row = house.job(job)
    assert (row.state, row.error_code, row.billable) == (State.FAILED, "evaluation_failed", False)


def test_a_request_that_cannot_be_met_fails_at_once(house: House) -> None:
    """What would end the same way again is not tried again."""
    job = house.put()
    house.change(job, request=Request("grey", Path("x"), image=Path("/nowhere.png")).to_json())
    house.work()
    row = house.job(job)
    assert (row.state, row.error_code, row.attempt) == (State.FAILED, "invalid_request", 1)


@pytest.mark.parametrize(
    ("error", "code", "again"),
    [
        (UsageError("no"), "invalid_request", False),
        (Cancelled("no"), "cancelled", False),
        (LeaseLost("no"), "evaluation_failed", False),
        (StageFailed("generator", RuntimeError("no")), "generation_failed", True),
        (StageFailed("frame", "no"), "evaluation_failed", True),
    ],
)
def test_codes_of_errors(error: Exception, code: str, again: bool) -> None:
    """Each error has its word for the client, and says whether another attempt may help."""
    assert (code_of(error), may_help(error)) == (code, again)


def test_an_upload_that_is_broken_is_the_clients_fault() -> None:
    """A picture that does not decode is an invalid request, not a failure of ours."""
    error = StageFailed("input", MediaError("broken"))
    error.__cause__ = MediaError("broken")
    assert code_of(error) == "invalid_request"


def test_dead_workers_jobs_are_tried_again(house: House) -> None:
    """A worker that died loses its jobs to the queue until their attempts are used up."""
    job = house.put()
    for _ in range(house.settings.serve.attempts):
        assert house.queue.take("dead") is not None
        house.queue.ledger.settle_running("dead", "died")
    assert (house.job(job).state, house.job(job).error_code) == (State.FAILED, "worker_died")


def test_the_last_attempt_is_what_counts(house: House) -> None:
    """What an attempt saw that came to nothing is kept, and the decisions of the job are those of the last one."""
    job = house.put("pink")
    assert house.work() == job
    house.change(job, state=State.QUEUED, request=Request("grey", Path("x"), size=(96, 64), seconds=0.25).to_json())
    with house.queue.ledger.write() as session:
        session.execute(delete_rows(HeldRow))
    assert house.work() == job
    assert [decision.action.word for decision in house.queue.ledger.decisions(job)] == ["allow", "allow"]
    assert len(house.job(job).decisions) == 4


def test_cancel(house: House) -> None:
    """A waiting job ends now, a held one too with its file, a running one at its next beat; a finished one stays."""
    waiting = house.put()
    house.queue.cancel(waiting)
    assert (house.job(waiting).state, house.job(waiting).error_code) == (State.FAILED, "cancelled")
    running = house.put()
    taken = house.queue.take("worker")
    assert taken is not None
    house.queue.cancel(running)
    with pytest.raises(Cancelled):
        house.queue.beat(taken, 0.1)
    house.queue.give_up(taken, Cancelled("as asked"))
    assert (house.job(running).state, house.job(running).error_code) == (State.FAILED, "cancelled")
    held = house.put("pink")
    house.work()
    assert list(house.settings.held.iterdir())
    house.queue.cancel(held)
    assert (house.job(held).state, house.job(held).error_code) == (State.COMPLETED, "cancelled")
    assert not list(house.settings.held.iterdir())
    done = house.put()
    house.work()
    house.queue.cancel(done)
    assert (house.job(done).state, house.job(done).action) == (State.COMPLETED, "allow")


def test_deletion_takes_the_bytes_and_keeps_the_record(house: House) -> None:
    """A deleted job has no file and no prompt; which decisions were made, and what they said, stays."""
    job = house.put("grey and private")
    house.work()
    before = [(kept.decision, kept.action) for kept in house.job(job).decisions]
    delete(house.settings, house.queue.ledger, job, hide=True)
    row = house.job(job)
    assert not (house.settings.videos / job).exists()
    assert "private" not in f"{row.request} {row.wire}"
    assert [(kept.decision, kept.action) for kept in row.decisions] == before
    assert [each.action.word for each in house.queue.ledger.decisions(job)] == ["allow", "allow"]


def test_legal_hold_overrides_deletion_and_expiry(house: House) -> None:
    """What the law keeps is neither deleted nor expired; without the hold both work."""
    job = house.put()
    house.work()
    house.change(job, legal_hold=True, expires=now() - timedelta(days=1))
    with pytest.raises(OnLegalHold):
        delete(house.settings, house.queue.ledger, job, hide=True)
    tidy(house.settings, house.queue)
    assert list((house.settings.videos / job).rglob("*.mp4"))
    house.change(job, legal_hold=False)
    tidy(house.settings, house.queue)
    assert not (house.settings.videos / job).exists()
    assert (house.job(job).state, house.job(job).deleted, house.job(job).asset) == (State.COMPLETED, None, None)


def test_tidying_leaves_no_orphans(house: House) -> None:
    """Files of attempts that came to nothing, of jobs nobody knows and of waits that ended go; what is served stays."""
    job, waiting = house.put(), house.put("pink")
    house.work()
    house.work()
    lost = house.settings.videos / job / "7"
    lost.mkdir()
    (lost / "video.mp4").write_bytes(b"x")
    (house.settings.held / f"{new_id('job')}-made.mp4").write_bytes(b"x")
    tidy(house.settings, house.queue)
    asset = house.job(job).asset
    assert asset is not None
    assert [str(path) for path in house.settings.videos.rglob("*.mp4")] == [asset["path"]]
    assert [path.name.split("-")[0] for path in house.settings.held.iterdir()] == [waiting]


def test_a_held_prompt_goes_on_after_approval(house: House) -> None:
    """An approved prompt is taken up again as the same job, and the pictures of its video cite the approval."""
    job = house.put("something doubtful")
    house.work()
    ledger = house.queue.ledger
    (one,) = review.waiting(ledger)
    with pytest.raises(review.ReviewClosed):
        review.approve_output(ledger, one.row.id, "reviewer-7", "harmless", house.bench.generating.signer)
    review.requeue(ledger, one.row.id, "reviewer-7", "harmless")
    with pytest.raises(review.ReviewClosed):
        review.requeue(ledger, one.row.id, "reviewer-8", "me too")
    assert house.work() == job
    assert (house.job(job).state, house.job(job).action) == (State.COMPLETED, "allow")
    drawn = Path(draw(house.bench, Wanted(job, "thumbnail"), Silent()))
    credentials = read(drawn, house.bench.generating.signer.trust)
    assert credentials.state.value == "trusted"
    assert credentials.decision is not None
    assert credentials.decision["human"]["reference"] == one.row.id


def test_review_expires_for_queued_jobs(house: House) -> None:
    """What nobody looked at in time is refused by whoever tidies, with its file."""
    job = house.put("pink")
    house.work()
    with house.queue.ledger.write() as session:
        session.execute(update(HeldRow).values(expires=now() - timedelta(seconds=1)))
    tidy(house.settings, house.queue)
    assert (house.job(job).state, house.job(job).action, house.job(job).billable) == (State.COMPLETED, "block", False)
    assert not list(house.settings.held.iterdir())


def test_limit_of_active_jobs_holds_for_all_at_once(house: House) -> None:
    """Of requests in the same instant exactly as many become jobs as the tenant may have; the rest hear 429."""
    ledger = house.queue.ledger
    Tenants(ledger).add("one")
    limiter, caller = Limiter(ledger, house.settings.serve), Caller("one", "k", frozenset(), limits=Limits(None, 3))
    refused, start = [], threading.Barrier(8)

    def ask() -> None:
        limiter.job(caller)  # as a request does before its prompt is read: all of them pass here
        start.wait()
        try:
            house.put(room=lambda session: limiter.room(session, caller))
        except ApiError as error:
            refused.append((error.code, error.status, error.retry_after_s))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == [("concurrency_limit", 429, 5)] * 5


def test_migrations_give_the_schema_that_the_code_declares(url: str) -> None:
    """From an empty base, Alembic's scripts make exactly the tables that the code declares, and the ledger takes it."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    assert upgrade(url) == (None, VERSION)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), declared()) == []
    engine.dispose()
    Ledger(url).close()
    assert upgrade(url) == (VERSION, VERSION)


@pytest.mark.parametrize(("stored", "remedy"), [("0001", "assay ledger upgrade"), ("9999", "upgrade Assay")])
def test_another_version_is_refused_with_the_remedy(url: str, stored: str, remedy: str) -> None:
    """A database of another schema version is not touched, and the error says what to do."""
    ledger = Ledger(url)
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :stored"), {"stored": stored})
    ledger.close()
    with pytest.raises(LedgerVersion, match=remedy):
        Ledger(url)
    if stored == "9999":
        with pytest.raises(UsageError, match="upgrade Assay"):
            upgrade(url)
