"""Emergency rules: one more rule for every policy, in force with the next decision, and run over what was released.

A rule only ever adds: it cannot allow what a policy refuses. Policies with emergency rules have a version of their own
(`1+emergency.<hash>`), which decisions cite. What was released before is judged from its stored scores; where nobody
scored the rule's category then, the file is scanned again; where it is gone, that is said. A hit takes the file down.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from assay.auditing.noting import note
from assay.errors import JobNotFound
from assay.ledger import JobRow, Ledger, State, new_id, now
from assay.metrics import write_textfile
from assay.schema import Table
from assay.withdrawal import Order, erase_files, withdraw_in
from media import AssayError, UsageError
from safety import Action, Circumstances, Examination, Item, Policy, Score, Stage, decide

Rescan = Callable[[Path], Examination]


class EmergencyRow(Table):
    """A rule, its reason, and whether it still holds."""

    __tablename__ = "emergency_rules"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    body: Mapped[dict[str, Any]]
    reason: Mapped[str]
    by: Mapped[str]
    made: Mapped[datetime]
    lifted: Mapped[datetime | None]


class SweptRow(Table):
    """What came of one rule over one released job: clear, taken-down, found (and left up), or unknown."""

    __tablename__ = "emergency_sweeps"
    rule: Mapped[str] = mapped_column(String(40), primary_key=True)
    job: Mapped[str] = mapped_column(String(64), primary_key=True)
    came: Mapped[str] = mapped_column(String(12))
    by: Mapped[str] = mapped_column(String(12))  # scores, scan, nobody
    why: Mapped[str | None]
    made: Mapped[datetime]


@dataclass(frozen=True)
class EmergencyRule:
    """What a rule says. `take_down` False only lists what it finds among the released."""

    stage: str
    category: str
    threshold: float
    action: str = "block"
    source: str | None = None
    take_down: bool = True

    def document(self, id: str) -> dict[str, Any]:
        """The rule as a policy's document has it; what an absence leads to is the stage's own answer."""
        rule = {"id": f"emergency-{id}", "stage": self.stage, "category": self.category, "threshold": self.threshold}
        return rule | {"action": self.action} | ({"source": self.source} if self.source else {})


@dataclass(frozen=True)
class Swept:
    """How many released jobs a sweep looked at, and what came of them."""

    clear: int = 0
    taken_down: int = 0
    found: int = 0
    unknown: int = 0


def declare(ledger: Ledger, policy: Policy, rule: EmergencyRule, order: Order) -> str:
    """Puts a rule in force; returns its id. `policy` is one that acts: the rule must be one that it could have.

    Raises PolicyError for a stage or category that is none, UsageError for a rule that allows.
    """
    if rule.action == "allow":
        raise UsageError("an emergency rule reviews or blocks; it cannot allow what a policy refuses")
    id = new_id("emg")
    strengthened(policy, [(id, rule)])
    with ledger.write() as session:
        session.add(EmergencyRow(id=id, body=asdict(rule), reason=order.reason, by=order.by, made=now()))
        note(session, "emergency", id, {**asdict(rule), "reason": order.reason, "by": order.by})
    mark(ledger)
    return id


def lift(ledger: Ledger, id: str, order: Order) -> None:
    """Ends a rule: with the next decision it counts no more. What it took down stays down."""
    with ledger.write() as session:
        row = session.get(EmergencyRow, id)
        if row is None or row.lifted is not None:
            raise JobNotFound(f"{id[:80]!r}: no such emergency rule, or it was lifted already")
        row.lifted = now()
        note(session, "emergency-lifted", id, {"reason": order.reason, "by": order.by})
    mark(ledger)


def mark(ledger: Ledger) -> None:
    """Brings the file beside an SQLite ledger up to date; the housekeeper calls it again."""
    if ledger.engine.dialect.name == "sqlite" and ledger.engine.url.database:
        path = Path(f"{ledger.engine.url.database}.emergency")
        words = _state(ledger)
        if words if not path.exists() else path.read_text("ascii") != words:
            write_textfile(path, words)


def state(url: str) -> str:
    """Which rules are in force, in a word; empty where there are none."""
    return _state(_opened(url))


def of(url: str, policy: Policy) -> Policy:
    """`in_force`, by the ledger's URL."""
    return in_force(_opened(url), policy)


_MOST_OPEN = 4
_open: dict[str, Ledger] = {}
_opening = threading.Lock()


def _opened(url: str) -> Ledger:
    """One connection pool a process and ledger: this is asked with every request."""
    with _opening:
        if url not in _open:
            while len(_open) >= _MOST_OPEN:
                _open.pop(next(iter(_open))).close()
            _open[url] = Ledger(url)
        return _open[url]


def forget(url: str) -> None:
    """Gives the connections to a ledger back, where this process has any."""
    with _opening:
        ledger = _open.pop(url, None)
    if ledger is not None:
        ledger.close()


def _state(ledger: Ledger) -> str:
    ids = [row.id for row in rules(ledger)]
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:16] if ids else ""


def rules(ledger: Ledger, *, lifted: bool = False) -> list[EmergencyRow]:
    """The rules in force, oldest first; with `lifted` those that were, too."""
    query = select(EmergencyRow).order_by(EmergencyRow.made, EmergencyRow.id)
    with Session(ledger.engine, expire_on_commit=False) as session:
        return list(session.scalars(query if lifted else query.where(EmergencyRow.lifted.is_(None))))


def in_force(ledger: Ledger, policy: Policy) -> Policy:
    """The policy with every emergency rule that it does not have yet; the same object where there is none."""
    there = {rule.id for rule in policy.rules}
    missing = [(row.id, EmergencyRule(**row.body)) for row in rules(ledger) if f"emergency-{row.id}" not in there]
    return strengthened(policy, missing) if missing else policy


def strengthened(policy: Policy, added: Sequence[tuple[str, EmergencyRule]]) -> Policy:
    """The policy with rules added, under a version that says so."""
    document = policy.document()
    document["rules"] += [rule.document(id) for id, rule in added]
    ours = sorted(rule["id"] for rule in document["rules"] if rule["id"].startswith("emergency-"))
    mark = hashlib.sha256(json.dumps(ours).encode()).hexdigest()[:8]
    document["version"] = f"{policy.version.partition('+emergency.')[0]}+emergency.{mark}"
    return Policy.from_document(document, f"policy {policy.id} with emergency rules")


def sweep(ledger: Ledger, rescan: Rescan | None = None, most: int = 500) -> Swept:
    """Runs every rule in force over released jobs that it was not run over yet. Call it again until all are zero.

    Without `rescan`, jobs whose scores say nothing of the rule wait for a call that has one.
    """
    counts = {"clear": 0, "taken_down": 0, "found": 0, "unknown": 0}
    for row in rules(ledger):
        rule = EmergencyRule(**row.body)
        for job in _unswept(ledger, row.id, most):
            came = _run(ledger, row, rule, job, rescan)
            if came is not None:
                counts[came.replace("-", "_")] += 1
    return Swept(**counts)


def sweeps(ledger: Ledger, rule: str) -> list[SweptRow]:
    """What came of a rule over the released, job by job."""
    with Session(ledger.engine, expire_on_commit=False) as session:
        return list(session.scalars(select(SweptRow).where(SweptRow.rule == rule).order_by(SweptRow.made)))


def _unswept(ledger: Ledger, rule: str, most: int) -> list[str]:
    seen = select(SweptRow.job).where(SweptRow.rule == rule)
    released = (JobRow.state == State.COMPLETED) & (JobRow.action == "allow") & (JobRow.kind == "generate")
    query = select(JobRow.id).where(released, JobRow.id.not_in(seen)).order_by(JobRow.created.desc())
    with Session(ledger.engine) as session:
        return list(session.scalars(query.limit(most)))


def _run(ledger: Ledger, row: EmergencyRow, rule: EmergencyRule, job: str, rescan: Rescan | None) -> str | None:
    """What came of one rule over one job; None where it must wait for somebody who can scan."""
    by, why = "scores", None
    hit = _hit(row.id, rule, ledger.examination(job))
    if hit is None:
        path = _file(ledger, job)
        if path is None:
            by, why = "nobody", "nobody scored this then, and the file is gone"
        elif rescan is None:
            return None
        else:
            by = "scan"
            try:
                hit = _hit(row.id, rule, rescan(path))
                why = None if hit is not None else "nobody scores this"
            except AssayError as error:
                why = f"{type(error).__name__}: {error}"[:500]
    came = "unknown" if hit is None else "clear" if not hit else "taken-down" if rule.take_down else "found"
    with ledger.write() as session:
        if session.get(SweptRow, (row.id, job)) is None:
            session.add(SweptRow(rule=row.id, job=job, came=came, by=by, why=why, made=now()))
        if came == "taken-down":
            withdraw_in(session, job, Order(row.id, row.reason))
    if came == "taken-down":
        erase_files(ledger, job)
    return came


def _hit(id: str, rule: EmergencyRule, seen: Examination) -> bool | None:
    """True where stored scores reach the rule, False where they do not, None where they do not say."""
    stage = Stage(rule.stage)
    items: list[Item] = [item for item in seen.items if item.stage is stage]
    if not items:
        return None
    alone = _alone(id, rule)
    decision = decide(alone, items, seen.scores, Circumstances(require_complete=False))
    mine = [reason for reason in decision.reasons if reason.rule == f"emergency-{id}"]
    if any(reason.value is not None for reason in mine):
        return True
    scored = [score for score in seen.scores if score.item in items and score.category == rule.category]
    silent = any((one.value if isinstance(one, Score) else one.maximum) is None for one in scored)
    absent = [reason for reason in mine if reason.absence is not None and reason.action > Action.ALLOW]
    return None if not scored or silent or absent else False


def _alone(id: str, rule: EmergencyRule) -> Policy:
    return strengthened(Policy.load("permissive"), [(id, rule)])


def _file(ledger: Ledger, job: str) -> Path | None:
    with Session(ledger.engine) as session:
        row = session.get_one(JobRow, job)
        path = Path(row.asset["path"]) if row.asset and row.asset.get("path") else None
    return path if path is not None and path.is_file() else None
