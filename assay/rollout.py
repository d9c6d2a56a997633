"""Policies at run time: which one acts, which ones only watch, and how a new one takes over step by step.

A roll-out is a row of the ledger, so every server and worker sees a new one with its next request, without a restart.
Policies are kept whole, under their digest, in files that never change: a job runs under the document that it was
accepted with, whatever is rolled out meanwhile, and its decisions cite that version.

    acting       the policy's digest; None: the policy of the settings
    candidate    a policy that acts for `percent` of requests, chosen by a hash of the request's id
    shadows      policies that judge what was recorded and never act; where they differ is counted
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from assay.auditing.noting import note
from assay.ledger import Ledger, PolicyRow, now
from assay.metrics import write_textfile
from assay.schema import Table
from media import UsageError
from safety import Policy, PolicyError


class RolloutRow(Table):
    """A roll-out; the newest counts, for its tenant or for all that have none of their own."""

    __tablename__ = "rollouts"
    key: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str | None] = mapped_column(String(63), index=True)
    body: Mapped[dict[str, Any]]
    by: Mapped[str]
    made: Mapped[datetime]


@dataclass(frozen=True)
class Rollout:
    """See the module."""

    acting: str | None = None
    candidate: str | None = None
    percent: float = 0.0
    shadows: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0.0 <= self.percent <= 100.0:
            raise UsageError(f"percent {self.percent:g}: a share lies between 0 and 100")
        if self.percent and self.candidate is None:
            raise UsageError("a share needs the candidate that it is for")

    @property
    def digests(self) -> tuple[str, ...]:
        """Every policy it names."""
        return tuple(each for each in (self.acting, self.candidate, *self.shadows) if each)

    def acts_for(self, request_id: str) -> str | None:
        """The digest of the policy that acts for a request: the same for the same id, whoever asks, whenever.

        A larger share keeps every request that a smaller one had.
        """
        if self.candidate is None:
            return self.acting
        return self.candidate if _bucket(self.candidate, request_id) < self.percent / 100.0 else self.acting


def current(ledger: Ledger, tenant: str | None = None) -> Rollout:
    """What counts now, for a tenant or for everybody; without any, the policy of the settings acts alone."""
    newest = select(RolloutRow.body).order_by(RolloutRow.key.desc()).limit(1)
    with Session(ledger.engine) as session:
        own = session.scalars(newest.where(RolloutRow.tenant == tenant)).first() if tenant else None
        body = own or session.scalars(newest.where(RolloutRow.tenant.is_(None))).first()
    return Rollout(**{**body, "shadows": tuple(body["shadows"])}) if body else Rollout()


def keep(ledger: Ledger, folder: Path, policy: Policy) -> str:
    """Keeps a policy under its digest, in the ledger and as a file; returns the digest."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = file_of(folder, policy.digest)
    if not path.exists():
        write_textfile(path, json.dumps(policy.document()))  # JSON is YAML; whole or not at all
    with ledger.write() as session:
        session.merge(PolicyRow(digest=policy.digest, document=policy.document()))
    return policy.digest


def file_of(folder: Path, digest: str) -> Path:
    """Where a kept policy lies."""
    return folder / f"{digest}.yaml"


def roll_out(ledger: Ledger, folder: Path, rollout: Rollout, by: str, tenant: str | None = None) -> None:
    """Puts a roll-out in force at once. CorruptRecord where a policy that it names is not kept, or was changed."""
    for digest in rollout.digests:
        load(ledger, folder, digest)
    body = {**asdict(rollout), "shadows": list(rollout.shadows)}
    with ledger.write() as session:
        session.add(RolloutRow(tenant=tenant, body=body, by=by, made=now()))
        note(session, "policy", tenant or "all", {**body, "by": by}, rollout.acting)


def load(ledger: Ledger, folder: Path, digest: str) -> Policy:
    """A kept policy, proved by its digest. The file is written anew where only the ledger has it."""
    path = file_of(folder, digest)
    with contextlib.suppress(PolicyError, FileNotFoundError, ValueError):
        stat = path.stat()
        if (policy := _read(path, stat.st_mtime_ns, stat.st_size)).digest == digest:
            return policy
    policy = ledger.policy(digest)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_textfile(path, json.dumps(policy.document()))
    return policy


@lru_cache(maxsize=16)
def _read(path: Path, _modified: int, _size: int) -> Policy:
    """A policy's file, read once as long as it is not touched."""
    return Policy.from_document(json.loads(path.read_bytes()), str(path))


def policy_name(ledger: Ledger, folder: Path, request_id: str, tenant: str | None = None) -> str | None:
    """What a job is accepted with (`JobRow.policy`): the file of the policy that acts; None: that of the settings."""
    digest = current(ledger, tenant).acts_for(request_id)
    if digest is None:
        return None
    load(ledger, folder, digest)
    return str(file_of(folder, digest))


def history(ledger: Ledger, most: int = 50) -> list[RolloutRow]:
    """Roll-outs, newest first."""
    with Session(ledger.engine, expire_on_commit=False) as session:
        return list(session.scalars(select(RolloutRow).order_by(RolloutRow.key.desc()).limit(most)))


def known(ledger: Ledger) -> list[dict[str, Any]]:
    """Every policy that the ledger keeps: digest, id, version, and how many decisions cite it."""
    from assay.ledger import DecisionRow

    counted = select(DecisionRow.policy_digest, func.count()).group_by(DecisionRow.policy_digest)
    with Session(ledger.engine) as session:
        counts = {row[0]: row[1] for row in session.execute(counted)}
        rows = session.scalars(select(PolicyRow).order_by(PolicyRow.digest)).all()
        return [
            {"digest": row.digest, "id": row.document.get("id"), "version": row.document.get("version"),
             "decisions": counts.get(row.digest, 0)}
            for row in rows
        ]  # fmt: skip


def _bucket(candidate: str, request_id: str) -> float:
    """Where a request falls in [0, 1), for this candidate; another candidate shuffles anew."""
    hashed = hashlib.sha256(f"{candidate}\0{request_id}".encode()).digest()
    return int.from_bytes(hashed[:8], "big") / 2**64
