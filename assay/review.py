"""Review is a state, not an end: what a policy holds, a person approves or refuses, or it expires as refused.

An approved output is the very file that was looked at: its hash is compared before it is signed. The person's decision is
recorded beside the policy's and goes into the manifest, by pseudonym.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from assay.errors import JobNotFound, ReviewClosed
from assay.ledger import DecisionRow, HeldRow, Ledger, State, now
from assay.outcome import Asset
from assay.request import Request
from media import AssayError
from provenance import GateRecord, Origin, Signer, publish
from safety import Action, Decision, HumanDecision, PostureEntry


@dataclass(frozen=True)
class Held:
    """One prompt or output that waits, with everything a reviewer needs to decide."""

    row: HeldRow
    decisions: tuple[Decision, ...]
    posture: tuple[PostureEntry, ...]
    request: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """One line of `assay review list|show --json`."""
        return {
            "id": self.row.id, "job": self.row.job, "stage": self.row.stage, "state": self.row.state,
            "prompt": self.request.get("prompt"), "path": self.row.path,
            "created": f"{self.row.created.isoformat()}Z", "expires": f"{self.row.expires.isoformat()}Z",
            "decisions": [decision.to_json() for decision in self.decisions],
        }  # fmt: skip


def waiting(ledger: Ledger) -> list[Held]:
    """What waits for a person, oldest first; what has waited too long is refused first."""
    _expire(ledger)
    with Session(ledger.engine) as session:
        ids = session.scalars(select(HeldRow.id).where(HeldRow.state == "waiting").order_by(HeldRow.created)).all()
    return [held(ledger, id) for id in ids]


def held(ledger: Ledger, id: str) -> Held:
    """One held thing, whatever its state; JobNotFound where there is none."""
    with Session(ledger.engine, expire_on_commit=False) as session:
        row = session.get(HeldRow, id)
    if row is None:
        raise JobNotFound(f"{id}: no such review in this ledger; `assay review list` shows what waits")
    job = ledger.job(row.job)
    decisions = tuple(Decision.from_json(one.body) for one in job.decisions if one.policy_digest is not None)
    return Held(row, decisions, ledger.posture(row.job), job.request)


def refuse(ledger: Ledger, id: str, reviewer: str, reason: str) -> None:
    """A person refuses: the private file is deleted, the decision record stays."""
    one = _open(ledger, id)
    _close(ledger, one, "refused", _human(one, reviewer, Action.BLOCK, reason))
    if one.row.path is not None:
        Path(one.row.path).unlink(missing_ok=True)


def approve_output(ledger: Ledger, id: str, reviewer: str, reason: str, signer: Signer) -> Asset:
    """A person approves a held video: it is signed with both decisions and published where it was asked for."""
    one = _open(ledger, id)
    if one.row.path is None or one.row.sha256 is None:
        raise ReviewClosed(f"{id} holds a prompt, not an output")
    human = _human(one, reviewer, Action.ALLOW, reason)
    gate = GateRecord.of(one.decisions, one.posture, human)
    destination, origin = Path(one.row.context["destination"]), Origin.from_json(one.row.context["origin"])
    signed = publish(Path(one.row.path), destination, origin, gate, signer, expected_sha256=one.row.sha256)
    _close(ledger, one, "approved", human)
    Path(one.row.path).unlink(missing_ok=True)
    return Asset(destination, signed.sha256, signed.credentials.state)


def approve_prompt(ledger: Ledger, id: str, reviewer: str, reason: str) -> tuple[Request, HumanDecision]:
    """A person approves a held prompt: the request that may now be generated, and the approval it carries."""
    one = _open(ledger, id)
    if one.row.stage != "prompt":
        raise ReviewClosed(f"{id} holds an output, not a prompt")
    human = _human(one, reviewer, Action.ALLOW, reason)
    _close(ledger, one, "approved", human)
    return Request.from_json(one.row.context["request"]), human


def _open(ledger: Ledger, id: str) -> Held:
    _expire(ledger)
    one = held(ledger, id)
    if one.row.state != "waiting":
        raise ReviewClosed(f"{id} is {one.row.state} already")
    if any(decision.action is Action.BLOCK for decision in one.decisions):
        raise AssayError(f"{id} carries a block, which no review can lift")
    return one


def _human(one: Held, reviewer: str, action: Action, reason: str) -> HumanDecision:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    about = tuple(decision.id for decision in one.decisions if decision.action is Action.REVIEW)
    return HumanDecision(reviewer, action, reason, at, about)


def _close(ledger: Ledger, one: Held, state: str, human: HumanDecision) -> None:
    """Records the person's decision and ends the wait, in one transaction."""
    with ledger.write() as session:
        row = session.get(HeldRow, one.row.id, with_for_update=True)
        if row is None or row.state != "waiting":
            raise ReviewClosed(f"{one.row.id} was decided by somebody else meanwhile")
        row.state = state
        session.add(
            DecisionRow(
                job=row.job,
                decision=f"{row.id}-{state}",
                stage=row.stage,
                action=human.action.word,
                policy_digest=None,
                scoring_digest=None,
                body=human.to_json(),
                made=now(),
            )  # fmt: skip
        )
    action = "allow" if human.action is Action.ALLOW else "block"
    ledger.settle(one.row.job, State.COMPLETED, action=action)


def _expire(ledger: Ledger) -> None:
    """Whatever nobody looked at in time is refused, and its file deleted."""
    with ledger.write() as session:
        late = session.scalars(select(HeldRow).where(HeldRow.state == "waiting", HeldRow.expires < now())).all()
        for row in late:
            row.state = "expired"
            if row.path is not None:
                Path(row.path).unlink(missing_ok=True)
    for row in late:
        ledger.settle(row.job, State.COMPLETED, action="block", error="nobody reviewed it in time")
