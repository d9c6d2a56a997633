"""What reviewers and administrators order through the API, and what clients then see."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from assay.api.app import create_app
from assay.api.routes.reviews import _blurred
from assay.auditing.reading import LedgerChain
from assay.auditing.signing import known_keys
from assay.auditing.verifying import verify
from assay.ledger import Ledger, State
from assay.settings import Settings
from assay.tasks import Bench
from assay.tenants import CLIENT_SCOPES, Tenants
from assay.watch import Silent
from safety import Policy

Send = Callable[..., Any]


class Office:
    """A server without a socket, a worker in this process, and a key of each kind."""

    def __init__(self, settings: Settings, client: TestClient) -> None:
        self.settings, self.client = settings, client
        self.ledger = Ledger(settings.ledger)
        tenants = Tenants(self.ledger)
        self.keys = {}
        for name in ("one", "two"):
            tenants.add(name)
            self.keys[name] = tenants.issue(name, CLIENT_SCOPES)
            self.keys[f"reviewer-{name}"] = tenants.issue(name, ("reviews",))
        self.keys["admin"] = tenants.issue("one", ("admin",))
        self.bench = Bench(settings, "worker-test")

    def send(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        given = {"authorization": f"Bearer {self.keys[who]}", **headers}
        return self.client.request(method, path, json=body, headers=given)

    def video(self, prompt: str, who: str = "one", **headers: str) -> Any:
        made = self.send(who, "POST", "/v1/videos", {"prompt": prompt, "seconds": "1", "size": "96x64"}, **headers)
        assert made.status_code == 200, made.text
        return made.json()["id"]

    def work(self) -> None:
        """Everything in the queue, by the tasks of a worker."""
        from assay.jobs.working import work

        while work(self.bench, None, Silent()) is not None:
            pass

    def made(self, prompt: str, **headers: str) -> str:
        """A video that is finished, refused or held."""
        id = self.video(prompt, **headers)
        self.work()
        return str(id)

    def state(self, id: str, who: str = "one") -> Any:
        return self.send(who, "GET", f"/v1/videos/{id}").json()


@pytest.fixture
def office(api_settings: Settings) -> Iterator[Office]:
    with TestClient(create_app(api_settings), raise_server_exceptions=False) as client:
        made = Office(api_settings, client)
        yield made
        made.ledger.close()


def test_held_output_is_seen_blurred_and_approved(office: Office) -> None:
    """A held output reads in_progress; a reviewer sees it blurred, approves it under a pseudonym, and it is served."""
    id = office.made("pink")
    seen = office.state(id)
    assert (seen["status"], seen["safety"]["review"]) == ("in_progress", True)
    (one,) = office.send("reviewer-one", "GET", "/v1/admin/reviews").json()["data"]
    assert (one["job"], one["stage"], one["has_picture"], "path" in one) == (id, "frame", True, False)
    assert office.send("reviewer-two", "GET", "/v1/admin/reviews").json()["data"] == []
    assert office.send("reviewer-two", "GET", f"/v1/admin/reviews/{one['id']}").status_code == 404
    assert office.send("one", "GET", "/v1/admin/reviews").status_code == 403
    pictures = [
        office.send("reviewer-one", "GET", f"/v1/admin/reviews/{one['id']}/picture{query}")
        for query in ("", "?blur=false")
    ]
    assert [each.headers["cache-control"] for each in pictures] == ["no-store"] * 2
    blurred, plain = (Image.open(io.BytesIO(each.content)) for each in pictures)
    assert (blurred.mode, plain.mode) == ("L", "RGB")
    answer = office.send("reviewer-one", "POST", f"/v1/admin/reviews/{one['id']}/approve", {"reason": "harmless"})
    assert answer.json()["state"] == "approved", answer.text
    assert office.state(id)["status"] == "completed"
    assert office.send("one", "GET", f"/v1/videos/{id}/content").status_code == 200
    said = office.ledger.job(id).decisions[-1].body
    assert said["reviewer"].startswith("act_")
    assert said["reason"] == "harmless"
    again = office.send("reviewer-one", "POST", f"/v1/admin/reviews/{one['id']}/refuse", {"reason": "no"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "closed")


def test_blur_leaves_no_detail() -> None:
    """A picture of fine lines comes out nearly even and grey."""
    lines = Image.new("RGB", (320, 180), "white")
    for x in range(0, 320, 8):
        lines.paste((255, 0, 0), (x, 0, x + 4, 180))
    drawn = io.BytesIO()
    lines.save(drawn, "JPEG")
    low, high = Image.open(io.BytesIO(_blurred(drawn.getvalue()))).getextrema()
    assert high - low < 40


@pytest.mark.full
def test_held_prompt_goes_on_after_approval(office: Office) -> None:
    """An approved prompt goes back to the queue, and its frames are judged like any others."""
    id = office.made("doubtful")
    (one,) = office.send("admin", "GET", "/v1/admin/reviews").json()["data"]
    assert one["stage"] == "prompt"
    assert office.send("admin", "GET", f"/v1/admin/reviews/{one['id']}/picture").status_code == 404
    office.send("admin", "POST", f"/v1/admin/reviews/{one['id']}/approve", {"reason": "fine"})
    assert office.state(id)["status"] == "queued"
    office.work()
    assert office.state(id)["status"] == "completed"


@pytest.mark.full
def test_refused_output_can_be_appealed(office: Office) -> None:
    """A refusal ends the job; its tenant, and no other, may appeal, and a person overturns it on the record."""
    id = office.made("pink")
    (one,) = office.send("admin", "GET", "/v1/admin/reviews").json()["data"]
    office.send("admin", "POST", f"/v1/admin/reviews/{one['id']}/refuse", {"reason": "too pink"})
    seen = office.state(id)
    assert (seen["status"], seen["error"]["code"]) == ("failed", "moderation_blocked")
    words = {"job": id, "words": "it is only pink"}
    assert office.send("two", "POST", "/v1/appeals", words).status_code == 404
    made = office.send("one", "POST", "/v1/appeals", words).json()
    assert office.send("one", "POST", "/v1/appeals", words).json()["id"] == made["id"]
    assert [each["id"] for each in office.send("admin", "GET", "/v1/admin/appeals").json()["data"]] == [made["id"]]
    assert (
        office.send("reviewer-two", "POST", f"/v1/admin/appeals/{made['id']}/overturn", {"reason": "x"}).status_code
        == 404
    )
    ended = office.send("reviewer-one", "POST", f"/v1/admin/appeals/{made['id']}/overturn", {"reason": "indeed"})
    assert ended.json()["state"] == "overturned", ended.text
    assert office.send("admin", "POST", f"/v1/admin/appeals/{made['id']}/uphold", {"reason": "x"}).status_code == 409
    assert office.ledger.job(id).decisions[-1].body["action"] == "overturn"
    (own,) = office.send("one", "GET", "/v1/appeals").json()["data"]
    assert own["reason"] == "indeed"
    fine = office.made("grey")
    assert office.send("one", "POST", "/v1/appeals", {"job": fine, "words": "why"}).status_code == 400


def test_taken_down_is_not_served(office: Office) -> None:
    """A take-down ends the serving at once and deletes the file; on legal hold the file stays, and is not served."""
    gone, held = office.made("grey"), office.made("grey too")
    files = {id: Path(office.ledger.job(id).asset["path"]) for id in (gone, held)}  # type: ignore[index]
    for id in (gone, held):
        assert office.send("one", "GET", f"/v1/videos/{id}/content").status_code == 200
    hold = office.send(
        "admin", "POST", f"/v1/admin/videos/{held}/holds", {"matter": "case 7", "reason": "asked"}
    ).json()
    refused = office.send("one", "DELETE", f"/v1/videos/{held}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "legal_hold")
    for id in (gone, held):
        office.send("admin", "POST", f"/v1/admin/videos/{id}/takedown", {"reason": "a complaint"})
        answer = office.send("one", "GET", f"/v1/videos/{id}/content")
        assert answer.status_code == 404
        assert office.send("one", "POST", f"/v1/videos/{id}/remix", {"prompt": "grey"}).status_code == 409
    assert (files[gone].exists(), files[held].exists()) == (False, True)
    assert office.send("admin", "POST", f"/v1/admin/videos/{gone}/takedown", {"reason": "again"}).json()["again"]
    assert office.send("admin", "POST", "/v1/admin/videos/job_none/takedown", {"reason": "x"}).status_code == 404
    assert office.send("admin", "POST", f"/v1/admin/holds/{hold['id']}/release", {"reason": "over"}).json()["released"]
    (listed,) = office.send("admin", "GET", f"/v1/admin/videos/{held}/holds").json()["data"]
    assert listed["released"] is not None
    from assay.withdrawal import erase_files, unerased

    for id in unerased(office.ledger):
        erase_files(office.ledger, id)
    assert not files[held].exists()
    assert office.send("one", "DELETE", f"/v1/videos/{held}").status_code == 200


def test_emergency_rule_acts_at_once_and_on_the_released(office: Office) -> None:
    """A rule takes down what was released and reaches it, from stored scores, and holds for the next request."""
    office.send("admin", "POST", "/v1/admin/policies/rollout", {})
    id = office.made("grey")
    rule = {"stage": "frame", "category": "violence/graphic", "threshold": 0.0, "reason": "an incident"}
    made = office.send("admin", "POST", "/v1/admin/emergency", rule).json()
    assert made["swept"] == {"clear": 0, "taken_down": 1, "found": 0, "unknown": 0}
    assert office.send("one", "GET", f"/v1/videos/{id}/content").status_code == 404
    next_one = office.made("grey again")
    seen = office.state(next_one)
    assert (seen["status"], seen["error"]["code"]) == ("failed", "moderation_blocked")
    assert "+emergency." in seen["safety"]["policy"]["version"]
    (listed,) = office.send("admin", "GET", "/v1/admin/emergency").json()["data"]
    assert listed["swept"] == {"taken-down": 1}
    assert office.send("admin", "POST", f"/v1/admin/emergency/{made['id']}/lift", {"reason": "over"}).status_code == 200
    after = office.made("grey once more")
    assert office.state(after)["status"] == "completed"
    assert office.send("admin", "POST", "/v1/admin/emergency", rule | {"category": "nonsense"}).status_code == 400
    assert office.send("admin", "POST", f"/v1/admin/emergency/{made['id']}/lift", {"reason": "x"}).status_code == 404
    (swept,) = office.send("admin", "GET", f"/v1/admin/emergency/{made['id']}/sweep").json()["data"]
    assert swept["by"] == "scores"


@pytest.mark.full
def test_endpoints_over_http(office: Office) -> None:
    """A tenant adds, lists, exchanges, enables and removes its own endpoints; a private address is refused."""
    refused = office.send("one", "POST", "/v1/webhooks", {"url": "https://127.0.0.1/"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_url")
    made = office.send("one", "POST", "/v1/webhooks", {"url": "https://93.184.216.34/hook"}).json()
    assert made["secret"].startswith("whsec_")
    (listed,) = office.send("one", "GET", "/v1/webhooks").json()["data"]
    assert (listed["id"], "secret" in listed) == (made["id"], False)
    assert office.send("two", "GET", "/v1/webhooks").json()["data"] == []
    for who, status in (("two", 404), ("one", 200)):
        for method, path in (("POST", "/rotate"), ("POST", "/enable"), ("DELETE", "")):
            assert office.send(who, method, f"/v1/webhooks/{made['id']}{path}").status_code == status
    assert office.send("one", "GET", "/v1/webhooks").json()["data"] == []


@pytest.mark.full
def test_strikes_cool_an_actor_down(office: Office) -> None:
    """After as many refusals as the policy says, this actor's requests are refused for a while, and nobody else's."""
    document = Policy.load("permissive").document() | {"id": "striking", "version": "1"}
    levels = [{"strikes": 2, "cool_down_h": 1.0}]
    document["strikes"] = {"categories": ["violence/graphic"], "window_days": 30, "levels": levels}
    kept = office.send("admin", "POST", "/v1/admin/policies", {"document": document}).json()
    office.send("admin", "POST", "/v1/admin/policies/rollout", {"acting": kept["digest"]})
    ask = {"prompt": "forbidden", "seconds": "1", "size": "96x64"}
    answers = [office.send("one", "POST", "/v1/videos", ask, **{"x-end-user": "eve"}) for _ in range(3)]
    assert [each.status_code for each in answers] == [400, 400, 429]
    last = answers[-1]
    assert (last.json()["error"]["code"], int(last.headers["retry-after"]) > 3000) == ("cool_down", True)
    assert "eve" not in str(office.ledger.job(answers[0].json()["error"]["safety"]["record"]).actor)
    office.video("grey", **{"x-end-user": "adam"})
    record = answers[0].json()["error"]["safety"]["record"]
    appealed = office.send("one", "POST", "/v1/appeals", {"job": record, "words": "a word in a song"}).json()
    office.send("admin", "POST", f"/v1/admin/appeals/{appealed['id']}/overturn", {"reason": "a song"})
    office.video("grey", **{"x-end-user": "eve"})


@pytest.mark.full
def test_policies_at_run_time(office: Office, tmp_path: Path) -> None:
    """A policy that is kept and rolled out acts for the next request without a restart, and decisions cite it."""
    before = office.made("grey")
    stricter = Policy.load("permissive").document() | {"id": "stricter", "version": "7"}
    kept = office.send("admin", "POST", "/v1/admin/policies", {"document": stricter}).json()
    assert office.send("admin", "POST", "/v1/admin/policies", {"document": {"id": "x"}}).status_code == 400
    assert office.send("admin", "POST", "/v1/admin/policies", {}).status_code == 400
    assert office.send("admin", "POST", "/v1/admin/policies/rollout", {"acting": "0" * 64}).status_code == 400
    assert office.send("admin", "POST", "/v1/admin/policies/rollout", {"percent": 5}).status_code == 400
    office.send("admin", "POST", "/v1/admin/policies/rollout", {"acting": kept["digest"], "shadows": [kept["digest"]]})
    after = office.made("grey")
    cited = [office.state(id)["safety"]["policy"]["cited"] for id in (before, after)]
    assert cited == ["default@2026.11", "stricter@7"]
    shown = office.send("admin", "GET", "/v1/admin/policies").json()
    assert shown["rollout"]["acting"] == kept["digest"]
    assert shown["history"][0]["by"].startswith("act_")
    reloaded = office.send("admin", "POST", "/v1/admin/policies/reload").json()
    assert reloaded["acting"] == Policy.load("default").digest
    assert office.state(office.made("grey"))["safety"]["policy"]["cited"] == "default@2026.11"


@pytest.mark.full
def test_the_chain_of_a_server_is_sound(office: Office) -> None:
    """Whatever was ordered is in the chain, the server seals it by itself, and deleting a video leaves it whole."""
    id = office.made("a wish that is private")
    office.send("one", "DELETE", f"/v1/videos/{id}")
    until = time.monotonic() + 20
    checkpoint = office.send("admin", "GET", "/v1/admin/audit/checkpoint")
    while (checkpoint.status_code != 200 or checkpoint.json()["waiting"]) and time.monotonic() < until:
        time.sleep(0.2)
        checkpoint = office.send("admin", "GET", "/v1/admin/audit/checkpoint")
    assert checkpoint.json()["waiting"] == 0
    walk = verify(LedgerChain(office.ledger), known_keys(office.settings.audit))
    assert (walk.sound, walk.erased) == (True, 1), walk.faults
    assert b"private" not in Path(str(office.ledger.engine.url.database)).read_bytes() or _vacuumed(office.ledger)
    assert office.ledger.job(id).state == State.COMPLETED
    assert office.ledger.decisions(id)


def _vacuumed(ledger: Ledger) -> bool:
    """True where the words are gone once freed pages are: SQLite lets them lie until then."""
    with ledger.engine.connect() as connection:
        rows = connection.exec_driver_sql("select request from jobs union all select body from decisions").all()
        rows += connection.exec_driver_sql("select record from audit_openings union all select score from scores").all()
    return "private" not in str(rows)
