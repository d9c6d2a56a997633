"""No tenant sees, lists, fetches, builds upon or deletes anything of another; no route opens without its key."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from toy_server import Served

from assay.ledger import Ledger
from assay.tenants import Tenants

SMALL = {"seconds": "1", "size": "96x64"}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/videos": {"prompt": "grey"},
    "/v1/videos/{id}/remix": {"prompt": "grey"},
    "/v1/videos/characters": {"name": "grey", "video": {"id": "{id}"}},
    "/v1/videos/edits": {"prompt": "grey", "video": {"id": "{id}"}},
    "/v1/videos/extensions": {"prompt": "grey", "video": {"id": "{id}"}},
}


@pytest.fixture(scope="module")
def http(server: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url.removesuffix("/v1"), timeout=60) as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def theirs(server: Served, http: httpx.Client) -> str:
    """A video of tenant two."""
    made = http.post("/v1/videos", json={"prompt": "grey of two", **SMALL}, headers=bearer(server.keys["two"]))
    assert made.status_code == 200
    return str(made.json()["id"])


def routes(http: httpx.Client) -> list[tuple[str, str]]:
    """Every route of the running server that asks for a key, from its own OpenAPI document."""
    paths = http.get("/openapi.json").json()["paths"]
    found = [(method, path) for path, methods in paths.items() for method in methods if path.startswith("/v1/")]
    assert ("post", "/v1/videos") in found
    return found


def body_of(path: str, id: str) -> dict[str, Any] | None:
    body = BODIES.get(path)
    return None if body is None else {k: ({"id": id} if k == "video" else v) for k, v in body.items()}


def test_every_route_asks_for_a_key(server: Served, http: httpx.Client, theirs: str) -> None:
    """Without a key, with a wrong one, with one whose secret is another's, every route of the document answers 401."""
    one, two = server.keys["one"], server.keys["two"]
    mixed = "_".join([*one.split("_")[:2], two.split("_")[2]])
    for method, path in routes(http):
        for headers in ({}, bearer("wrong"), bearer(mixed), bearer(one[:-1]), {"authorization": one}):
            answer = http.request(method, path.format(id=theirs), json=body_of(path, theirs), headers=headers)
            assert answer.status_code == 401, (method, path, answer.text)
            assert answer.json()["error"]["code"] == "invalid_api_key"
            assert answer.headers["x-should-retry"] == "false"


def test_other_tenants_things_are_not_there(server: Served, http: httpx.Client, theirs: str) -> None:
    """With a valid key of another tenant, each route that names a video answers as it does for one that never was."""
    never = "job_" + "0" * 24
    asked = [(method, path) for method, path in routes(http) if path.startswith("/v1/videos") and path != "/v1/videos"]
    assert len(asked) >= 7
    for method, path in asked:
        answers = []
        for id in (theirs, never):
            answer = http.request(
                method, path.format(id=id), json=body_of(path, id), headers=bearer(server.keys["one"])
            )
            answers.append((answer.status_code, answer.text.replace(id, "ID")))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404, (method, path, answers)
    assert http.get(f"/v1/videos/{theirs}", headers=bearer(server.keys["two"])).status_code == 200


def test_lists_are_apart(server: Served, http: httpx.Client, theirs: str) -> None:
    """A list holds no video of another tenant, and another tenant's video is no place to start a page."""
    shown = http.get("/v1/videos", params={"limit": 100}, headers=bearer(server.keys["one"])).json()
    assert theirs not in str(shown)
    after = http.get("/v1/videos", params={"after": theirs}, headers=bearer(server.keys["one"]))
    assert after.status_code == 404


def test_idempotency_keys_are_apart(server: Served, http: httpx.Client) -> None:
    """The same Idempotency-Key of two tenants makes two videos; of one tenant one, and a 409 for another request."""
    made = {}
    for tenant in ("one", "two"):
        headers = bearer(server.keys[tenant]) | {"Idempotency-Key": "the same"}
        ids = {http.post("/v1/videos", json={"prompt": "grey", **SMALL}, headers=headers).json()["id"] for _ in "ab"}
        assert len(ids) == 1
        made[tenant] = ids.pop()
        other = http.post("/v1/videos", json={"prompt": "another grey", **SMALL}, headers=headers)
        assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_mismatch")
        assert other.headers["x-should-retry"] == "false"
    assert made["one"] != made["two"]


def test_scopes(server: Served, http: httpx.Client) -> None:
    """A key that only reads makes and deletes nothing."""
    ledger = Ledger(server.settings.ledger)
    reader = Tenants(ledger).issue("one", ("videos:read",))
    ledger.close()
    assert http.get("/v1/videos", headers=bearer(reader)).status_code == 200
    refused = http.post("/v1/videos", json={"prompt": "grey"}, headers=bearer(reader))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "insufficient_scope")


def test_rotation_and_revocation(server: Served, http: httpx.Client) -> None:
    """A rotated key works beside the old one until the overlap ends; one revoked elsewhere ends in a second."""
    ledger = Ledger(server.settings.ledger)
    tenants = Tenants(ledger)
    old = tenants.issue("one", ("videos:read",))
    new = tenants.rotate(old.split("_")[1], overlap_hours=1)
    late = tenants.issue("one", ("videos:read",))
    tenants.rotate(late.split("_")[1], overlap_hours=0)
    status = {name: http.get("/v1/videos", headers=bearer(key)).status_code for name, key in locals_of(old, new, late)}
    assert status == {"old": 200, "new": 200, "late": 401}
    tenants.revoke(new.split("_")[1])
    deadline = time.monotonic() + 30  # a second, plus what the machine is busy with
    while http.get("/v1/videos", headers=bearer(new)).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert http.get("/v1/videos", headers=bearer(new)).status_code == 401
    assert new not in str(tenants.listed())
    ledger.close()


def locals_of(old: str, new: str, late: str) -> list[tuple[str, str]]:
    return [("old", old), ("new", new), ("late", late)]


@pytest.mark.parametrize("id", ["..%2f..%2fledger.sqlite", "job_%00", "job_" + "g" * 24, "%2e%2e", "a" * 5000])
def test_ids_are_no_paths(server: Served, http: httpx.Client, id: str) -> None:
    """What is no id is simply not there, whatever it is made of."""
    for path in (f"/v1/videos/{id}", f"/v1/videos/{id}/content"):
        answer = http.get(path, headers=bearer(server.keys["one"]))
        assert answer.status_code == 404
        assert "error" in answer.json()


def test_headers(server: Served, http: httpx.Client) -> None:
    """Every answer has the security headers and an id; a forged id is not repeated, and no origin is let in."""
    sent = {"origin": "https://evil.example", "x-request-id": "good-1"}
    answer = http.get("/v1/videos", headers=bearer(server.keys["one"]) | sent)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"] == "good-1"
    assert "access-control-allow-origin" not in answer.headers
    forged = http.get("/v1/videos", headers={"x-request-id": "a b"})
    assert forged.headers["x-request-id"].startswith("req_")
    assert http.options("/v1/videos", headers=sent).status_code == 405
