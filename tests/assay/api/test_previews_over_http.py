"""Previews that a client may fetch while its video is made: only judged ones, only signed, only its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from assay_toys import PreviewingGenerator
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from assay.assemble import signer
from assay.jobs.queue import NewJob, Queue
from assay.jobs.working import work
from assay.ledger import JobRow, Ledger, State, new_id
from assay.leftovers import OwnerLock
from assay.request import Request
from assay.settings import Settings
from assay.signing import Signer
from assay.tasks import Bench
from assay.watch import Silent
from provenance import SigningError, read


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    """The usual toys, with a generator that has previews."""
    return api_settings.model_copy(update={"backend": "assay_toys:PreviewingGenerator"})


@dataclass
class Studio:
    """A worker in this process, and what a client is answered between the steps of the generator."""

    settings: Settings
    client: TestClient
    keys: dict[str, str]
    bench: Bench

    def make(self, prompt: str, *, preview: bool = True) -> tuple[str, list[Any]]:
        """Makes a video; its job, and what `content?variant=preview` answered after each step."""
        job, answers = new_id("job"), []
        folder = self.settings.videos / job
        request = Request(prompt, folder / "x.mp4", size=(96, 64), seconds=0.5, preview=preview)
        wire = {"model": "m", "seconds": "1", "size": "96x64"}
        assert Queue(self.bench.queue.ledger, self.settings.serve).add(NewJob(job, "one", request, wire))
        answers.append(self.ask(job))
        PreviewingGenerator.between = staticmethod(lambda step: answers.append(self.ask(job)))
        assert work(self.bench, None, Silent()) == job
        return job, [*answers, self.ask(job)]

    def ask(self, job: str, tenant: str = "one", variant: str = "preview") -> Any:
        headers = {"authorization": f"Bearer {self.keys[tenant]}"}
        return self.client.get(f"/v1/videos/{job}/content", params={"variant": variant}, headers=headers)


@pytest.fixture
def studio(
    api_settings: Settings, api_keys: dict[str, str], api_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Studio]:
    monkeypatch.setattr(PreviewingGenerator, "between", staticmethod(lambda step: None))
    with OwnerLock(api_settings, "worker-previews"):
        bench = Bench(api_settings, "worker-previews")
        yield Studio(api_settings, api_client, api_keys, bench)
        bench.close()


def told(answers: list[Any]) -> list[Any]:
    """The status of each answer, and the code of an error."""
    return [one.status_code if one.status_code == 200 else one.json()["error"]["code"] for one in answers]


def jobs(settings: Settings, kind: str) -> list[JobRow]:
    ledger = Ledger(settings.ledger)
    with Session(ledger.engine, expire_on_commit=False) as session:
        found = list(session.scalars(select(JobRow).where(JobRow.kind == kind).order_by(JobRow.created)))
    ledger.close()
    return found


def test_shown_while_it_is_made(studio: Studio, tmp_path: Path) -> None:
    """Before the first judged preview and after the end there is none; in between there is one, signed and recorded."""
    job, answers = studio.make("grey")
    assert told(answers) == ["preview_not_ready", 200, 200, 200, 200, "no_preview"]
    made = jobs(studio.settings, "preview")
    assert [(one.tenant, one.parent, one.action) for one in made] == [("one", job, "allow")] * 3
    trust = signer(studio.settings).trust
    for number, answer in enumerate(answers[1:4]):
        assert answer.headers["content-type"] == "video/mp4"
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(answer.content)
        credentials = read(path, trust)
        assert credentials.state.value == "trusted"
        assert credentials.decision is not None
        ledger = Ledger(studio.settings.ledger)
        (decision,) = ledger.decisions(made[number].id)
        assert decision.id in str(credentials.decision)
        assert len(ledger.decisions(job)) == 2, "the video's own decisions are made again without its previews"
        ledger.close()
    assert not list((studio.settings.videos / job).rglob("*preview*/*")), "nothing of them is left"
    assert studio.ask(job, variant="video").status_code == 200


def test_refused_preview_is_not_shown(studio: Studio) -> None:
    """A preview that the policy does not allow is never seen, and takes the earlier one away."""
    _, answers = studio.make("blush")
    assert told(answers) == ["preview_not_ready", 200, "preview_not_ready", 200, 200, "no_preview"]
    assert [one.action for one in jobs(studio.settings, "preview")] == ["allow", "block", "allow"]


def test_only_where_it_was_asked_for(studio: Studio) -> None:
    """Without `preview: true` nothing is shown, and nothing is looked at for it."""
    _, answers = studio.make("grey", preview=False)
    assert set(told(answers)) == {"no_preview"}
    assert jobs(studio.settings, "preview") == []


def test_only_to_its_own_tenant(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another tenant is answered as for a video that never was; the object tells how far the preview is."""
    seen: list[Any] = []
    ask = studio.ask

    def both(job: str, *more: Any, **named: Any) -> Any:
        headers = {"authorization": f"Bearer {studio.keys['one']}"}
        seen.append((ask(job, "two").status_code, studio.client.get(f"/v1/videos/{job}", headers=headers).json()))
        return ask(job, *more, **named)

    monkeypatch.setattr(studio, "ask", both)
    studio.make("grey")
    assert {status for status, _ in seen} == {404}
    assert [video["preview"] and video["preview"]["step"] for _, video in seen] == [None, 1, 2, 3, 3, None]


def test_what_cannot_be_signed_is_not_shown(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where signing a preview fails, no byte of it is served, and the video itself goes on."""
    release = Signer.release

    def failing(self: Signer, source: Path, destination: Path, *more: Any) -> Any:
        if destination.parent.name == "preview":
            raise SigningError("the key is away")
        return release(self, source, destination, *more)

    monkeypatch.setattr(Signer, "release", failing)
    job, answers = studio.make("grey")
    assert told(answers) == [*["preview_not_ready"] * 5, "no_preview"]
    assert {one.state for one in jobs(studio.settings, "preview")} == {State.FAILED}
    assert studio.ask(job, variant="video").status_code == 200


def test_not_once_it_is_cancelled_or_taken_up_again(studio: Studio) -> None:
    """A preview of an attempt that counts no longer, or of a job that was cancelled, is not shown."""
    answers: list[Any] = []
    job = new_id("job")

    def change(step: int) -> None:
        if step != 2:
            return
        for values in ({"attempt": 2}, {"attempt": 1, "cancelled": True}, {"cancelled": False}):
            with studio.bench.queue.ledger.write() as session:
                row = session.get_one(JobRow, job)
                for name, value in values.items():
                    setattr(row, name, value)
            answers.append(studio.ask(job))

    PreviewingGenerator.between = staticmethod(change)
    request = Request("grey", studio.settings.videos / job / "x.mp4", size=(96, 64), seconds=0.5, preview=True)
    wire = {"model": "m", "seconds": "1", "size": "96x64"}
    assert studio.bench.queue.add(NewJob(job, "one", request, wire))
    work(studio.bench, None, Silent())
    assert told(answers) == ["preview_not_ready", "preview_not_ready", 200]
