"""Webhooks: signed so that receivers can tell, delivered until somebody takes them, and never to a private address."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from toy_run import assay_environment

from assay import delivery
from assay.addresses import Openable, TargetRefused, is_public, target
from assay.delivery import BACK_OFF_S, Delivered, deliver_due, http_sender
from assay.endpoints import MOST, Endpoints
from assay.errors import JobNotFound
from assay.ledger import JobRow, Ledger, State, now
from assay.outbox import EndpointRow, OutboxRow
from assay.sealed import SealKeyUnusable
from assay.webhooks import Seen, WebhookRefused, headers, key_of, new_secret, verify
from media import UsageError

SECRET = new_secret()
BODY = b'{"id": "evt_1", "type": "video.completed"}'


def public(host: str, port: int) -> list[str]:
    """A resolver that knows one public address."""
    return ["93.184.216.34"]


@pytest.fixture
def endpoints(tmp_path: Path) -> Iterator[Endpoints]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield Endpoints(ledger, tmp_path / "webhooks.key", Openable(lookup=public))
    ledger.close()


class Receiver:
    """Answers what it is told to, and keeps what it got."""

    def __init__(self, *answers: int | BaseException) -> None:
        self.answers, self.got = list(answers), list[tuple[str, bytes, dict[str, str]]]()

    def __call__(self, url: str, body: bytes, given: Mapping[str, str]) -> int:
        self.got.append((url, body, dict(given)))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, BaseException):
            raise answer
        return answer


def ended_job(ledger: Ledger, tenant: str = "one", action: str = "allow") -> str:
    """A job of the API that ends now."""
    job = ledger.open_job("generate", {"prompt": "grey"}, ("worker-1", 60))
    with ledger.write() as session:
        session.execute(update(JobRow).where(JobRow.id == job).values(tenant=tenant, wire={"model": "toy"}))
    ledger.settle(job, State.COMPLETED, action=action)
    return job


def outbox(endpoints: Endpoints) -> list[OutboxRow]:
    with Session(endpoints.ledger.engine) as session:
        return list(session.scalars(select(OutboxRow).order_by(OutboxRow.key)))


def test_openai_client_verifies_ours() -> None:
    """What we sign, the openai client's own verification unwraps; with another secret it refuses."""
    openai = pytest.importorskip("openai")
    body = json.dumps(
        {"id": "evt_1", "object": "event", "type": "video.completed", "created_at": 1, "data": {"id": "job_1"}}
    ).encode()
    given = headers("evt_1", body, (SECRET,), time.time())
    client = openai.OpenAI(api_key="none", webhook_secret=SECRET)
    assert client.webhooks.unwrap(body.decode(), given).data.id == "job_1"
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.unwrap(body.decode(), given, secret=new_secret())


@given(at=st.integers(0, len(BODY) - 1), bit=st.integers(0, 7))
def test_changed_body_is_refused(at: int, bit: int) -> None:
    """Whatever bit of the body is changed, the signature no longer holds."""
    given = headers("evt_1", BODY, (SECRET,), 1000.0)
    assert verify(BODY, given, SECRET, now=1000.0)["type"] == "video.completed"
    changed = bytearray(BODY)
    changed[at] ^= 1 << bit
    with pytest.raises(WebhookRefused):
        verify(bytes(changed), given, SECRET, now=1000.0)


@pytest.mark.parametrize(
    ("changes", "now_s", "said"),
    [
        ({"webhook-id": "evt_2"}, 1000.0, "signature"),
        ({"webhook-timestamp": "1001"}, 1000.0, "signature"),
        ({"webhook-timestamp": "-5"}, 1000.0, "no number"),
        ({"webhook-signature": "v2,abc"}, 1000.0, "signature"),
        ({}, 1301.0, "replay"),
        ({}, 699.0, "ahead"),
    ],
)
def test_odd_headers_are_refused(changes: dict[str, str], now_s: float, said: str) -> None:
    """A header that was changed, and a clock that is too far off in either direction, refuse the request."""
    given = headers("evt_1", BODY, (SECRET,), 1000.0) | changes
    with pytest.raises(WebhookRefused, match=said):
        verify(BODY, given, SECRET, now=now_s)


def test_headers_must_be_there() -> None:
    """Without one of the three headers nothing is believed; their case is of no matter."""
    given = headers("evt_1", BODY, (SECRET,), 1000.0)
    assert verify(BODY, {name.title(): value for name, value in given.items()}, SECRET, now=1000.0)
    for name in given:
        with pytest.raises(WebhookRefused, match="missing"):
            verify(BODY, {other: value for other, value in given.items() if other != name}, SECRET, now=1000.0)


def test_body_of_another_event_is_refused() -> None:
    """A signed body must be JSON, and of the event in its header."""
    for body in (b"none", b"[]", b'{"id": "evt_9"}'):
        with pytest.raises(WebhookRefused):
            verify(body, headers("evt_1", body, (SECRET,), 1000.0), SECRET, now=1000.0)


@pytest.mark.parametrize("secret", ["abc", "whsec_!!", "whsec_YWJj", "YWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJj"])
def test_secret_must_be_one(secret: str) -> None:
    """What is no secret is refused before anything is signed with it."""
    with pytest.raises(UsageError, match="whsec_"):
        key_of(secret)


def test_event_is_acted_on_once() -> None:
    """A receiver that asks `Seen` acts on a repeated event once, and its memory has a bound."""
    seen = Seen(most=3)
    assert [seen.first(id) for id in ("a", "b", "a", "c", "d", "a")] == [True, True, False, True, True, True]


def test_end_of_a_job_is_told(endpoints: Endpoints) -> None:
    """A job that ends tells its own tenant's endpoints, once each, with a body and headers that verify."""
    id, secret = endpoints.add("one", "https://hooks.example/assay")
    endpoints.add("two", "https://other.example/")
    done, refused = ended_job(endpoints.ledger), ended_job(endpoints.ledger, action="block")
    receiver = Receiver()
    assert deliver_due(endpoints, receiver) == Delivered(taken=2)
    events = [verify(body, given, secret) for _, body, given in receiver.got]
    assert [(each["type"], each["data"]["id"]) for each in events] == [
        ("video.completed", done), ("video.failed", refused),
    ]  # fmt: skip
    assert {url for url, _, _ in receiver.got} == {"https://hooks.example/assay"}
    assert deliver_due(endpoints, receiver) == Delivered()
    endpoints.remove("one", id)
    assert outbox(endpoints) == []


def test_state_and_event_are_one_transaction(endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the event cannot be written, the job does not end either."""
    endpoints.add("one", "https://hooks.example/")

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("assay.ledger.announce", broken)
    with pytest.raises(RuntimeError):
        ended_job(endpoints.ledger)
    with Session(endpoints.ledger.engine) as session:
        assert session.scalars(select(JobRow.state)).one() == State.RUNNING


def test_every_way_to_end_is_told(endpoints: Endpoints) -> None:
    """A job whose worker died, one that was cancelled and one that failed for good are told as failed."""
    from assay.jobs.queue import NewJob, Queue
    from assay.request import Request
    from assay.serving import Serving

    endpoints.add("one", "https://hooks.example/")
    queue = Queue(endpoints.ledger, Serving(attempts=1))
    for id in ("job_died", "job_cancelled", "job_failed"):
        queue.add(NewJob(id, "one", Request("grey", Path("x.mp4")), {"model": "toy"}))
        if id == "job_cancelled":
            queue.cancel(id)
            continue
        taken = queue.take("worker-1")
        assert taken is not None
        if id == "job_died":
            endpoints.ledger.settle_running("worker-1", "died")
        else:
            queue.give_up(taken, UsageError("no"))
    told = [json.loads(row.body) for row in outbox(endpoints)]
    assert [(each["type"], each["data"]["id"]) for each in told] == [
        ("video.failed", "job_died"), ("video.failed", "job_cancelled"), ("video.failed", "job_failed"),
    ]  # fmt: skip


def test_failed_delivery_is_tried_again_with_the_same_id(endpoints: Endpoints) -> None:
    """Each failure moves the next attempt further away; the id stays; in the end it is given up on in the open."""
    endpoints.add("one", "https://hooks.example/")
    ended_job(endpoints.ledger)
    receiver = Receiver(*[500, ConnectionError("no"), 302, 404] * 3)
    waits = []
    for _ in range(len(BACK_OFF_S) + 1):
        deliver_due(endpoints, receiver)
        (row,) = outbox(endpoints)
        waits.append((row.due - now()).total_seconds())
        with endpoints.ledger.write() as session:
            session.execute(update(OutboxRow).values(due=now()))
    (row,) = outbox(endpoints)
    assert (row.state, row.attempts) == ("given-up", len(BACK_OFF_S) + 1)
    assert all(wait == pytest.approx(given, rel=0.12, abs=2) for wait, given in zip(waits, BACK_OFF_S, strict=False))
    assert len({given["webhook-id"] for _, _, given in receiver.got}) == 1
    (shown,) = endpoints.of("one")
    assert not shown["enabled"]
    ended_job(endpoints.ledger)
    assert len(outbox(endpoints)) == 1
    endpoints.enable("one", shown["id"])
    ended_job(endpoints.ledger)
    assert deliver_due(endpoints, receiver).taken + deliver_due(endpoints, Receiver()).taken <= 1


def test_gone_receiver_is_left_alone(endpoints: Endpoints) -> None:
    """410 Gone ends an endpoint at once."""
    endpoints.add("one", "https://hooks.example/")
    ended_job(endpoints.ledger)
    ended_job(endpoints.ledger)
    receiver = Receiver(410)
    assert deliver_due(endpoints, receiver) == Delivered(given_up=2)
    assert len(receiver.got) == 1


def test_clock_that_was_set_back_delays_nothing_for_long(endpoints: Endpoints) -> None:
    """An attempt that the clock put years ahead is made now."""
    endpoints.add("one", "https://hooks.example/")
    ended_job(endpoints.ledger)
    with endpoints.ledger.write() as session:
        session.execute(update(OutboxRow).values(due=now() + timedelta(days=3650)))
    assert deliver_due(endpoints, Receiver()) == Delivered(taken=1)


def test_process_that_died_while_delivering_loses_nothing(endpoints: Endpoints) -> None:
    """An attempt that was claimed and never ended is made again once its claim has run out."""
    endpoints.add("one", "https://hooks.example/")
    ended_job(endpoints.ledger)
    with pytest.raises(KeyboardInterrupt):
        deliver_due(endpoints, Receiver(KeyboardInterrupt()))
    assert deliver_due(endpoints, Receiver()) == Delivered()
    with endpoints.ledger.write() as session:
        session.execute(update(OutboxRow).values(due=now() - delivery.CLAIM))
    assert deliver_due(endpoints, Receiver()) == Delivered(taken=1)


def test_exchanged_secret_signs_for_a_day(endpoints: Endpoints) -> None:
    """After an exchange both secrets verify; a day later only the new one does."""
    id, old = endpoints.add("one", "https://hooks.example/")
    new = endpoints.rotate("one", id)
    receiver = Receiver()
    ended_job(endpoints.ledger)
    deliver_due(endpoints, receiver)
    _, body, given = receiver.got[0]
    assert verify(body, given, old) == verify(body, given, new)
    with endpoints.ledger.write() as session:
        session.execute(update(EndpointRow).values(retired_until=now() - timedelta(seconds=1)))
    ended_job(endpoints.ledger)
    deliver_due(endpoints, receiver)
    _, body, given = receiver.got[1]
    assert verify(body, given, new)
    with pytest.raises(WebhookRefused):
        verify(body, given, old)


def test_secrets_lie_sealed(endpoints: Endpoints, tmp_path: Path) -> None:
    """No secret stands in the database; without the key nothing is sent, and the event waits."""
    _, secret = endpoints.add("one", "https://hooks.example/")
    assert secret.removeprefix("whsec_").encode() not in (tmp_path / "ledger.sqlite").read_bytes()
    ended_job(endpoints.ledger)
    (tmp_path / "webhooks.key").unlink()
    receiver = Receiver()
    assert deliver_due(endpoints, receiver) == Delivered(failed=1)
    assert receiver.got == []
    assert outbox(endpoints)[0].last == "SealKeyUnusable"
    with pytest.raises(SealKeyUnusable):
        endpoints.rotate("one", endpoints.of("one")[0]["id"])


def test_endpoints_of_others_are_none(endpoints: Endpoints) -> None:
    """Nobody sees, changes or removes another tenant's endpoint; a tenant has a bounded number."""
    id, _ = endpoints.add("one", "https://hooks.example/")
    assert endpoints.of("two") == []
    for act in (endpoints.remove, endpoints.rotate, endpoints.enable):
        with pytest.raises(JobNotFound):
            act("two", id)
    for _ in range(MOST - 1):
        endpoints.add("one", "https://hooks.example/")
    with pytest.raises(UsageError, match="at most"):
        endpoints.add("one", "https://hooks.example/")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "198.18.0.1", "192.0.2.1",
    ],
)  # fmt: skip
def test_private_address_is_not_opened(address: str) -> None:
    """Whatever notation an address of a private network is in, it is not opened, unless a setting allows it."""
    assert not is_public(address)
    with pytest.raises(TargetRefused, match="not public"):
        target("https://inside.example/", Openable(lookup=lambda *_: ["93.184.216.34", address]))
    assert target("https://inside.example/", Openable(private=True, lookup=lambda *_: [address])).pinned


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/", "ftp://hooks.example/", "file:///etc/passwd", "https://", "https://user:pw@hooks.example/",
        "https://hooks.example:99999/", "https://hooks.example/ x", "https://h\\@evil/", "https://höoks.example/",
        "https://hooks.example/\r\nx: y", "gopher://x", "//hooks.example/", "https://" + "a" * 3000,
    ],
)  # fmt: skip
def test_odd_url_is_not_opened(url: str) -> None:
    """Other schemes, names and passwords, and what no URL should hold, are refused."""
    with pytest.raises(TargetRefused):
        target(url, Openable(lookup=public))


def test_looked_up_once_and_pinned() -> None:
    """The connection goes to the very address that was looked at; the name stays for Host and certificate."""
    goal = target("https://hooks.example:8443/a?b=c", Openable(lookup=public))
    assert (goal.pinned, goal.netloc, goal.host) == (
        "https://93.184.216.34:8443/a?b=c", "hooks.example:8443", "hooks.example",
    )  # fmt: skip
    six = target("https://hooks.example/", Openable(lookup=lambda *_: ["2606:2800:220:1::1"]))
    assert six.pinned == "https://[2606:2800:220:1::1]:443/"
    with pytest.raises(TargetRefused, match="no address"):
        target("https://hooks.example/", Openable(lookup=lambda *_: []))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_listener_verifies_what_is_delivered(tmp_path: Path) -> None:
    """`assay webhook listen` takes what we deliver over HTTP, marks repetitions, and refuses what is not signed."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    endpoints = Endpoints(ledger, tmp_path / "webhooks.key", Openable(http=True, private=True))
    port = free_port()
    _, secret = endpoints.add("one", f"http://127.0.0.1:{port}/hook")
    command = [sys.executable, "-m", "assay", "webhook", "listen", "--port", str(port), "--count", "2"]
    environment = assay_environment(tmp_path, ASSAY_WEBHOOK_SECRET=secret)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    ) as listener:
        assert listener.stderr is not None
        assert "listening" in listener.stderr.readline()
        refused = urllib.request.Request(f"http://127.0.0.1:{port}/", data=b"{}", method="POST")
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(refused, timeout=10)
        job = ended_job(ledger)
        send = http_sender(endpoints, 10.0)
        assert deliver_due(endpoints, send) == Delivered(taken=1)
        with ledger.write() as session:
            session.execute(update(OutboxRow).values(state="waiting", due=now()))
        assert deliver_due(endpoints, send) == Delivered(taken=1)
        said, _ = listener.communicate(timeout=30)
    lines: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines()]
    assert [(line["event"]["data"]["id"], line["repeated"]) for line in lines] == [(job, False), (job, True)]
    with ledger.write() as session:
        session.execute(update(OutboxRow).values(state="waiting", due=now()))
    assert deliver_due(endpoints, send) == Delivered(failed=1)  # nobody listens any more
    ledger.close()
