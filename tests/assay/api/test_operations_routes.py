"""Alive, ready, counted: what an operator is told, and what makes a server unready."""

from __future__ import annotations

import time
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.orm import Session

from assay.api.app import create_app
from assay.api.context import Context
from assay.api.looking import Look, looker_of
from assay.batching import Busy
from assay.ledger import Ledger
from assay.readiness import gaps
from assay.settings import Settings
from assay.tenants import Tenants
from safety import Policy, Stage


def _looked(settings: Settings) -> Look:
    """What the looker of a server of these settings finds, once its worker has said what it has."""
    app = create_app(settings)
    with TestClient(app):
        here: Context = app.state.context
        until = time.monotonic() + 60
        while (found := looker_of(here).look()).faults.get("models") == "not loaded yet" and time.monotonic() < until:
            time.sleep(0.2)
    return found


def test_alive_whatever_else(api_client: TestClient) -> None:
    """/healthz answers without a key and looks at nothing; before anybody looked the server is not ready."""
    assert api_client.get("/healthz").json() == {"status": "alive"}
    early = api_client.get("/readyz")
    assert early.status_code == 503
    assert early.json()["ready"] is False


def test_ready_with_everything_in_place(api_settings: Settings) -> None:
    """With ledger, key, disk and models there it is ready, and says which models are loaded."""
    found = _looked(api_settings)
    assert found.ready, found.faults
    assert {model["name"] for model in found.models} == {"calmprompt", "calmframe"}


def test_a_missing_model_is_not_ready(api_settings: Settings) -> None:
    """A model that cannot be loaded makes the server unready, by its kind of error."""
    found = _looked(api_settings.model_copy(update={"frame_classifiers": ("assay_toys:NoSuchThing",)}))
    assert found.faults["models"] == "ModelUnavailable"
    assert not found.ready


@pytest.mark.full
def test_strict_without_its_models_is_not_ready(api_settings: Settings) -> None:
    """Under a policy that blocks what nobody evaluates, a server without those models is not ready, and names them."""
    found = _looked(api_settings.model_copy(update={"policy": "strict", "frame_classifiers": ("canary",)}))
    assert found.faults["models"] is None
    assert "violence/graphic" in (found.faults["policy"] or "")
    assert not found.ready


@pytest.mark.full
def test_a_signing_key_that_is_gone_is_not_ready(api_settings: Settings) -> None:
    """Without its key a server could release nothing, and is not ready."""
    changes = {"certificate_chain": api_settings.home / "no.pem", "private_key": api_settings.home / "no.key"}
    found = _looked(api_settings.model_copy(update=changes))
    assert found.faults["signing"] == "KeyMissing"
    assert not found.ready


class _Part:
    def __init__(self, *categories: str) -> None:
        self.name, self.version, self.weights_sha256, self.runtime = "part", "1", None, None
        self.categories, self.licence, self.cost_ms = categories, "none", 1.0


def test_gaps_tell_what_blocks_from_what_asks_people() -> None:
    """What a policy answers with block stops everything; with review it costs people; waived, nothing."""
    all_texts = _Part(*Policy.load("default").categories_for(Stage.PROMPT))
    parts: Any = [all_texts]
    default = gaps(Policy.load("default"), parts, [], "embedded")
    assert "frame" not in default["review"], "waived for the embedded back-end"
    assert "violence/graphic" in gaps(Policy.load("default"), parts, [], "diffusers")["review"]["frame"]
    strict = gaps(Policy.load("strict"), parts, [], "embedded")
    assert "violence/graphic" in strict["block"]["frame"]
    assert "prompt" not in strict["block"]


def test_the_looker_is_patient_with_a_busy_worker(api_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that has no time for the question changes nothing; a server that closes is not ready any more."""
    app = create_app(api_settings)
    with TestClient(app):
        looker = looker_of(app.state.context)

        def busy(*_: Any, **__: Any) -> Any:
            raise Busy(4, 1)

        monkeypatch.setattr(app.state.context.parts["desks"].files, "submit", busy)
        assert looker.look().faults["models"] == "not loaded yet"
    assert looker.last.faults == {"closing": "the server is going down"}


def test_metrics_need_a_key(api_client: TestClient, api_keys: dict[str, str], api_settings: Settings) -> None:
    """/metrics is for keys with its scope; a client's key does not open it, and counts stand in Prometheus's format."""
    ledger = Ledger(api_settings.ledger)
    key = Tenants(ledger).issue("one", ("metrics",))
    ledger.close()
    assert api_client.get("/metrics").status_code == 401
    assert api_client.get("/metrics", headers={"authorization": f"Bearer {api_keys['one']}"}).status_code == 403
    api_client.get("/v1/a-path-that-a-client-made-up")
    text = api_client.get("/metrics", headers={"authorization": f"Bearer {key}"}).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["assay_certificate_days_left"].samples[0].value > 1
    assert {sample.labels["state"] for sample in families["assay_jobs"].samples} >= {"queued", "held"}
    assert "made-up" not in text, "no label holds what a client wrote"


def test_open_metrics(api_settings: Settings) -> None:
    """Where the settings open the metrics, a scrape needs no key."""
    serving = api_settings.serve.model_copy(update={"open_metrics": True})
    with TestClient(create_app(api_settings.model_copy(update={"serve": serving}))) as client:
        assert client.get("/metrics").status_code == 200


def test_decisions_of_workers_are_counted_once(api_settings: Settings) -> None:
    """What any process decided about a job is counted at the next scrape, and not again at the one after."""
    serving = api_settings.serve.model_copy(update={"open_metrics": True})
    app = create_app(api_settings.model_copy(update={"serve": serving}))
    sample = 'assay_refusals_total{action="block",category="violence/graphic",of="job",stage="prompt"}'

    def counted(client: TestClient) -> float:
        lines = client.get("/metrics").text.splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(sample)), 0.0)

    with TestClient(app) as client:
        before = counted(client)
        _decide(app.state.context.ledger)
        assert counted(client) == before + 1
        assert counted(client) == before + 1


def _decide(ledger: Ledger) -> None:
    from assay.ledger import DecisionRow, JobRow, State, now

    reason = {"action": "block", "category": "violence/graphic", "absence": None}
    body = {"stage": "prompt", "action": "block", "reasons": [reason, {**reason, "action": "review"}]}
    with Session(ledger.engine) as session, session.begin():
        session.add(
            JobRow(id="job_1", kind="generate", request={}, state=State.COMPLETED, created=now(), updated=now())
        )
        session.flush()
        session.add(
            DecisionRow(
                job="job_1", decision="d", stage="prompt", action="block", policy_digest="p", body=body, made=now()
            )
        )
