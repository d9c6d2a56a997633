"""What the file proves about its own gating: decisions, policy, posture, waivers, a person's approval.

No user ids, no prompt text: reasons are counted, never quoted, and a person's approval is cited by its reference.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from provenance.errors import ManifestInvalid, NotAllowed
from safety import Action, Decision, Posture

LABEL = "org.assay.decision"
SCHEMA = "1"
# A reference into the ledger. The narrow alphabet keeps mail addresses and names with spaces out of manifests.
_REFERENCE = re.compile(r"[A-Za-z0-9_.:-]{1,80}\Z")


@dataclass(frozen=True)
class HumanDecision:
    """A person approved these decisions. Who it was stands in the ledger, not here."""

    reference: str
    approves: frozenset[str]  # ids of the decisions
    at: datetime

    def __post_init__(self) -> None:
        if not _REFERENCE.match(self.reference):
            raise ManifestInvalid(f"approval reference {self.reference!r:.100} is not a plain ledger reference")
        if self.at.tzinfo is None:
            raise ManifestInvalid(f"approval {self.reference}: the time has no time zone")


@dataclass(frozen=True)
class GateRecord:
    """Everything that was decided about one file, and who looked."""

    decisions: tuple[Decision, ...]
    posture: Posture
    human: HumanDecision | None = None

    @classmethod
    def of(cls, decisions: Sequence[Decision], posture: Posture, human: HumanDecision | None = None) -> GateRecord:
        """The record of a sequence of decisions."""
        return cls(tuple(decisions), tuple(posture), human)

    def objections(self) -> tuple[str, ...]:
        """Why this must not be signed; empty where every decision allows, or a person approved it."""
        if not self.decisions:
            return ("no decision was made",)
        approved = self.human.approves if self.human else frozenset()
        found = []
        for decision in self.decisions:
            unseen = set(decision.not_evaluated) - set(decision.waived)
            if decision.id in approved:
                continue
            if decision.action is not Action.ALLOW:
                found.append(f"{decision.stage.value} decision {decision.id} says {decision.action.word}")
            elif unseen and not decision.circumstances.require_complete:
                found.append(
                    f"{decision.stage.value} decision {decision.id} is incomplete: {', '.join(sorted(unseen))}"
                )
        if len({decision.policy["digest"] for decision in self.decisions}) > 1:
            found.append("the decisions were made under different policies")
        return tuple(found)

    def ensure_allowed(self) -> None:
        """Raises NotAllowed where there is an objection: signing refuses anything not allowed."""
        if objections := self.objections():
            raise NotAllowed("; ".join(objections))

    def assertion(self) -> dict[str, Any]:
        """The body of the assertion `org.assay.decision`, in plain JSON."""
        waivers = dict.fromkeys(waiver for decision in self.decisions for waiver in decision.waivers)
        return {
            "schema": SCHEMA,
            "policy": dict(self.decisions[0].policy) if self.decisions else None,
            "decisions": [_decision(decision) for decision in self.decisions],
            "posture": [
                {
                    "stage": entry.stage.value,
                    "model": entry.model,
                    "version": entry.version,
                    "weights_sha256": entry.weights_sha256,
                    "runtime": entry.runtime,
                    "items": entry.items,
                    "failed": entry.failed,
                }
                for entry in self.posture
            ],
            "waivers": [
                {
                    "stage": waiver.stage.value,
                    "categories": list(waiver.categories),
                    "backends": list(waiver.backends),
                    "reason": waiver.reason,
                    "expires": waiver.expires.isoformat(),
                }
                for waiver in waivers
            ],
            "human": _human(self.human),
        }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "id": decision.id,
        "stage": decision.stage.value,
        "action": decision.action.word,
        "policy": dict(decision.policy),
        "reasons": len(decision.reasons),
        "complete": decision.complete,
        "waived": list(decision.waived),
        "not_evaluated": list(decision.not_evaluated),
        "backend": decision.circumstances.backend,
        "on": decision.circumstances.on.isoformat(),
    }


def _human(human: HumanDecision | None) -> dict[str, Any] | None:
    if human is None:
        return None
    at = human.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"reference": human.reference, "approves": sorted(human.approves), "at": at}
