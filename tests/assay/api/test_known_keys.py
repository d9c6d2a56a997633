"""Keys that were found a moment ago: what is remembered of them never outlives a change, an end, or a second."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from assay import tenants as module
from assay.ledger import Ledger, now
from assay.tenants import CLIENT_SCOPES, KNOWN_S, KeyRow, Limits, Tenants


class Clock:
    """A clock that a test sets."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    yield made
    made.close()


def id_of(key: str) -> str:
    return key.split("_")[1]


def test_known_only_after_it_was_found(ledger: Ledger) -> None:
    """A key is known once its owner was looked up; a wrong one, or one of another secret, never is."""
    tenants = Tenants(ledger)
    tenants.add("one")
    key, other = (tenants.issue("one", CLIENT_SCOPES) for _ in "ab")
    mixed = "_".join([*key.split("_")[:2], other.split("_")[2]])
    assert tenants.known(key) is None
    found = tenants.caller(key)
    assert found is not None
    assert tenants.known(key) == found
    for wrong in (mixed, key[:-1], "", "ak_\udcff"):
        assert tenants.caller(wrong) is None
        assert tenants.known(wrong) is None


def test_known_for_a_second(ledger: Ledger) -> None:
    """What another process does to a key counts after a second at most: nothing is known for longer."""
    clock = Clock()
    here, elsewhere = Tenants(ledger, clock), Ledger(str(ledger.engine.url))
    here.add("one")
    key = here.issue("one", CLIENT_SCOPES)
    assert here.caller(key) is not None
    with elsewhere.write() as session:  # as another process does: nobody here is told
        session.get_one(KeyRow, id_of(key)).revoked = now()
    elsewhere.close()
    clock.seconds += KNOWN_S - 0.01
    assert here.known(key) is not None
    clock.seconds += 0.02
    assert here.known(key) is None
    assert here.caller(key) is None


@pytest.mark.parametrize("change", ["revoke", "rotate", "limits", "policy", "issue"])
def test_changes_here_count_at_once(ledger: Ledger, change: str) -> None:
    """Whatever this process changes of tenants and keys, through any object, is looked up again at once."""
    here, other = Tenants(ledger), Tenants(ledger)
    here.add("one")
    key = here.issue("one", CLIENT_SCOPES)
    assert here.caller(key) is not None
    {
        "revoke": lambda: other.revoke(id_of(key)),
        "rotate": lambda: other.rotate(id_of(key), overlap_hours=0),
        "limits": lambda: other.add("one", limits=Limits(requests_per_minute=1)),
        "policy": lambda: other.add("one", policy="strict"),
        "issue": lambda: other.issue("one", CLIENT_SCOPES),
    }[change]()
    assert here.known(key) is None
    again = here.caller(key)
    assert (again is None) == (change in ("revoke", "rotate"))
    assert again is None or (change == "limits") == (again.limits.requests_per_minute == 1)


def test_an_end_counts_to_the_moment(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that ends within the second in which it is known is not known past its end."""
    tenants = Tenants(ledger, Clock())
    tenants.add("one")
    key = tenants.issue("one", CLIENT_SCOPES, days=1)
    assert tenants.caller(key) is not None
    assert tenants.known(key) is not None
    later: datetime = now() + timedelta(days=1, seconds=1)
    monkeypatch.setattr(module, "now", lambda: later)
    assert tenants.known(key) is None


def test_memory_is_bounded(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many keys there are, only so many are known at a time."""
    monkeypatch.setattr(module, "_KNOWN_MOST", 3)
    tenants = Tenants(ledger)
    tenants.add("one")
    keys = [tenants.issue("one", CLIENT_SCOPES) for _ in range(5)]
    for key in keys:
        assert tenants.caller(key) is not None
    assert sum(tenants.known(key) is not None for key in keys) <= 3


def test_revoked_in_this_server(api_client: TestClient, api_keys: dict[str, str]) -> None:
    """A key that was used a moment ago and is revoked in the server's own process is refused with the next request."""
    headers = {"authorization": f"Bearer {api_keys['one']}"}
    assert [api_client.get("/v1/videos", headers=headers).status_code for _ in "ab"] == [200, 200]
    api_client.app.state.context.tenants.revoke(id_of(api_keys["one"]))  # type: ignore[attr-defined]
    assert api_client.get("/v1/videos", headers=headers).status_code == 401
