"""Review is a state, not an end: what a policy holds, a person approves or refuses, or it expires as refused.

An approved output is the very file that was looked at: its hash is compared before it is signed. The person's decision
stands in the ledger beside the policy's; the manifest cites it by its reference, and says nothing of who it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from assay.case import Approval
from assay.errors import JobNotFound, ReviewClosed
from assay.ledger import DecisionRow, HeldRow, Ledger, State, now
from assay.outcome import Asset, merged
from assay.request import Request
from assay.signing import Signer, origin_from_json
from provenance import Digests, GateRecord, HumanDecision
from safety import Action, Decision, Posture


@dataclass(frozen=True)
class Held:
    """One prompt or output that waits, with everything a reviewer needs to decide."""

    row: HeldRow
    decisions: tuple[Decision, ...]
    posture: Posture
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
    return Held(row, ledger.decisions(row.job), ledger.posture(row.job), job.request)


def refuse(ledger: Ledger, id: str, reviewer: str, reason: str) -> None:
    """A person refuses: the private file is deleted, the decision record stays."""
    one = _open(ledger, id)
    _close(ledger, one, _Word(reviewer, Action.BLOCK, reason))
    _delete(one.row)


def approve_output(ledger: Ledger, id: str, reviewer: str, reason: str, signer: Signer) -> Asset:
    """A person approves a held video: it is signed with both decisions and published where it was asked for."""
    one = _open(ledger, id)
    if one.row.path is None or one.row.sha256 is None:
        raise ReviewClosed(f"{id} holds a prompt, not an output")
    gate = GateRecord.of(one.decisions, merged(one.posture), _human(one))
    destination, origin = Path(one.row.context["destination"]), origin_from_json(one.row.context["origin"])
    judged = Digests(one.row.sha256, one.row.context.get("blocks"))
    asset = signer.release(Path(one.row.path), destination, origin, gate, judged)
    _close(ledger, one, _Word(reviewer, Action.ALLOW, reason))
    _delete(one.row)
    return asset


def approve_prompt(ledger: Ledger, id: str, reviewer: str, reason: str) -> tuple[Request, Approval]:
    """A person approves a held prompt: the request that may now be generated, and the approval it carries."""
    one = _open(ledger, id)
    if one.row.stage != "prompt":
        raise ReviewClosed(f"{id} holds an output, not a prompt")
    seen = frozenset(item.sha256 for item in ledger.examination(one.row.job).items)
    human = _human(one)
    _close(ledger, one, _Word(reviewer, Action.ALLOW, reason))
    return Request.from_json(one.row.context["request"]), Approval(human, seen)


@dataclass(frozen=True)
class _Word:
    """What a person said; it stands in the ledger and nowhere else."""

    reviewer: str
    action: Action
    reason: str


def _open(ledger: Ledger, id: str) -> Held:
    _expire(ledger)
    one = held(ledger, id)
    if one.row.state != "waiting":
        raise ReviewClosed(f"{id} is {one.row.state} already")
    if any(decision.action is Action.BLOCK for decision in one.decisions):
        raise ReviewClosed(f"{id} carries a block, which no review can lift")
    return one


def _human(one: Held) -> HumanDecision:
    """The approval as the manifest cites it: a reference into the ledger, and the decisions that it covers."""
    reviewed = frozenset(decision.id for decision in one.decisions if decision.action is Action.REVIEW)
    return HumanDecision(one.row.id, reviewed, datetime.now(UTC))


def _close(ledger: Ledger, one: Held, word: _Word) -> None:
    """Records the person's decision and ends the wait, in one transaction."""
    state = "approved" if word.action is Action.ALLOW else "refused"
    body = {"reviewer": word.reviewer, "action": word.action.word, "reason": word.reason}
    with ledger.write() as session:
        row = session.get(HeldRow, one.row.id, with_for_update=True)
        if row is None or row.state != "waiting":
            raise ReviewClosed(f"{one.row.id} was decided by somebody else meanwhile")
        row.state = state
        by_person = DecisionRow(
            job=row.job, decision=f"{row.id}-{state}", stage=row.stage, action=word.action.word, body=body, made=now()
        )
        session.add(by_person)
    ledger.settle(one.row.job, State.COMPLETED, action=word.action.word)


def _expire(ledger: Ledger) -> None:
    """Whatever nobody looked at in time is refused, and its file deleted."""
    with ledger.write() as session:
        late = session.scalars(select(HeldRow).where(HeldRow.state == "waiting", HeldRow.expires < now())).all()
        for row in late:
            row.state = "expired"
    for row in late:
        _delete(row)
        ledger.settle(row.job, State.COMPLETED, action="block", error="nobody reviewed it in time")


def _delete(row: HeldRow) -> None:
    """Removes the private file and whatever was kept with it."""
    if row.path is None:
        return
    for path in (row.path, *row.context["origin"]["inputs"]):
        Path(path).unlink(missing_ok=True)
