"""Review is a state, not an end: what a policy holds, a person approves or refuses, or it expires as refused.

An approved output is the very file that was looked at: its hash is compared before it is signed. The person's decision
stands in the ledger beside the policy's; the manifest cites it by its reference, and says nothing of who it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from assay.case import Approval
from assay.errors import JobNotFound, ReviewClosed
from assay.ledger import Brought, DecisionRow, HeldRow, JobRow, Ledger, State, now
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
    expire(ledger)
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
    _close(ledger, one, _Word(reviewer, Action.ALLOW, reason), asset)
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


def requeue(ledger: Ledger, id: str, reviewer: str, reason: str) -> None:
    """A person approves a held prompt of a job that came by the queue: a worker takes it up again, with the approval.

    Raises ReviewClosed where it is no prompt, or not of the queue.
    """
    one = _open(ledger, id)
    if one.row.stage != "prompt" or not by_queue(ledger, one):
        raise ReviewClosed(f"{id} holds no prompt of a queued job")
    seen = sorted(item.sha256 for item in ledger.examination(one.row.job).items)
    human = _human(one)
    approval = {"reference": human.reference, "approves": sorted(human.approves), "at": human.at.isoformat()}
    with ledger.write() as session:
        job = _end_wait(session, one, _Word(reviewer, Action.ALLOW, reason))
        job.state, job.approval, job.updated = State.QUEUED, approval | {"seen": seen}, now()
        job.attempts_allowed = job.attempt + max(job.attempts_allowed, 1)  # the attempts before led to a person


def by_queue(ledger: Ledger, one: Held) -> bool:
    """True where workers take up the job, and nobody waits for it at a terminal."""
    return ledger.job(one.row.job).wire is not None


def approval_of(stored: dict[str, Any] | None) -> Approval | None:
    """An approval as `requeue` stored it."""
    if stored is None:
        return None
    at = datetime.fromisoformat(stored["at"])
    human = HumanDecision(stored["reference"], frozenset(stored["approves"]), at)
    return Approval(human, frozenset(stored["seen"]))


@dataclass(frozen=True)
class _Word:
    """What a person said; it stands in the ledger and nowhere else."""

    reviewer: str
    action: Action
    reason: str


def _open(ledger: Ledger, id: str) -> Held:
    expire(ledger)
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


def _close(ledger: Ledger, one: Held, word: _Word, asset: Asset | None = None) -> None:
    """Records the person's decision and ends the wait and the job, in one transaction."""
    with ledger.write() as session:
        job = _end_wait(session, one, word)
        brought = Brought(asset=asset.to_json() if asset else None)
        ledger.settle_in(session, job.id, State.COMPLETED, action=word.action.word, error=None, brought=brought)


def _end_wait(session: Session, one: Held, word: _Word) -> JobRow:
    """The person's decision, and the held row closed; ReviewClosed where somebody else was quicker. Gives the job."""
    state = "approved" if word.action is Action.ALLOW else "refused"
    waits = (HeldRow.id == one.row.id) & (HeldRow.state == "waiting")
    ended: Any = session.execute(update(HeldRow).where(waits).values(state=state))
    if ended.rowcount != 1:
        raise ReviewClosed(f"{one.row.id} was decided by somebody else meanwhile")
    body = {"reviewer": word.reviewer, "action": word.action.word, "reason": word.reason}
    job = session.get_one(JobRow, one.row.job)
    by_person = DecisionRow(
        job=job.id, attempt=job.attempt, decision=f"{one.row.id}-{state}", stage=one.row.stage,
        action=word.action.word, body=body, made=now(),
    )  # fmt: skip
    session.add(by_person)
    return job


def expire(ledger: Ledger) -> None:
    """Whatever nobody looked at in time is refused, and its file deleted."""
    late = HeldRow.state == "waiting"
    with Session(ledger.engine, expire_on_commit=False) as session:
        rows = session.scalars(select(HeldRow).where(late, HeldRow.expires < now())).all()
    for row in rows:
        close_waiting(ledger, row, "expired", "nobody reviewed it in time")


def close_waiting(ledger: Ledger, row: HeldRow, state: str, error: str) -> bool:
    """Ends a wait without a person: the job as refused, its private file deleted. False where it had ended already."""
    with ledger.write() as session:
        waits = (HeldRow.id == row.id) & (HeldRow.state == "waiting")
        ended: Any = session.execute(update(HeldRow).where(waits).values(state=state))
        if ended.rowcount == 1:
            ledger.settle_in(session, row.job, State.COMPLETED, action="block", error=error, brought=Brought())
    if ended.rowcount == 1:
        _delete(row)
    return bool(ended.rowcount == 1)


def _delete(row: HeldRow) -> None:
    """Removes the private file and whatever was kept with it."""
    if row.path is None:
        return
    for path in (row.path, *row.context["origin"]["inputs"]):
        Path(path).unlink(missing_ok=True)
