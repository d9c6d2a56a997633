"""Tenants and their API keys: made once, shown once, kept only as a hash.

A key reads `ak_<public id>_<secret>`. The public id finds the row; the secret has 256 bits, so that its plain SHA-256
can be neither reversed nor tried out, and it is compared in constant time. Rotation makes a second key and lets the old
one live a while, so that nobody has to be quick.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from assay.ledger import Ledger, now
from assay.schema import Table
from media import UsageError

SCOPES = ("videos:read", "videos:write", "moderations", "checks", "scans", "metrics", "reviews", "admin")
CLIENT_SCOPES = ("videos:read", "videos:write", "moderations", "checks", "scans")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_KEY = re.compile(r"ak_([0-9a-f]{16})_([0-9a-f]{64})\Z")
_NOBODY = hashlib.sha256(b"no such key").hexdigest()  # compared with where there is none, so that time says nothing
KNOWN_S = 1.0  # a key that was found is known for so long: one that another process revokes works no longer than that
_KNOWN_MOST = 4096  # keys at a time


class _Changes:
    """Counts what this process changes of tenants and keys: whatever was known before counts no longer."""

    number = 0
    lock = threading.Lock()


class TenantRow(Table):
    """Whose jobs and files are kept apart from everybody else's."""

    __tablename__ = "tenants"
    id: Mapped[str] = mapped_column(primary_key=True)
    policy: Mapped[str | None]  # None: that of the settings
    limits: Mapped[dict[str, Any]]  # names of `Limits`; what is missing is the settings'
    created: Mapped[datetime]
    disabled: Mapped[datetime | None]


class KeyRow(Table):
    """One API key; the secret itself is nowhere."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    secret_sha256: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[Any]]
    note: Mapped[str]
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    revoked: Mapped[datetime | None]


@dataclass(frozen=True)
class Limits:
    """What a tenant may ask for; None: what the settings say."""

    requests_per_minute: int | None = None
    active_jobs: int | None = None
    jobs_per_day: int | None = None


@dataclass(frozen=True)
class Caller:
    """Whoever holds a valid key: whose it is, what it opens, and (set by the request) for whom they act."""

    tenant: str
    key_id: str
    scopes: frozenset[str]
    policy: str | None = None
    limits: Limits = Limits()
    actor: str | None = None  # a pseudonym, never what the client sent
    former: tuple[str, ...] = ()  # the actor's pseudonyms under earlier keys

    def may(self, scope: str) -> bool:
        """True where the key opens that; `admin` opens everything of its own installation."""
        return scope in self.scopes or "admin" in self.scopes


class Tenants:
    """Tenants and keys in a ledger."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._clock = ledger, clock
        self._known: dict[bytes, tuple[int, float, datetime | None, Caller]] = {}  # by the key's hash
        self._lock = threading.Lock()

    def add(self, id: str, *, policy: str | None = None, limits: Limits | None = None) -> None:
        """A tenant, or new terms for an existing one. Raises UsageError for a name that is none."""
        if not _NAME.match(id):
            raise UsageError(f"tenant {id!r:.80}: use lower-case letters, digits and hyphens, at most 63")
        asked = {name: value for name, value in vars(limits or Limits()).items() if value is not None}
        with self._changing() as session:
            row = session.get(TenantRow, id)
            if row is None:
                session.add(TenantRow(id=id, policy=policy, limits=asked, created=now()))
                return
            row.policy = policy if policy is not None else row.policy
            row.limits = row.limits | asked

    def issue(self, tenant: str, scopes: tuple[str, ...], *, note: str = "", days: float | None = None) -> str:
        """A new key; the return value is the only time that it is seen."""
        if unknown := sorted(set(scopes) - set(SCOPES)):
            raise UsageError(f"scopes {', '.join(unknown)}: known are {', '.join(SCOPES)}")
        id, secret = secrets.token_hex(8), secrets.token_hex(32)
        with self._changing() as session:
            if session.get(TenantRow, tenant) is None:
                raise UsageError(f"tenant {tenant!r:.80}: there is none; `assay keys api create` makes it")
            until = None if days is None else now() + timedelta(days=days)
            row = KeyRow(id=id, tenant=tenant, secret_sha256=_hash(secret), note=note, created=now(), expires=until)
            row.scopes = sorted(set(scopes))
            session.add(row)
        return f"ak_{id}_{secret}"

    def rotate(self, key_id: str, *, overlap_hours: float = 24.0) -> str:
        """A new key with the same scopes; the old one ends after the overlap."""
        old = self._row(key_id)
        if old.revoked is not None:
            raise UsageError(f"key {key_id} was revoked; create a new one")
        made = self.issue(old.tenant, tuple(old.scopes), note=old.note)
        with self._changing() as session:
            row = session.get_one(KeyRow, key_id)
            ends = now() + timedelta(hours=overlap_hours)
            row.expires = ends if row.expires is None else min(row.expires, ends)
        return made

    def revoke(self, key_id: str) -> None:
        """Ends a key now."""
        self._row(key_id)
        with self._changing() as session:
            session.get_one(KeyRow, key_id).revoked = now()

    def listed(self) -> list[dict[str, Any]]:
        """Every key with its state; no secret and no hash."""
        with Session(self._ledger.engine) as session:
            rows = session.scalars(select(KeyRow).order_by(KeyRow.created)).all()
            return [
                {
                    "id": row.id, "tenant": row.tenant, "scopes": row.scopes, "note": row.note, "state": _state(row),
                    "created": f"{row.created.isoformat()}Z",
                    "expires": f"{row.expires.isoformat()}Z" if row.expires else None,
                }
                for row in rows
            ]  # fmt: skip

    def known(self, key: str, within_s: float = KNOWN_S) -> Caller | None:
        """Who holds this key, where that was found out within the last second; asks no database.

        None where it has to be asked: for every key that is wrong, too.
        """
        change, when, until, caller = self._known.get(_digest(key), (-1, 0.0, None, None))
        fresh = change == _Changes.number and self._clock() - when < within_s
        return caller if fresh and (until is None or now() <= until) else None

    @staticmethod
    def question(key: str) -> Hashable:
        """A name for the question who holds this key: another one once this process has changed a tenant or a key."""
        return "key", _digest(key), _Changes.number

    def caller(self, key: str) -> Caller | None:
        """Who holds this key; None where nobody does. Takes as long for a wrong secret as for a wrong id."""
        change, when = _Changes.number, self._clock()  # as of before it was read
        match = _KEY.match(key)
        id, secret = match.groups() if match else ("0" * 16, "0" * 64)
        with Session(self._ledger.engine) as session:
            row = session.get(KeyRow, id)
            owner = session.get(TenantRow, row.tenant if row else "")
            same = hmac.compare_digest(_hash(secret), row.secret_sha256 if row else _NOBODY)
            if not same or match is None or row is None or owner is None:
                return None
            if _state(row) != "active" or owner.disabled is not None:
                return None
            found = Caller(row.tenant, row.id, frozenset(row.scopes), owner.policy, Limits(**owner.limits))
            self._keep(_digest(key), (change, when, row.expires, found))
        return found

    def _keep(self, digest: bytes, known: tuple[int, float, datetime | None, Caller]) -> None:
        with self._lock:
            if len(self._known) >= _KNOWN_MOST:
                self._known.clear()
            self._known[digest] = known

    @contextmanager
    def _changing(self) -> Iterator[Session]:
        """A transaction after which this process knows nothing of before."""
        try:
            with self._ledger.write() as session:
                yield session
        finally:
            with _Changes.lock:
                _Changes.number += 1

    def _row(self, key_id: str) -> KeyRow:
        with Session(self._ledger.engine, expire_on_commit=False) as session:
            row = session.get(KeyRow, key_id)
        if row is None:
            raise UsageError(f"key {key_id!r:.40}: there is none; `assay keys api list` shows them")
        return row


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _state(row: KeyRow) -> str:
    if row.revoked is not None:
        return "revoked"
    return "expired" if row.expires is not None and row.expires < now() else "active"
