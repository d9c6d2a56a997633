"""SIGKILL to the server, to its workers, to all of them, at random moments: nothing is lost or let out."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from toy_server import Served, served

from assay.assemble import signer
from assay.auditing.reading import LedgerChain
from assay.auditing.sealing import remembered, seal
from assay.auditing.signing import known_keys
from assay.auditing.tables import EntryRow
from assay.auditing.verifying import verify
from assay.ledger import JobRow, Ledger, State
from provenance import read

JOBS, KILLS = 40, 100
FAST = {"ASSAY_BACKEND": "procedural", "ASSAY_SERVE__ATTEMPTS": "1000", "ASSAY_SERVE__WORKERS": "2"}
FAST |= {"ASSAY_SERVE__ACTIVE_JOBS": "1000", "ASSAY_SERVE__REQUESTS_PER_MINUTE": "1000000"}


def processes_of(server: Served) -> list[int]:
    """The server's process and every one that came of it, found by its session."""
    assert server.process is not None
    listed = subprocess.run(["ps", "-e", "-o", "pid=,sid="], capture_output=True, text=True, check=True).stdout
    pairs = [line.split() for line in listed.splitlines()]
    return [int(pid) for pid, session in pairs if int(session) == server.process.pid]


def kill(server: Served, dice: random.Random) -> None:
    """One kill: of the server (then it is started again), of one of its children, or of all."""
    assert server.process is not None
    fate = dice.random()
    children = [pid for pid in processes_of(server) if pid != server.process.pid]
    if fate < 0.85 and children:
        victims = [dice.choice(children)]
    elif fate < 0.93:
        victims = [server.process.pid]
    else:
        victims = [server.process.pid, *children]
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if server.process.pid in victims:
        server.process.wait()
        server.start()


def downloads_are_signed(server: Served, http: httpx.Client, folder: Path, seen: set[str]) -> None:
    """What can be downloaded now verifies as trusted."""
    trust = signer(server.settings).trust
    for video in http.get("/videos", params={"limit": 100}).json()["data"]:
        if video["status"] == "completed" and video["id"] not in seen:
            answer = http.get(f"/videos/{video['id']}/content")
            assert answer.status_code == 200
            (folder / "got.mp4").write_bytes(answer.content)
            assert read(folder / "got.mp4", trust).state.value == "trusted"
            seen.add(video["id"])


@pytest.mark.full
@pytest.mark.timeout(900)
def test_kills_at_a_hundred_moments(tmp_path: Path) -> None:
    """Whatever is killed whenever, each job ends once, only signed bytes are served, and no file is left over."""
    dice, seen = random.Random(7), set[str]()
    with served(tmp_path, "one", **FAST) as server:
        headers = {"authorization": f"Bearer {server.keys['one']}"}
        transport = httpx.HTTPTransport(retries=3)
        with httpx.Client(base_url=server.url, headers=headers, timeout=180, transport=transport) as http:
            jobs = [created(http, number) for number in range(JOBS)]
            at_work = 0
            for number in range(KILLS):
                # in the middle of a job, and of a start
                at_work += wait_for_work(server, 60.0 if number % 3 == 0 else 0.5)
                time.sleep(dice.uniform(0.0, 0.6))
                kill(server, dice)
                if number % 10 == 9:
                    downloads_are_signed(server, http, tmp_path, seen)
            ends = wait_for_all(http, jobs)
            downloads_are_signed(server, http, tmp_path, seen)
        assert server.stop() == 0
        assert set(ends.values()) == {"completed"}
        assert at_work >= KILLS // 10, "kills that met a job while it was being made"
        assert len(seen) == JOBS
        server.start()  # a start after the last kill clears away whatever is left
        time.sleep(3)
        assert server.stop() == 0
        nothing_is_left(server, jobs)


def wait_for_work(server: Served, most_s: float) -> bool:
    """Until some job is being worked on: there a kill hurts most. Whether one is; False at once where none is left."""
    ledger, deadline, found = Ledger(server.settings.ledger), time.monotonic() + most_s, False
    while time.monotonic() < deadline:
        with Session(ledger.engine) as session:
            left = set(session.scalars(select(JobRow.state).where(JobRow.state.in_((State.QUEUED, State.RUNNING)))))
        found = State.RUNNING in left
        if found or not left:
            break
        time.sleep(0.02)
    ledger.close()
    return found


def created(http: httpx.Client, number: int) -> str:
    asked = {"prompt": "a red circle on a grey ground", "seconds": "0.5", "size": "96x64", "seed": number}
    answer = http.post("/videos", json=asked, headers={"Idempotency-Key": f"job {number}"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def wait_for_all(http: httpx.Client, jobs: list[str]) -> dict[str, str]:
    deadline = time.monotonic() + 300
    ends: dict[str, str] = {}
    while len(ends) < len(jobs) and time.monotonic() < deadline:
        for video in http.get("/videos", params={"limit": 100}).json()["data"]:
            if video["status"] in ("completed", "failed"):
                assert ends.setdefault(video["id"], video["status"]) == video["status"]
        time.sleep(0.5)
    assert sorted(ends) == sorted(jobs)
    return ends


def chain_is_sound(ledger: Ledger, folder: Path) -> None:
    """The audit chain verifies, and has every job taken in once and ended once."""
    seal(ledger, folder)
    walk = verify(LedgerChain(ledger), known_keys(folder), remembered(folder)[-1:])
    assert walk.sound, walk.faults
    with Session(ledger.engine) as session:
        kinds = session.scalars(select(EntryRow.kind)).all()
    assert (kinds.count("request"), kinds.count("settled")) == (JOBS, JOBS)


def nothing_is_left(server: Served, jobs: list[str]) -> None:
    """The disk holds the recorded files and nothing else; the ledger has each job once, ended, with one set of ends."""
    settings = server.settings
    ledger = Ledger(settings.ledger)
    with Session(ledger.engine) as session:
        rows = session.scalars(select(JobRow).where(JobRow.id.in_(jobs))).all()
        recorded = sorted(str(row.asset["path"]) for row in rows if row.asset)
        assert all(row.lease_owner is None and row.completed is not None for row in rows)
    chain_is_sound(ledger, settings.audit)
    for job in jobs:
        assert [each.action.word for each in ledger.decisions(job)] == ["allow", "allow"]
    ledger.close()
    assert sorted(str(path) for path in settings.videos.rglob("*") if path.is_file()) == recorded
    assert not [path for path in settings.private.rglob("*") if path.is_file()]
    assert not settings.held.exists() or not list(settings.held.iterdir())
