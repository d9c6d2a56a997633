"""What tenants are told: events, written in the transaction of what they speak of, one row for each endpoint.

An event that is not in the outbox did not happen, and one that is will be delivered or given up on in the open
(`assay.delivery`). Its id is the same at every attempt, so that a receiver can tell a repetition.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from assay.schema import Table

EVENTS = ("video.completed", "video.failed")


class EndpointRow(Table):
    """Where a tenant wants to be told, and the secret that signs, sealed with the installation's key."""

    __tablename__ = "webhook_endpoints"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(63), index=True)
    url: Mapped[str]
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    retired: Mapped[bytes | None] = mapped_column(LargeBinary)  # the secret before, which signs as well until then
    retired_until: Mapped[datetime | None]
    created: Mapped[datetime]
    disabled: Mapped[datetime | None]
    why_disabled: Mapped[str | None]


class OutboxRow(Table):
    """One event for one endpoint."""

    __tablename__ = "webhook_outbox"
    key: Mapped[int] = mapped_column(primary_key=True)
    event: Mapped[str] = mapped_column(String(40), index=True)  # the `webhook-id`
    endpoint: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.id"), index=True)
    type: Mapped[str] = mapped_column(String(40))
    body: Mapped[str]  # the very bytes that are signed and sent, ASCII
    state: Mapped[str] = mapped_column(String(10), default="waiting")  # waiting, delivered, given-up
    attempts: Mapped[int] = mapped_column(default=0)
    due: Mapped[datetime]
    created: Mapped[datetime]
    ended: Mapped[datetime | None]
    last: Mapped[str | None]  # what came of the last attempt: a status, or an error's name; never a body
    __table_args__ = (Index("ix_webhook_outbox_due", "state", "due"),)


def announce(session: Session, ended: Iterable[tuple[str, str, str]]) -> None:
    """Tells of jobs that ended: (job, tenant, event type) each, within the transaction that ends them.

    A tenant without an endpoint is told nothing; that is no event lost.
    """
    for job, tenant, kind in ended:
        listening = select(EndpointRow.id).where(EndpointRow.tenant == tenant, EndpointRow.disabled.is_(None))
        _post(session, session.scalars(listening).all(), job, kind)


def _post(session: Session, endpoints: Sequence[str], job: str, kind: str) -> None:
    now = datetime.now(UTC)
    event = f"evt_{secrets.token_hex(12)}"
    content = {"id": event, "object": "event", "type": kind, "created_at": int(now.timestamp()), "data": {"id": job}}
    plain = now.replace(tzinfo=None)
    for endpoint in endpoints:
        row = OutboxRow(event=event, endpoint=endpoint, type=kind, body=json.dumps(content), state="waiting")
        row.attempts, row.due, row.created = 0, plain, plain
        session.add(row)
