"""The OpenAPI document says of each operation which key it asks for, and the server does what the document says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from assay.api.app import create_app
from assay.ledger import Ledger
from assay.settings import Settings
from assay.tenants import SCOPES, Tenants


def operations(document: dict[str, Any]) -> dict[tuple[str, str], list[dict[str, list[str]]]]:
    """What each operation says of keys."""
    return {
        (method, path): operation["security"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_what_is_open_and_what_is_not(api_settings: Settings, api_client: TestClient) -> None:
    """Without a key just the operations that the document calls open answer anything but 401."""
    said = operations(create_app(api_settings).openapi())
    assert {path for (_, path), keys in said.items() if not keys} == {"/healthz", "/readyz"}
    for (method, path), keys in said.items():
        answer = api_client.request(method, path.format(id="job_1", key="x"))
        assert (answer.status_code == 401) == bool(keys), (method, path, answer.text)


def test_scopes_are_those_that_are_asked_for(
    api_settings: Settings, api_client: TestClient, api_keys: dict[str, str]
) -> None:
    """A key with every scope but the one that the document names is answered 403, and names no other."""
    ledger = Ledger(api_settings.ledger)
    said = operations(api_client.get("/openapi.json").json())
    scopes = {scope for keys in said.values() for key in keys for scope in key["HTTPBearer"]}
    assert scopes == set(SCOPES)
    but = {scope: Tenants(ledger).issue("one", tuple({*SCOPES} - {scope, "admin"})) for scope in scopes}
    ledger.close()
    for (method, path), keys in said.items():
        for ((_, (scope,)),) in (key.items() for key in keys):
            headers = {"authorization": f"Bearer {but[scope]}"}
            answer = api_client.request(method, path.format(id="job_1"), headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "insufficient_scope"), (method, path)


@pytest.mark.parametrize(
    ("setting", "path", "method"),
    [("open_metrics", "/metrics", "get"), ("public_checks", "/v1/provenance/checks", "post")],
)
def test_what_settings_open(tmp_path: Path, setting: str, path: str, method: str) -> None:
    """What the settings open to all may be asked without a key, says the document; else not."""
    for opened in (True, False):
        settings = Settings(home=tmp_path, serve={setting: opened})
        security = operations(create_app(settings).openapi())[method, path]
        assert ({} in security) == opened
        assert any("HTTPBearer" in each for each in security)
