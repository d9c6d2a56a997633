"""Jobs as clients of the Videos API see them, and beside that the `safety` object: what was decided, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from assay.api.statement import statement
from assay.ledger import DecisionRow, JobRow, Ledger, PostureRow, State
from assay.shown import shown

_STATUS = {State.QUEUED: "queued", State.RUNNING: "in_progress", State.HELD: "in_progress"}
_OUTPUT = {"frame", "file"}  # stages of what was made; every other is of what was sent
_ORDER = ("allow", "review", "block")
_PATH = re.compile(r"(?:/[^\s/:]+)+/")  # of our own folders, in an error's text
_WORDS = {
    "cancelled": "the video was cancelled",
    "generation_failed": "the generator failed; nothing was released, and nothing is billed",
    "evaluation_failed": "a safety stage failed, so nothing was released and nothing is billed",
    "signing_failed": "the video could not be signed, so it was not released",
    "timeout": "a stage took too long and was ended; nothing was released",
    "worker_died": "the process that worked on it died each time it was tried; nothing was released",
    "moderation_blocked": "the video was refused",
}


@dataclass(frozen=True)
class Record:
    """What is known of a job's last attempt: decisions (as JSON, people's included) and posture."""

    decisions: Sequence[Mapping[str, Any]] = ()
    posture: Sequence[Mapping[str, Any]] = ()


def records(ledger: Ledger, rows: Iterable[JobRow]) -> dict[str, Record]:
    """The records of some jobs, in two queries."""
    attempts = {row.id: row.attempt for row in rows}
    made: dict[str, tuple[list[Any], list[Any]]] = {id: ([], []) for id in attempts}
    with Session(ledger.engine) as session:
        columns = (DecisionRow.job, DecisionRow.attempt, DecisionRow.body, DecisionRow.policy_digest)
        for job, attempt, body, digest in session.execute(
            select(*columns).where(DecisionRow.job.in_(attempts)).order_by(DecisionRow.key)
        ):
            if attempt == attempts[job] and digest is not None:
                made[job][0].append(body)
        for job, attempt, body in session.execute(
            select(PostureRow.job, PostureRow.attempt, PostureRow.body)
            .where(PostureRow.job.in_(attempts))
            .order_by(PostureRow.key)
        ):
            if attempt == attempts[job]:
                made[job][1].append(body)
    return {id: Record(*both) for id, both in made.items()}


def video_object(row: JobRow, record: Record) -> dict[str, Any]:
    """A job on the wire. `held` reads in_progress; a refusal reads failed."""
    wire, failure = row.wire or {}, _failure(row, record)
    status = _STATUS.get(State(row.state)) or ("failed" if failure else "completed")
    progress = 100 if status == "completed" else min(99, int(100 * row.progress)) if status != "queued" else 0
    return {
        "id": row.id, "object": "video", "created_at": _seconds(row.created),
        "completed_at": _seconds(row.completed) if status == "completed" else None,
        "expires_at": _seconds(row.expires) if status == "completed" else None,
        "model": wire.get("model"), "prompt": row.request.get("prompt"), "progress": progress,
        "seconds": wire.get("seconds"), "size": wire.get("size"), "status": status,
        "remixed_from_video_id": wire.get("remixed_from_video_id"), "error": failure, "preview": _preview(row),
        "safety": safety_object(row, record),
    }  # fmt: skip


def _preview(row: JobRow) -> dict[str, Any] | None:
    """How far the preview is that may be fetched now."""
    found = shown(row)
    return None if found is None else {"step": found["step"], "steps": found["steps"]}


def safety_object(row: JobRow, record: Record) -> dict[str, Any]:
    """What was decided about a job so far."""
    running = row.state in (State.QUEUED, State.RUNNING)
    decisions = () if running else record.decisions
    return safety(decisions, record.posture, word=None if running else row.action) | {
        "review": row.state == State.HELD,
        "billable": bool(row.billable),
    }


def safety(
    decisions: Sequence[Mapping[str, Any]], posture: Sequence[Mapping[str, Any]], *, word: str | None
) -> dict[str, Any]:
    """Decision, reasons, who looked, by which policy, and the same in words. `word` is what came of it in the end."""
    reasons = [reason for each in decisions for reason in each["reasons"] if reason["action"] != "allow"]
    policy = decisions[-1]["policy"] if decisions else None
    failed = sorted({reason["category"] for reason in reasons if reason["absence"] == "failed"})
    return {
        "decision": word,
        "review": False,
        "reasons": reasons,
        "posture": _merged(posture),
        "policy": {**policy, "cited": f"{policy['id']}@{policy['version']}"} if policy else None,
        "decisions": [each["id"] for each in decisions],
        "not_evaluated": sorted({name for each in decisions for name in each["not_evaluated"]}),
        "waived": sorted({name for each in decisions for name in each["waived"]}),
        "statement": statement(word, reasons, policy),
        "error": {"type": "evaluation_failed", "categories": failed} if failed else None,
        "billable": False,
    }


def moderation_details(decisions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """At which end it was stopped, and for what; `unknown` where no decision of ours says so."""
    gravest = max((each["action"] for each in decisions), key=_ORDER.index, default="allow")
    ours = [r for each in decisions for r in each["reasons"] if r["action"] == gravest != "allow"]
    stages = {"output" if reason["stage"] in _OUTPUT else "input" for reason in ours}
    stage = stages.pop() if len(stages) == 1 else "unknown"
    return {"moderation_stage": stage, "categories": sorted({reason["category"] for reason in ours})}


def _failure(row: JobRow, record: Record) -> dict[str, Any] | None:
    if row.state == State.FAILED:
        code = row.error_code or "generation_failed"
        message = _WORDS.get(code, "the video failed; nothing was released")
        if code == "invalid_request" and row.error:
            message = _PATH.sub("", row.error.partition(": ")[2])[:500] or message
    elif row.state == State.COMPLETED and row.action != "allow":
        code, message = row.error_code or "moderation_blocked", "the video was refused"
        if code == "moderation_blocked":
            message = statement(row.action, [r for d in record.decisions for r in d["reasons"]], None) or message
        if row.error and code == "moderation_blocked":
            message = f"{message} ({row.error})"
    else:
        return None
    kind = "invalid_request_error" if code in ("moderation_blocked", "invalid_request") else "server_error"
    failure: dict[str, Any] = {"code": code, "message": message, "type": kind, "param": None}
    if code == "moderation_blocked":
        failure["moderation_details"] = moderation_details(record.decisions)
    return failure


def _merged(posture: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Who looked, one line a stage and model, its counts summed."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for entry in posture:
        key = tuple(entry.get(name) for name in ("stage", "model", "version", "weights_sha256", "runtime"))
        line = dict(zip(("stage", "model", "version", "weights_sha256", "runtime"), key, strict=True))
        known = sums.setdefault(key, {**line, "items": 0, "failed": 0})
        known["items"] += entry["items"]
        known["failed"] += entry["failed"]
    return list(sums.values())


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp())
