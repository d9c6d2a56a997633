"""Erasing the words of a job: prompt, what rules cite of it, plain hashes of it, and the salt of its entry.

What was decided stays: actions, rules, categories, scores, posture, policy. The chain stays whole: it has salted hashes
only, and that something was erased, and when, is an entry of its own. With the salt kept ("hashed"), whoever has the
words can still prove that they were these; without it nobody can.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from assay.auditing.noting import note, without_texts
from assay.auditing.tables import EntryRow, OpeningRow
from assay.ledger import DecisionRow, HeldRow, ItemRow, JobRow, Ledger, State, now

Left = Literal["hashed", "none"]
_TEXTS = ("prompt", "negative_prompt", "storyboard", "written_out")  # of a request
_ENDED = (State.COMPLETED, State.FAILED)
_NO_HASH = "0" * 64


def erase_words(session: Session, job: str, left: Left, why: str) -> bool:
    """Erases within a transaction; False where nothing was left to erase, or the law keeps it."""
    row = session.get(JobRow, job)
    if row is None or row.legal_hold or row.request.get("erased"):
        return False
    row.request = {**{name: value for name, value in row.request.items() if name not in _TEXTS}, "erased": True}
    row.wire = None if row.wire is None else {name: value for name, value in row.wire.items() if name not in _TEXTS}
    for decision in session.scalars(select(DecisionRow).where(DecisionRow.job == job)):
        if decision.policy_digest is not None:
            decision.body = without_texts(decision.body) | {"erased": True}
    for item in session.scalars(select(ItemRow).where(ItemRow.job == job)):
        _unname(item)
    for held in session.scalars(select(HeldRow).where(HeldRow.job == job)):
        held.context = {name: value for name, value in held.context.items() if name != "request"}
    _erase_openings(session, job, left, why)
    return True


def erase_ended(ledger: Ledger, left: Left, most: int = 100) -> int:
    """Erases the words of jobs that have ended, where the settings say that they are not kept; how many there were."""
    waits = JobRow.state.in_(_ENDED) & JobRow.legal_hold.is_(False)
    waits &= JobRow.request["erased"].as_boolean().is_(None) & (JobRow.kind == "generate")
    with Session(ledger.engine) as session:
        jobs = session.scalars(select(JobRow.id).where(waits).order_by(JobRow.updated).limit(most)).all()
    done = 0
    for job in jobs:
        with ledger.write() as session:
            done += erase_words(session, job, left, f"prompts = {left}")
    return done


def erase_ended_job(session: Session, job: str, left: Left) -> None:
    """Erases the words of one job, if it has ended."""
    session.flush()
    if session.scalars(select(JobRow.state).where(JobRow.id == job)).first() in _ENDED:
        erase_words(session, job, left, f"prompts = {left}")


def proves(ledger: Ledger, entry: str, record: str) -> bool:
    """True where a record that somebody shows is the one that an erased entry commits to; its salt must be kept."""
    from assay.auditing.noting import commitment

    with Session(ledger.engine) as session:
        row, opening = (
            session.scalars(select(EntryRow).where(EntryRow.id == entry)).one(),
            session.get(OpeningRow, entry),
        )
        return opening is not None and commitment(bytes(opening.salt), record) == row.commitment


def _unname(item: ItemRow) -> None:
    """Takes the plain hash of a text away, and the words that scores cite; values stay."""
    of_text = item.stage in ("prompt", "negative prompt")
    if of_text:
        item.sha256 = _NO_HASH
    for score in item.scores:
        if score.score is None:
            continue
        stored: dict[str, Any] = without_texts(score.score)
        if of_text:
            stored["item"] = {**stored["item"], "sha256": _NO_HASH}
        score.score = stored


def _erase_openings(session: Session, job: str, left: Left, why: str) -> None:
    query = select(OpeningRow).join(EntryRow, EntryRow.id == OpeningRow.entry)
    erased = []
    for opening in session.scalars(query.where(OpeningRow.subject == job, EntryRow.kind == "request")).all():
        salt = hashlib.sha256(bytes(opening.salt)).hexdigest()
        erased.append({"entry": opening.entry, "subject": job, "salt_sha256": salt})
        if left == "hashed":
            opening.record = None
        else:
            session.delete(opening)
    note(session, "erasure", job, {"entries": erased, "left": left, "why": why, "at": now().isoformat()})
