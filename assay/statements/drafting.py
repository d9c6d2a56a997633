"""From a recorded decision to a statement of reasons, as the DSA Transparency Database takes it (API v2).

A draft for the platform to send: what was done to the content, and since when it exists, only the platform knows, so
both can be said; the rest follows from the record. It names no person, no file and none of the user's words: the
database is public, and Article 24(5) forbids personal data in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Any

from assay.ledger import DecisionRow, JobRow
from assay.statements.finding import Found
from media import UsageError
from safety import Policy

_FACTS, _GROUND, _EXPLANATION = 5000, 500, 2000  # characters

# Where a category of ours stands among the database's; what is not named here is a violation of the terms.
CATEGORIES = {
    "violence": "VIOLENCE",
    "violence/graphic": "VIOLENCE",
    "sexual/minors": "PROTECTION_OF_MINORS",
    "hate": "ILLEGAL_OR_HARMFUL_SPEECH",
    "hate/threatening": "ILLEGAL_OR_HARMFUL_SPEECH",
    "hate/symbol": "ILLEGAL_OR_HARMFUL_SPEECH",
    "harassment": "CYBER_VIOLENCE",
    "harassment/threatening": "CYBER_VIOLENCE",
    "likeness/public-figure": "DATA_PROTECTION_AND_PRIVACY_VIOLATIONS",
    "ip/character": "INTELLECTUAL_PROPERTY_INFRINGEMENTS",
    "ip/logo": "INTELLECTUAL_PROPERTY_INFRINGEMENTS",
    "self-harm": "SELF_HARM",
    "self-harm/intent": "SELF_HARM",
    "self-harm/instructions": "SELF_HARM",
    "illicit": "RISK_FOR_PUBLIC_SECURITY",
    "illicit/violent": "RISK_FOR_PUBLIC_SECURITY",
    "deception": "SCAMS_AND_FRAUD",
}
VISIBILITIES = ("removed", "disabled", "demoted", "age-restricted", "interaction-restricted", "labelled", "other")
SOURCES = {"voluntary": "SOURCE_VOLUNTARY", "article-16": "SOURCE_ARTICLE_16",
           "trusted-flagger": "SOURCE_TRUSTED_FLAGGER", "other": "SOURCE_TYPE_OTHER_NOTIFICATION"}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What the record does not know. visibility: one of VISIBILITIES; None: what Assay itself did."""

    visibility: str | None = None
    content_date: date | None = None
    source: str = "voluntary"
    terms_url: str | None = None
    territories: tuple[str, ...] = ()


def statement(found: Found, policy: Policy, said: Said) -> dict[str, Any]:
    """The statement, valid under its schema. UsageError where nothing was restricted, or what was said is no value."""
    decision, job = found.decision, found.job
    if decision.action == "allow":
        raise UsageError(f"{decision.decision}: allowed; a statement of reasons is of a restriction")
    if found.human is not None and found.human.action == "allow":
        raise UsageError(f"{decision.decision}: a person decided otherwise, and nothing is restricted any more")
    reasons = [one for one in decision.body["reasons"] if one["action"] == decision.action]
    categories = list(dict.fromkeys(_category(one["category"]) for one in reasons))
    made: dict[str, Any] = {
        **_visibility(job, decision, said),
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "incompatible_content_ground": _ground(policy, reasons),
        "incompatible_content_explanation": _explanation(policy, reasons),
        "category": categories[0],
        "content_type": _types(job, decision),
        "content_date": (said.content_date or job.created.date()).isoformat(),
        "application_date": decision.made.date().isoformat(),
        "decision_facts": _facts(found, policy, reasons),
        "source_type": SOURCES[said.source],
        "automated_detection": "Yes",
        "automated_decision": f"AUTOMATED_DECISION_{'FULLY' if found.human is None else 'PARTIALLY'}",
        "puid": decision.decision,
    }
    made |= {"category_addition": categories[1:]} if len(categories) > 1 else {}
    made |= {"decision_ground_reference_url": said.terms_url} if said.terms_url else {}
    made |= {"territorial_scope": [one.upper() for one in said.territories]} if said.territories else {}
    return validated(made)


def schema() -> dict[str, Any]:
    """The JSON Schema of a statement."""
    found: dict[str, Any] = json.loads(
        (resources.files("assay.statements") / "statement.schema.json").read_text("utf-8")
    )
    return found


def validated(made: dict[str, Any]) -> dict[str, Any]:
    """The statement itself; UsageError names every field that the schema refuses."""
    from jsonschema import Draft202012Validator, FormatChecker

    faults = [
        f"{'.'.join(map(str, fault.absolute_path)) or 'statement'}: {fault.message}"
        for fault in Draft202012Validator(schema(), format_checker=FormatChecker()).iter_errors(made)
    ]
    if faults:
        raise UsageError(f"the statement would not be accepted: {'; '.join(faults)[:1000]}")
    return made


def _category(name: str) -> str:
    return f"STATEMENT_CATEGORY_{CATEGORIES.get(name, 'OTHER_VIOLATION_TC')}"


def _visibility(job: JobRow, decision: DecisionRow, said: Said) -> dict[str, Any]:
    if said.visibility is not None and said.visibility != "other":
        return {"decision_visibility": [f"DECISION_VISIBILITY_CONTENT_{said.visibility.replace('-', '_').upper()}"]}
    if job.kind == "generate":
        words = "The video was not released to the person who asked for it."
    else:
        words = "The file was not passed for publication."
    if decision.action == "review":
        words = words.replace(".", " until a person has decided.")
    return {"decision_visibility": ["DECISION_VISIBILITY_OTHER"], "decision_visibility_other": words}


def _types(job: JobRow, decision: DecisionRow) -> list[str]:
    if decision.stage in ("prompt", "negative prompt"):
        return ["CONTENT_TYPE_TEXT"]
    if decision.stage == "input image":
        return ["CONTENT_TYPE_IMAGE"]
    synthetic = ["CONTENT_TYPE_SYNTHETIC_MEDIA"] if job.kind == "generate" and decision.stage == "frame" else []
    return ["CONTENT_TYPE_VIDEO", *synthetic]


def _ground(policy: Policy, reasons: Sequence[Mapping[str, Any]]) -> str:
    rules = ", ".join(dict.fromkeys(one["rule"] for one in reasons))
    return f"Policy {policy.id}, version {policy.version} (sha256 {policy.digest}): {rules}"[:_GROUND]


def _explanation(policy: Policy, reasons: Sequence[Mapping[str, Any]]) -> str:
    told = []
    for name in dict.fromkeys(one["category"] for one in reasons):
        words = policy.categories.get(name)
        told.append(f"{name}: {words.definition}" if words is not None else f"{name}: banned by the policy.")
    return " ".join(told)[:_EXPLANATION]


def _facts(found: Found, policy: Policy, reasons: Sequence[Mapping[str, Any]]) -> str:
    """What was found, by what, when in the file: no text of the user's, no name of a file."""
    decision = found.decision
    lines = [
        f"An automated system judged the {'video' if decision.stage == 'frame' else decision.stage} under policy "
        f"{policy.id}@{policy.version} and decided: {decision.action}."
    ]
    lines += [_fact(one) for one in reasons]
    if found.human is not None:
        lines.append(
            f"A person looked at it on {found.human.made.date().isoformat()} and decided: {found.human.action}."
        )
    else:
        lines.append("No person took part in the decision.")
    lines.append(f"Reference: decision {decision.decision}.")
    whole = "\n".join(dict.fromkeys(lines))
    return whole if len(whole) <= _FACTS else whole[: _FACTS - 1] + "…"


def _fact(reason: Mapping[str, Any]) -> str:
    if reason.get("absence"):
        by = f" by {reason['source']}" if reason.get("source") else ""
        return f"{reason['category']}: could not be judged{by} ({reason['absence'].replace('_', ' ')})."
    at = ""
    if reason.get("start_s") is not None:
        at = f" from {reason['start_s']:.2f} s to {reason['end_s']:.2f} s"
    return f"{reason['category']}: scored {reason['score']:.2f} by {reason['source']}{at} (rule {reason['rule']})."
