"""A decision: what one policy says of the items of one stage, and why. `safety.decide` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from safety.item import Absence, Stage, Where
from safety.rule import Action, Waiver
from safety.segment import Segment


@dataclass(frozen=True)
class Circumstances:
    """What a decision depends on besides rules and scores; kept with it, so that it can be replayed."""

    backend: str | None = None  # the generator's back-end; None for media that Assay did not make
    on: date = field(default_factory=lambda: datetime.now(UTC).date())  # waivers expire
    require_complete: bool = True  # False: "not configured" is reported as not evaluated, and does not act

    def to_json(self) -> dict[str, Any]:
        """For the ledger; `from_json` gives back equal circumstances."""
        return {"backend": self.backend, "on": self.on.isoformat(), "require_complete": self.require_complete}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Circumstances:
        """The circumstances of a stored decision."""
        return cls(stored["backend"], date.fromisoformat(stored["on"]), stored["require_complete"])


@dataclass(frozen=True)
class Reason:
    """Why: the rule, what it asks for, and the evidence (a value, or the absence of one)."""

    rule: str
    category: str
    stage: Stage
    action: Action
    source: str | None
    value: float | None = None
    absence: Absence | None = None
    where: Where | None = None
    note: str | None = None
    item: str | None = None  # id of the item, where a stage judges several

    def to_json(self) -> dict[str, Any]:
        """As the `reasons` of a line of `prompt`, `scan` or `generate`: every key is always there."""
        where = self.where or Where()
        return {
            "stage": self.stage.value,
            "category": self.category,
            "rule": self.rule,
            "action": self.action.word,
            "source": self.source,
            "score": self.value,
            "absence": self.absence.value if self.absence else None,
            "span": list(where.span) if where.span else None,
            "text": where.text,
            "frame": where.frame,
            "start_s": where.start_s,
            "end_s": where.end_s,
            "peak_s": where.peak_s,
            "box": list(where.box) if where.box else None,
            "note": self.note,
            "item": self.item,
        }


@dataclass(frozen=True)
class Decision:
    """What one policy says of the items of one stage, and why."""

    id: str  # hash of rules, items, scores and circumstances
    stage: Stage
    action: Action
    policy: dict[str, str]  # id, version, digest
    reasons: tuple[Reason, ...]  # gravest first
    waivers: tuple[Waiver, ...] = ()  # those that were needed
    waived: tuple[str, ...] = ()  # categories that a waiver let go unevaluated
    not_evaluated: tuple[str, ...] = ()  # categories that a rule asked about and nobody looked for, waived or not
    segments: tuple[Segment, ...] = ()  # by time; what several rules found is told once
    circumstances: Circumstances = field(default_factory=Circumstances)

    @property
    def complete(self) -> bool:
        """True where every category the policy names at this stage was evaluated."""
        return not self.not_evaluated

    def to_json(self) -> dict[str, Any]:
        """As the `decisions` of a line of `generate`, and as the ledger keeps it."""
        return {
            "id": self.id,
            "stage": self.stage.value,
            "action": self.action.word,
            "policy": dict(self.policy),
            "reasons": [reason.to_json() for reason in self.reasons],
            "waivers": [waiver.to_json() for waiver in self.waivers],
            "waived": list(self.waived),
            "not_evaluated": list(self.not_evaluated),
            "complete": self.complete,
            "segments": [segment.to_json() for segment in self.segments],
            "circumstances": self.circumstances.to_json(),
        }
