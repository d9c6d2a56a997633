"""Delivery of webhooks from the outbox: each event again and again, ever more rarely, until somebody takes it.

Any number of processes may deliver; an attempt is claimed before it is made. A process that dies in one leaves the row
due again a little later, so an event may arrive twice and is never lost.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from assay.addresses import TargetRefused, target
from assay.endpoints import Endpoints
from assay.ledger import now
from assay.outbox import EndpointRow, OutboxRow
from assay.webhooks import headers
from media import AssayError

# Seconds to the next attempt, after the first, the second, ...: about three days in all.
BACK_OFF_S = (5, 60, 300, 1800, 7200, 18_000, 36_000, 50_400, 57_600, 86_400)
CLAIM = timedelta(seconds=60)  # an attempt that takes longer is made again; longer than any time-out
_FURTHEST = timedelta(seconds=2 * max(BACK_OFF_S))  # nothing is due later than this, unless the clock was set back
_AT_ONCE = 32


class Send(Protocol):
    """Posts a body and returns the status. Raises OSError or AssayError where no answer came."""

    def __call__(self, url: str, body: bytes, given: Mapping[str, str]) -> int:
        """One attempt."""
        ...


@dataclass(frozen=True)
class Delivered:
    """What came of the attempts of one round."""

    taken: int = 0
    failed: int = 0
    given_up: int = 0


def deliver_due(endpoints: Endpoints, send: Send, clock: Callable[[], float] = time.time) -> Delivered:
    """One attempt for every event that is due."""
    counts = {"taken": 0, "failed": 0, "given_up": 0}
    while keys := _due(endpoints):
        for key in keys:
            if (claimed := _claim(endpoints, key)) is not None:
                counts[_attempt(endpoints, send, claimed, clock)] += 1
    return Delivered(**counts)


def http_sender(endpoints: Endpoints, timeout_s: float) -> Send:
    """Sends over HTTP to the address that was looked at: no proxy, no redirect, and the answer's body is not read."""
    import httpx

    def send(url: str, body: bytes, given: Mapping[str, str]) -> int:
        goal = target(url, endpoints.allowed)
        try:
            with httpx.Client(timeout=timeout_s, trust_env=False, follow_redirects=False) as client:
                request = client.build_request(
                    "POST", goal.pinned, content=body, headers={**given, "host": goal.netloc},
                    extensions={"sni_hostname": goal.host},
                )  # fmt: skip
                answer = client.send(request, stream=True)
                answer.close()
                return answer.status_code
        except httpx.HTTPError as error:
            raise ConnectionError(type(error).__name__) from error

    return send


def _due(endpoints: Endpoints) -> list[int]:
    at = now()
    when = or_(OutboxRow.due <= at, OutboxRow.due > at + _FURTHEST)
    query = select(OutboxRow.key).where(OutboxRow.state == "waiting", when).order_by(OutboxRow.due).limit(_AT_ONCE)
    with Session(endpoints.ledger.engine) as session:
        return list(session.scalars(query))


def _claim(endpoints: Endpoints, key: int) -> tuple[OutboxRow, EndpointRow] | None:
    """The row, with its attempt counted, or None where another process has it."""
    with Session(endpoints.ledger.engine, expire_on_commit=False) as session:
        row = session.get(OutboxRow, key)
        endpoint = session.get(EndpointRow, row.endpoint) if row else None
    if row is None or endpoint is None or row.state != "waiting":
        return None
    same = (OutboxRow.key == key) & (OutboxRow.attempts == row.attempts) & (OutboxRow.state == "waiting")
    with endpoints.ledger.write() as session:
        changed: Any = session.execute(
            update(OutboxRow).where(same).values(attempts=row.attempts + 1, due=now() + CLAIM)
        )
        if changed.rowcount != 1:
            return None
    row.attempts += 1
    return row, endpoint


def _attempt(
    endpoints: Endpoints, send: Send, claimed: tuple[OutboxRow, EndpointRow], clock: Callable[[], float]
) -> str:
    row, endpoint = claimed
    if endpoint.disabled is not None:
        return _close(endpoints, row, "given-up", "the endpoint is disabled")
    body = row.body.encode("ascii")
    try:
        signed = headers(row.event, body, endpoints.secrets(endpoint), clock())
        status = send(endpoint.url, body, {**signed, "content-type": "application/json", "user-agent": "assay"})
    except TargetRefused as error:
        said = f"not opened: {error}"
    except (OSError, AssayError) as error:
        said = type(error).__name__
    else:
        if 200 <= status < 300:
            return _close(endpoints, row, "delivered", str(status))
        if status == 410:
            _disable(endpoints, endpoint.id, "it answered 410 Gone")
            return _close(endpoints, row, "given-up", "410")
        said = str(status)
    if row.attempts > len(BACK_OFF_S):
        _disable(endpoints, endpoint.id, f"nothing was taken in {row.attempts} attempts; the last: {said}")
        return _close(endpoints, row, "given-up", said)
    return _later(endpoints, row, said)


def _later(endpoints: Endpoints, row: OutboxRow, said: str) -> str:
    wait = BACK_OFF_S[row.attempts - 1] * random.uniform(0.9, 1.1)  # so that not everybody comes back at once
    _set(endpoints, row.key, due=now() + timedelta(seconds=wait), last=said)
    return "failed"


def _close(endpoints: Endpoints, row: OutboxRow, state: str, said: str) -> str:
    _set(endpoints, row.key, state=state, ended=now(), last=said)
    return "taken" if state == "delivered" else "given_up"


def _set(endpoints: Endpoints, key: int, **values: str | datetime) -> None:
    with endpoints.ledger.write() as session:
        session.execute(update(OutboxRow).where(OutboxRow.key == key).values(**values))


def _disable(endpoints: Endpoints, id: str, why: str) -> None:
    with endpoints.ledger.write() as session:
        session.execute(update(EndpointRow).where(EndpointRow.id == id).values(disabled=now(), why_disabled=why))
