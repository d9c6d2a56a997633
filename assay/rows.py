"""The JSON lines of the command line, as the contract words them. Objects in, plain values out."""

from __future__ import annotations

from typing import Any

from assay.outcome import Outcome
from safety import Decision, Examination, Score


def prompt_row(
    id: str | int, decision: Decision, seen: Examination, neutralised: dict[str, Any] | None = None
) -> dict[str, Any]:
    """One line of `assay prompt --json`."""
    outcome = Outcome("", (decision,), seen)
    return {
        "id": id,
        "action": decision.action.word,
        "scores": outcome.scores,
        "reasons": [reason.to_json() for reason in decision.reasons],
        "absences": absences(seen),
        "policy": decision.policy,
        "decision": decision.id,
        "neutralised": neutralised,
        "error": None,
    }


def absences(seen: Examination) -> dict[str, str]:
    """The categories that no source scored, and the gravest reason why."""
    order = ("not_configured", "unsupported", "failed")
    found: dict[str, str] = {}
    scored = {s.category for s in seen.scores if (s.value if isinstance(s, Score) else s.maximum) is not None}
    for score in seen.scores:
        kinds = [score.absence] if isinstance(score, Score) else list(score.absences.values())
        for kind in kinds:
            if kind is not None and score.category not in scored:
                found[score.category] = max(found.get(score.category, order[0]), kind.value, key=order.index)
    return found


def generate_row(outcome: Outcome) -> dict[str, Any]:
    """One line of `assay generate --json`."""
    return {
        "path": str(outcome.asset.path) if outcome.asset else None,
        "sha256": outcome.asset.sha256 if outcome.asset else None,
        "job": outcome.job,
        "action": outcome.action.word,
        "decisions": [decision.to_json() for decision in outcome.decisions],
        "posture": [entry.to_json() for entry in outcome.posture],
        "waivers": [waiver.to_json() for waiver in outcome.waivers],
        "manifest_state": outcome.asset.manifest_state if outcome.asset else None,
        "record": outcome.record,
        "review_id": outcome.review_id,
        "quarantined": list(outcome.quarantined),
        "neutralised": outcome.neutralised,
        "stopped": outcome.stopped,
        "error": None,
    }


def failed_generate_row(error: dict[str, Any]) -> dict[str, Any]:
    """The line of a generation that reached no decision. No evidence means no release."""
    nothing: dict[str, Any] = {"path": None, "sha256": None, "job": None, "decisions": [], "posture": [], "waivers": []}
    return {
        **nothing,
        "action": "block",
        "manifest_state": None,
        "record": None,
        "review_id": None,
        "quarantined": [],
        "error": error,
        "neutralised": None,
        "stopped": None,
    }


def scan_row(path: str, outcome: Outcome) -> dict[str, Any]:
    """One line of `assay scan --json`."""
    not_evaluated = sorted({name for decision in outcome.decisions for name in decision.not_evaluated})
    frames = outcome.frames
    return {
        "path": path,
        "sha256": outcome.sha256,
        "action": outcome.action.word,
        "complete": not not_evaluated,
        "not_evaluated": not_evaluated,
        "reasons": [reason.to_json() for decision in outcome.decisions for reason in decision.reasons],
        "scores": outcome.scores,
        "segments": [segment.to_json() for decision in outcome.decisions for segment in decision.segments],
        "frames": None if frames is None else vars(frames),
        "posture": [entry.to_json() for entry in outcome.posture],
        "policy": outcome.decisions[0].policy if outcome.decisions else None,
        "signed": str(outcome.asset.path) if outcome.asset else None,
        "quarantined": list(outcome.quarantined),
        "error": None,
    }


def failed_scan_row(path: str, policy: dict[str, str], error: dict[str, Any]) -> dict[str, Any]:
    """The line of a file about which no decision was reached."""
    return {
        "path": path, "sha256": None, "action": None, "complete": False, "not_evaluated": [], "reasons": [],
        "scores": {}, "segments": [], "frames": None, "posture": [], "policy": policy, "signed": None,
        "quarantined": [], "error": error,
    }  # fmt: skip
