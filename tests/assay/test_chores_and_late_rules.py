"""What the server does on its own, one chore at a time, and rules that come while a job is running."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update

from assay import emergency, strikes
from assay.api.housekeeping import Housekeeper, gauges
from assay.assemble import assemble
from assay.auditing.sealing import waiting
from assay.emergency import EmergencyRule
from assay.ledger import JobRow, Ledger, State
from assay.pipeline import generate
from assay.request import Request
from assay.rollout import Rollout, keep, roll_out
from assay.settings import Settings
from assay.stages import Stages
from assay.tasks import Bench
from assay.withdrawal import Order
from safety import Action, Policy

MakeSettings = Callable[..., Settings]
ORDER = Order("act_admin", "an incident")


@pytest.fixture
def house(toy_settings: MakeSettings) -> Iterator[Any]:
    """As much of a server's context as its chores need."""
    settings = toy_settings(prompts="none")
    ledger = Ledger(settings.ledger)
    yield SimpleNamespace(settings=settings, ledger=ledger, clock=time.time, parts={})
    ledger.close()


def asked(stages: Stages, folder: Path, prompt: str = "grey", name: str = "out.mp4") -> Any:
    return generate(Request(prompt, folder / name, size=(96, 64), seconds=0.5), stages)


def test_chores_are_done_and_what_fails_is_told(house: Any) -> None:
    """One round seals what waits; with the key gone the chore's name says so until it is back."""
    keeper = Housekeeper(house)
    job = house.ledger.open_job("generate", {"prompt": "x"}, ("worker-1", 60))
    house.ledger.settle(job, State.COMPLETED, action="allow")
    keeper.once()
    assert (keeper.faults, waiting(house.ledger)) == ({}, 1)  # the erasure is noted after the sealing
    assert "prompt" not in house.ledger.job(job).request
    key = house.settings.audit / "checkpoint.key"
    kept = key.read_bytes()
    key.unlink()
    keeper.once()
    assert keeper.faults == {"audit": "AuditKeyUnusable"}
    key.write_bytes(kept)
    key.chmod(0o600)
    keeper.once()
    assert (keeper.faults, waiting(house.ledger)) == ({}, 0)
    assert {gauge.name for gauge in gauges(house)} >= {"assay_audit_waiting", "assay_webhooks_waiting"}


def test_chores_run_beside_the_server(house: Any) -> None:
    """While the house is kept events are told and entries sealed without anybody asking; then the threads end."""
    told: list[bytes] = []

    def send(url: str, body: bytes, given: Any) -> int:
        told.append(body)
        return 200

    keeper = Housekeeper(house, send)
    keeper.endpoints = SimpleNamespace(  # type: ignore[assignment]
        ledger=house.ledger, allowed=None, secrets=lambda row: ("whsec_" + "A" * 44,)
    )
    from assay.endpoints import Endpoints

    Endpoints(house.ledger, house.settings.home / "webhooks.key", _anywhere()).add("one", "https://hooks.example/")
    with keeper.running():
        job = house.ledger.open_job("generate", {"prompt": "x"}, ("worker-1", 60))
        with house.ledger.write() as session:
            session.execute(update(JobRow).where(JobRow.id == job).values(tenant="one", wire={"model": "toy"}))
        house.ledger.settle(job, State.COMPLETED, action="allow")
        until = time.monotonic() + 30
        while not told and time.monotonic() < until:
            time.sleep(0.05)
    assert len(told) == 1
    assert waiting(house.ledger) == 0


def _anywhere() -> Any:
    from assay.addresses import Openable

    return Openable(lookup=lambda *_: ["93.184.216.34"])


def test_refusals_of_workers_are_counted(house: Any) -> None:
    """A refusal that a worker came to is a strike as soon as the chores are done, where the policy says so."""
    seen: list[str] = []
    house.ledger.open_job("generate", {"prompt": "x"}, ("worker-1", 60))
    with house.ledger.write() as session:
        session.execute(update(JobRow).values(actor="act_1", wire={}, state="completed", action="block"))
    keeper = Housekeeper(house)
    original = strikes.strike
    try:
        strikes.strike = lambda ledger, job, terms: bool(seen.append(job))  # type: ignore[assignment]
        keeper.once()
    finally:
        strikes.strike = original
    assert len(seen) == 1
    assert keeper.faults == {}


def test_rule_that_comes_while_a_job_runs_is_applied_to_it(
    toy_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule declared while a video is rendered refuses that video; the decision cites the stricter version."""
    stages = assemble(toy_settings(), "worker-test", generator=True)
    rule = EmergencyRule("frame", "violence/graphic", 0.0)
    render = Stages.render

    def rendered(self: Stages, *arguments: Any) -> Any:
        made = render(self, *arguments)
        emergency.declare(self.ledger, self.policy, rule, ORDER)
        return made

    monkeypatch.setattr(Stages, "render", rendered)
    outcome = asked(stages, tmp_path)
    assert outcome.action is Action.BLOCK
    assert not (tmp_path / "out.mp4").exists()
    assert [decision.policy["version"].count("+emergency.") for decision in outcome.decisions] == [0, 1]
    stages.ledger.close()


def test_words_are_not_kept_where_the_setting_says_so(toy_settings: MakeSettings, tmp_path: Path) -> None:
    """With `prompts = none` a finished job holds no word of its prompt; one that waits for a person still does."""
    stages = assemble(toy_settings(prompts="none"), "worker-test", generator=True)
    done, held = asked(stages, tmp_path, "grey secret"), asked(stages, tmp_path, "pink secret", "two.mp4")
    assert "secret" not in str(stages.ledger.job(done.job).request)
    assert stages.ledger.job(held.job).request["prompt"] == "pink secret"
    with sqlite3.connect(str(stages.ledger.engine.url.database)) as file:
        told = [row for (row,) in file.execute("select record from audit_openings where record like '%secret%'")]
    assert len(told) == 1
    stages.ledger.close()


def test_policies_that_ask_the_same_share_models(toy_settings: MakeSettings) -> None:
    """A candidate of other thresholds alone runs on the models that are loaded; one that asks for more does not."""
    settings = toy_settings(policy="permissive")
    bench, ledger = Bench(settings, "worker-test"), Ledger(settings.ledger)
    document = Policy.load("permissive").document()
    alike = Policy.from_document(document | {"version": "other"}, "alike")
    rule = {"id": "wider", "stage": "prompt", "category": "depiction/fire", "threshold": 0.5, "action": "block"}
    wider = Policy.from_document(document | {"version": "wider", "rules": [*document["rules"], rule]}, "wider")
    names = []
    for policy in (alike, wider):
        keep(ledger, settings.policies, policy)
        names.append(str(settings.policies / f"{policy.digest}.yaml"))
    roll_out(ledger, settings.policies, Rollout(alike.digest, wider.digest, 50.0), "act_x")
    one, other = (bench.under(name) for name in names)
    assert (one.prompt.policy.version, other.prompt.policy.version) == ("other", "wider")
    assert one.prompt.classifiers is bench.prompt.classifiers
    assert other.prompt.classifiers is not bench.prompt.classifiers
    assert bench.under(None) is bench
    assert bench.under(names[1]) is other
    emergency.declare(ledger, alike, EmergencyRule("prompt", "hate", 0.9), ORDER)
    assert "+emergency." in bench.under(names[0]).prompt.policy.version
    assert "+emergency." in bench.prompt.policy.version
    ledger.close()
