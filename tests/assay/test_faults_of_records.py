"""Faults where records are kept: a full disk, a locked database, a lost key, a jumping clock. Nothing is released."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from assay import ledger as ledgers, review
from assay.api.app import create_app
from assay.api.context import Here
from assay.assemble import assemble
from assay.auditing.reading import LedgerChain
from assay.auditing.sealing import seal, waiting
from assay.auditing.signing import AuditKeyUnusable, known_keys
from assay.auditing.verifying import verify
from assay.errors import StageFailed
from assay.ledger import Ledger, State
from assay.outcome import Outcome
from assay.pipeline import generate
from assay.request import Request
from assay.settings import Settings
from assay.stages import Stages
from safety import Action

MakeSettings = Callable[..., Settings]


@pytest.fixture
def stages(toy_settings: MakeSettings) -> Iterator[Stages]:
    made = assemble(toy_settings(), "worker-test", generator=True)
    yield made
    made.ledger.close()


def asked(stages: Stages, folder: Path, prompt: str = "grey") -> Outcome:
    return generate(Request(prompt, folder / "out.mp4", size=(96, 64), seconds=0.5), stages)


@pytest.fixture
def impatient(stages: Stages) -> None:
    """Whoever waits for the database waits half a second, not thirty."""
    from sqlalchemy import event

    def hurry(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA busy_timeout=500")

    stages.ledger.engine.dispose()
    event.listen(stages.ledger.engine, "connect", hurry)


def test_locked_database_releases_nothing(stages: Stages, impatient: None, tmp_path: Path) -> None:
    """While somebody else holds the database nothing can be recorded, so nothing is made; afterwards all is well."""
    with sqlite3.connect(str(stages.ledger.engine.url.database), isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OperationalError, match="locked"):
            asked(stages, tmp_path)
        assert not (tmp_path / "out.mp4").exists()
        other.execute("ROLLBACK")
    assert asked(stages, tmp_path).asset is not None


def test_locked_database_is_a_typed_answer(toy_settings: MakeSettings) -> None:
    """While the database cannot be written to, the API says so in its own words, and when to come back."""
    router = APIRouter()

    @router.post("/v1/write")
    def write(here: Here) -> dict[str, str]:
        with here.ledger.write() as session:
            session.execute(text("PRAGMA busy_timeout=100"))
            session.execute(text("UPDATE alembic_version SET version_num = version_num"))
        return {}

    settings = toy_settings()
    with TestClient(create_app(settings, routers=[router]), raise_server_exceptions=False) as client:
        assert client.post("/v1/write").status_code == 200
        with sqlite3.connect(settings.home / "ledger.sqlite", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = client.post("/v1/write")
            other.execute("ROLLBACK")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_unavailable")
    assert answer.headers["retry-after"] == "2"


def test_entry_that_cannot_be_written_stops_the_decision(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decision whose entry fails is not recorded, and nothing is released on it."""
    monkeypatch.setattr("assay.auditing.noting.decision_facts", lambda _: {"nan": float("nan")})
    with pytest.raises(StageFailed, match="JSON"):
        asked(stages, tmp_path)
    assert not (tmp_path / "out.mp4").exists()
    with sqlite3.connect(str(stages.ledger.engine.url.database)) as file:
        assert file.execute("select count(*) from decisions").fetchone() == (0,)
        assert file.execute("select state from jobs").fetchall() == [(State.FAILED,)]


def test_full_disk_seals_nothing_half(tmp_path: Path) -> None:
    """Where the database cannot grow, sealing fails as a whole; with room again the same entries are sealed."""
    script = f"""
import resource, sys
from pathlib import Path
from assay.ledger import Ledger, State
from assay.auditing.sealing import seal, waiting
home = Path({str(tmp_path)!r})
ledger = Ledger(f"sqlite:///{{home / 'ledger.sqlite'}}")
for n in range(3):
    ledger.settle(ledger.open_job("generate", {{"prompt": "x"}}, ("w", 60)), State.COMPLETED, action="allow")
seal(ledger, home / "audit")
room = max(path.stat().st_size for path in home.iterdir() if path.is_file())
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
failed = 0
try:
    for n in range(2000):
        job = ledger.open_job("generate", {{"prompt": "y" * 60000}}, ("w", 60))
        ledger.settle(job, State.COMPLETED, action="allow")
        seal(ledger, home / "audit")
except Exception as error:
    failed = type(error).__name__
print(failed)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.strip() in ("OperationalError", "OSError", "DatabaseError"), done.stdout + done.stderr
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    seal(ledger, tmp_path / "audit")
    walk = verify(LedgerChain(ledger), known_keys(tmp_path / "audit"))
    assert walk.sound, walk.faults
    assert (walk.waiting, waiting(ledger)) == (0, 0)
    ledger.close()


def test_lost_audit_key_stops_sealing_and_says_so(stages: Stages, toy_settings: MakeSettings, tmp_path: Path) -> None:
    """With the checkpoint key gone nothing is sealed, the entries wait, and the error names the remedy."""
    settings = toy_settings()
    asked(stages, tmp_path)
    seal(stages.ledger, settings.audit)
    (settings.audit / "checkpoint.key").unlink()
    asked(stages, tmp_path)
    with pytest.raises(AuditKeyUnusable, match="audit rotate"):
        seal(stages.ledger, settings.audit)
    assert waiting(stages.ledger) > 0
    assert verify(LedgerChain(stages.ledger), known_keys(settings.audit)).sound


@pytest.mark.parametrize("days", [-3650, 3650])
def test_clock_that_jumps_releases_nothing(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """A held output stays unserved whichever way the clock jumps: it waits, or it has expired as refused."""
    outcome = asked(stages, tmp_path, "pink")
    assert outcome.action is Action.REVIEW
    true = ledgers.now

    def jumped() -> datetime:
        return true() + timedelta(days=days)

    for module in (ledgers, review):
        monkeypatch.setattr(module, "now", jumped)
    left = review.waiting(stages.ledger)
    assert len(left) == (1 if days < 0 else 0)
    row = stages.ledger.job(outcome.job)
    assert (row.state, row.action) == ((State.HELD, "review") if days < 0 else (State.COMPLETED, "block"))
    assert not (tmp_path / "out.mp4").exists()
    seal(stages.ledger, tmp_path / "audit")
    assert verify(LedgerChain(stages.ledger), known_keys(tmp_path / "audit")).sound
