"""Endpoints of webhooks: added by a tenant, each with a secret that is shown once and lies sealed in the ledger."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from assay import sealed
from assay.addresses import Openable, target
from assay.errors import JobNotFound
from assay.ledger import Ledger, new_id, now
from assay.outbox import EndpointRow, OutboxRow
from assay.webhooks import key_of, new_secret
from media import UsageError

MOST = 10  # of one tenant
OVERLAP = timedelta(hours=24)  # while an exchanged secret still signs


@dataclass(frozen=True)
class Endpoints:
    """The endpoints of an installation. The key that opens their secrets is made when the first one is added."""

    ledger: Ledger
    key_path: Path
    allowed: Openable = field(default_factory=Openable)

    def add(self, tenant: str, url: str, secret: str | None = None) -> tuple[str, str]:
        """A new endpoint: its id, and its secret, which is not shown again. TargetRefused for a URL not opened."""
        target(url, self.allowed)
        secret = secret or new_secret()
        key_of(secret)
        id, key = new_id("whe"), sealed.load_key(self.key_path, create=True)
        with self.ledger.write() as session:
            there = session.scalar(select(func.count()).where(EndpointRow.tenant == tenant))
            if (there or 0) >= MOST:
                raise UsageError(f"a tenant has at most {MOST} endpoints; remove one first")
            session.add(EndpointRow(id=id, tenant=tenant, url=url, secret=_sealed(key, id, secret), created=now()))
        return id, secret

    def of(self, tenant: str) -> list[dict[str, Any]]:
        """A tenant's endpoints, without their secrets, oldest first."""
        with Session(self.ledger.engine) as session:
            rows = session.scalars(
                select(EndpointRow).where(EndpointRow.tenant == tenant).order_by(EndpointRow.created, EndpointRow.id)
            ).all()
            return [_shown(row) for row in rows]

    def rotate(self, tenant: str, id: str) -> str:
        """A new secret; for a day both sign, so that the receiver has time to take the new one."""
        secret = new_secret()
        with self.ledger.write() as session:
            row = _mine(session, tenant, id)  # first: where there is no endpoint there may be no key either
            key = sealed.load_key(self.key_path, create=False)
            row.retired, row.retired_until = row.secret, now() + OVERLAP
            row.secret = _sealed(key, id, secret)
        return secret

    def enable(self, tenant: str, id: str) -> None:
        """Lets an endpoint that was given up on be told again."""
        with self.ledger.write() as session:
            row = _mine(session, tenant, id)
            row.disabled, row.why_disabled = None, None

    def remove(self, tenant: str, id: str) -> None:
        """Removes an endpoint and what was waiting for it."""
        with self.ledger.write() as session:
            row = _mine(session, tenant, id)
            for event in session.scalars(select(OutboxRow).where(OutboxRow.endpoint == id)):
                session.delete(event)
            session.flush()
            session.delete(row)

    def secrets(self, row: EndpointRow) -> tuple[str, ...]:
        """The secrets that sign for an endpoint, newest first; SealBroken or SealKeyUnusable where they are shut."""
        key = sealed.load_key(self.key_path, create=False)
        both = [row.secret]
        if row.retired is not None and row.retired_until is not None and now() < row.retired_until:
            both.append(row.retired)
        return tuple(_opened(key, row.id, each) for each in both)


def _mine(session: Session, tenant: str, id: str) -> EndpointRow:
    row = session.get(EndpointRow, id)
    if row is None or row.tenant != tenant:
        raise JobNotFound(f"no endpoint with id {id[:80]!r}")
    return row


def _shown(row: EndpointRow) -> dict[str, Any]:
    return {
        "id": row.id, "object": "webhook.endpoint", "url": row.url, "created_at": _seconds(row.created),
        "enabled": row.disabled is None, "why_disabled": row.why_disabled,
    }  # fmt: skip


def _seconds(at: Any) -> int:
    from datetime import UTC

    return int(at.replace(tzinfo=UTC).timestamp())


def _sealed(key: bytes, id: str, secret: str) -> bytes:
    box = io.BytesIO()
    sealed.seal([secret.encode()], box, key, f"webhook {id}".encode())
    return box.getvalue()


def _opened(key: bytes, id: str, box: bytes) -> str:
    return b"".join(sealed.opened(io.BytesIO(box), key, f"webhook {id}".encode())).decode()
