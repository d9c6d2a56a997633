"""The audit chain, the outbox and the orders on a real PostgreSQL, where writers really are at it at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from toy_postgres import binaries, postgres

from assay import emergency, shadow, withdrawal
from assay.addresses import Openable
from assay.appeals import appeal, appeals, decide_appeal
from assay.auditing.erasing import erase_ended
from assay.auditing.reading import LedgerChain
from assay.auditing.sealing import remembered, seal, waiting
from assay.auditing.signing import known_keys
from assay.auditing.verifying import verify
from assay.delivery import Delivered, deliver_due
from assay.emergency import EmergencyRule, Swept
from assay.endpoints import Endpoints
from assay.ledger import JobRow, Ledger, State, now
from assay.rollout import Rollout, keep, known, policy_name, roll_out
from assay.withdrawal import Order
from safety import Circumstances, Examination, Item, Policy, Score, Stage, decide

pytestmark = pytest.mark.full

POLICY = Policy.load("permissive")
UNDER = Circumstances(backend="embedded", on=date(2026, 11, 22), require_complete=False)
ORDER = Order("act_admin", "an incident")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not here and cannot be installed")
    with postgres(tmp_path, programs) as found:
        yield found


def ended(ledger: Ledger, value: float, action: str = "allow") -> str:
    job = ledger.open_job("generate", {"prompt": "a secret wish"}, ("worker-1", 60))
    item = Item(Stage.FRAME, "frames", "f" * 64, 1)
    scores = (Score.measured(item, "violence/graphic", "toy@1", value),)
    ledger.record(job, Examination((item,), scores, ()), [decide(POLICY, [item], scores, UNDER)], POLICY, "digest")
    with ledger.write() as session:
        session.execute(update(JobRow).where(JobRow.id == job).values(tenant="one", wire={"model": "toy"}))
    ledger.settle(job, State.COMPLETED, action=action)
    return job


def test_everything_on_postgres(url: str, tmp_path: Path) -> None:
    """Writers at once make one chain; events, shadows, rules, holds, appeals and erasure work as on SQLite."""
    ledger, folder, errors = Ledger(url), tmp_path / "audit", []
    endpoints = Endpoints(ledger, tmp_path / "webhooks.key", Openable(lookup=lambda *_: ["93.184.216.34"]))
    endpoints.add("one", "https://hooks.example/")
    keep(ledger, tmp_path, POLICY)
    roll_out(ledger, tmp_path, Rollout(POLICY.digest, shadows=(POLICY.digest,)), "act_x")
    assert policy_name(ledger, tmp_path, "job_1") is not None
    ended(ledger, 0.1)
    seal(ledger, folder)

    def work() -> None:
        own = Ledger(url)
        try:
            for _ in range(5):
                ended(own, 0.1)
                seal(own, folder)
        except Exception as error:  # noqa: BLE001 (told below)
            errors.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    high, refused = ended(ledger, 0.7), ended(ledger, 0.7, "block")
    assert deliver_due(endpoints, lambda *_: 200) == Delivered(taken=23)
    for job in shadow.unjudged(ledger, now() - timedelta(hours=1)):
        shadow.judge_in_shadow(ledger, tmp_path, job)
    assert sum(one.jobs for one in shadow.comparisons(ledger)) == 23
    assert known(ledger)
    emergency.declare(ledger, POLICY, EmergencyRule("frame", "violence/graphic", 0.5), ORDER)
    assert emergency.sweep(ledger) == Swept(clear=21, taken_down=1)
    assert withdrawal.withdrawn(ledger, high) is not None
    assert emergency.state(url) != ""
    hold = withdrawal.hold(ledger, refused, "case 7", ORDER)
    decide_appeal(ledger, appeal(ledger, "one", refused, "why").id, ORDER, overturn=True)
    assert appeals(ledger) == []
    assert erase_ended(ledger, "none", most=3) == 3
    assert erase_ended(ledger, "hashed", most=100) == 19
    withdrawal.release(ledger, hold, ORDER)
    assert erase_ended(ledger, "none") == 1
    seal(ledger, folder)
    walk = verify(LedgerChain(ledger), known_keys(folder), remembered(folder)[-1:])
    assert walk.sound, walk.faults[:5]
    assert (walk.erased, waiting(ledger)) == (23, 0)
    ledger.close()
    emergency.forget(url)
