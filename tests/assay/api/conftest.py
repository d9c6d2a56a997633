"""Settings, tenants and clients for tests of the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from toy_server import Served, served

from assay.api.app import create_app
from assay.ledger import Ledger
from assay.settings import Settings
from assay.tenants import CLIENT_SCOPES, Tenants


@pytest.fixture
def api_settings(tmp_path: Path) -> Settings:
    """A home of its own, and calm toy stages."""
    return Settings(
        home=tmp_path / "home",
        backend="assay_toys:ToyGenerator",
        prompt_classifiers=("assay_toys:CalmPrompt",),
        frame_classifiers=("assay_toys:CalmFrame",),
        nudenet="off",
    )


@pytest.fixture
def api_keys(api_settings: Settings) -> dict[str, str]:
    """A key of tenant `one` and one of tenant `two`, each with the scopes of clients."""
    ledger = Ledger(api_settings.ledger)
    tenants, made = Tenants(ledger), {}
    for name in ("one", "two"):
        tenants.add(name)
        made[name] = tenants.issue(name, CLIENT_SCOPES)
    ledger.close()
    return made


@pytest.fixture
def api_client(api_settings: Settings) -> Iterator[TestClient]:
    """The application without a socket; exceptions become answers, as they do in a server."""
    with TestClient(create_app(api_settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One running server with toy stages for every test that speaks to a socket; tenants `one` and `two`."""
    with served(tmp_path_factory.mktemp("server"), "one", "two") as running:
        yield running
