"""`assay keys api`, `assay ledger upgrade`, and `assay serve` where it cannot start."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from assay.cli.main import run
from assay.ledger import Ledger
from assay.schema import VERSION
from assay.settings import Settings
from assay.tenants import Tenants


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    return Settings()


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What a command printed as JSON lines; it must have ended well."""
    assert run([*arguments, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_life_of_a_key(home: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """A key is shown once, opens, is listed without itself, rotates, and no longer opens once it is revoked."""
    (made,) = said(capsys, "keys", "api", "create", "--tenant", "acme", "--policy", "strict", "--active-jobs", "3")
    ledger = Ledger(home.ledger)
    caller = Tenants(ledger).caller(made["key"])
    assert caller is not None
    assert (caller.tenant, caller.policy, caller.limits.active_jobs) == ("acme", "strict", 3)
    assert "videos:write" in caller.scopes
    assert "admin" not in caller.scopes
    (again,) = said(capsys, "keys", "api", "rotate", made["id"], "--overlap-hours", "1")
    rows = said(capsys, "keys", "api", "list")
    assert [row["state"] for row in rows] == ["active", "active"]
    assert made["key"].split("_")[2] not in json.dumps(rows)
    assert run(["keys", "api", "revoke", again["id"]]) == 0
    assert Tenants(ledger).caller(again["key"]) is None
    assert Tenants(ledger).caller(made["key"]) is not None
    with ledger.engine.connect() as connection:
        stored = str(connection.execute(text("SELECT * FROM api_keys")).all())
    assert made["key"].split("_")[2] not in stored
    ledger.close()


@pytest.mark.parametrize(
    "wrong",
    [
        ["--tenant", "Acme Corp"],
        ["--tenant", "acme", "--scope", "everything"],
        ["--tenant", "acme", "--policy", "no-such-policy"],
    ],
)
def test_wrong_terms_make_no_key(home: Settings, capsys: pytest.CaptureFixture[str], wrong: list[str]) -> None:
    """A name that is none, an unknown scope and an unreadable policy are refused, and no key is made."""
    assert run(["keys", "api", "create", *wrong]) != 0
    assert capsys.readouterr().out == ""
    ledger = Ledger(home.ledger)
    assert Tenants(ledger).listed() == []
    ledger.close()


def test_ledger_from_before_versions_is_upgraded(home: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """A ledger that was made before there were versions is refused with the remedy, and the remedy works."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine

    home.home.mkdir(parents=True)
    engine = create_engine(home.ledger)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[3] / "assay" / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("DROP TABLE alembic_version"))
        values = "'job_1', 'scan', 'local', '{}', 'completed', 1, 0, 0, '2026-01-01 00:00:00', '2026-01-01 00:00:00'"
        columns = "id, kind, tenant, request, state, attempt, progress, billable, created, updated"
        connection.execute(text(f"INSERT INTO jobs ({columns}) VALUES ({values})"))
    engine.dispose()
    assert run(["review", "list"]) == 4
    assert "assay ledger upgrade" in capsys.readouterr().err
    assert said(capsys, "ledger", "upgrade") == [{"before": None, "after": VERSION}]
    ledger = Ledger(home.ledger)
    assert (ledger.job("job_1").state, ledger.job("job_1").attempts_allowed) == ("completed", 1)
    ledger.close()


def test_serve_says_what_is_missing(
    home: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra, `assay serve` ends with a usage error that says what to install."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else real(name))
    assert run(["serve"]) == 1
    assert "assay-video[serve]" in capsys.readouterr().err
