"""`decide`: from rules and scores to one action with reasons.

It walks the *rules*, not the scores, so a silent stage cannot pass. A failure or an unsupported item is never an allow;
only "not configured" can be waived, in words, by policy. The same inputs give the same decision, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import numpy as np

from safety.policy import Action, Policy, Rule, Waiver
from safety.score import Absence, Item, Score, Stage, Track, Where
from safety.segments import Segment, segments


@dataclass(frozen=True)
class Circumstances:
    """What a decision depends on besides rules and scores; kept with it, so that it can be replayed."""

    backend: str | None = None  # the generator's back-end; None for media that Assay did not make
    on: date = field(default_factory=lambda: datetime.now(UTC).date())  # waivers expire
    require_complete: bool = True  # False: "not configured" is reported as not evaluated, and does not act


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


@dataclass(frozen=True)
class Decision:
    """What one policy says of the items of one stage, and why."""

    id: str
    stage: Stage
    action: Action
    policy: dict[str, str]
    reasons: tuple[Reason, ...]
    waivers: tuple[Waiver, ...] = ()
    waived: tuple[str, ...] = ()  # categories that a waiver let go unevaluated
    not_evaluated: tuple[str, ...] = ()  # categories nobody looked for, waived or not
    segments: tuple[Segment, ...] = ()
    circumstances: Circumstances = field(default_factory=Circumstances)

    @property
    def complete(self) -> bool:
        """True where every category the policy names at this stage was evaluated."""
        return not self.not_evaluated


def decide(
    policy: Policy,
    expected: Sequence[Item],
    scores: Iterable[Score | Track],
    circumstances: Circumstances | None = None,
) -> Decision:
    """The decision of `policy` about the expected items, which must all be of one stage.

    A score of an item that was not expected is not applicable. An expected item without a score is a failure.
    Raises ValueError where nothing is expected or stages are mixed: that is a fault of the caller, not an allow.
    """
    circumstances = circumstances or Circumstances()
    stages = {item.stage for item in expected}
    if len(stages) != 1:
        raise ValueError(f"decide() judges the items of exactly one stage, not {sorted(stages) or 'none'}")
    stage = stages.pop()
    applicable = [score for score in scores if score.item in expected]
    ledger = _Findings(policy, stage, circumstances)
    for rule in policy.rules_for(stage):
        for item in expected:
            ledger.apply(rule, item, [s for s in applicable if s.item == item and s.category == rule.category])
    if not policy.rules_for(stage):
        ledger.reasons.append(Reason("no-rule", "*", stage, Action.BLOCK, None, note="the policy has no rule here"))
    return Decision(
        id=_identity(policy, expected, applicable, circumstances),
        stage=stage,
        action=max((reason.action for reason in ledger.reasons), default=Action.ALLOW),
        policy=policy.ref,
        reasons=tuple(sorted(ledger.reasons, key=_gravest_first)),
        waivers=tuple(dict.fromkeys(ledger.waivers)),
        waived=tuple(sorted(ledger.waived)),
        not_evaluated=tuple(sorted(ledger.not_evaluated)),
        segments=tuple(dict.fromkeys(ledger.segments)),
        circumstances=circumstances,
    )


class _Findings:
    """What the rules found so far, for one stage."""

    def __init__(self, policy: Policy, stage: Stage, circumstances: Circumstances) -> None:
        self.policy, self.stage, self.circumstances = policy, stage, circumstances
        self.reasons: list[Reason] = []
        self.segments: list[Segment] = []
        self.waivers: list[Waiver] = []
        self.waived: set[str] = set()
        self.not_evaluated: set[str] = set()

    def apply(self, rule: Rule, item: Item, scores: Sequence[Score | Track]) -> None:
        """Walks one rule over what was said of its category about one item."""
        heard = [score for score in scores if rule.matches(score.source)]
        if not heard:
            self._absent(rule, Absence.FAILED, None, "no stage answered")
            return
        kinds = [set(_absences(score, item)) for score in heard]
        for score, absences in zip(heard, kinds, strict=True):
            for reason, segment in _hits(rule, score):
                self.reasons.append(reason)
                if segment is not None:
                    self.segments.append(segment)
            for absence in sorted(absences - {Absence.NOT_CONFIGURED}):
                self._absent(rule, absence, score.source, score.note)
        if all(Absence.NOT_CONFIGURED in absences for absences in kinds):
            self._absent(rule, Absence.NOT_CONFIGURED, None, heard[0].note)

    def _absent(self, rule: Rule, absence: Absence, source: str | None, note: str | None) -> None:
        action: Action = {
            Absence.FAILED: rule.when_failed,
            Absence.UNSUPPORTED: rule.when_unsupported,
            Absence.NOT_CONFIGURED: rule.when_not_configured,
        }[absence]
        if absence is Absence.NOT_CONFIGURED:
            self.not_evaluated.add(rule.category)
            waiver = self.policy.waiver_for(
                self.stage, rule.category, self.circumstances.backend, self.circumstances.on
            )
            if waiver is not None:
                self.waivers.append(waiver)
                self.waived.add(rule.category)
            if waiver is not None or not self.circumstances.require_complete or rule.action is Action.ALLOW:
                return
        self.reasons.append(Reason(rule.id, rule.category, self.stage, action, source, absence=absence, note=note))


def _absences(score: Score | Track, item: Item) -> Iterator[Absence]:
    """The kinds of absence in one score; a track must account for every frame of its item, and for at least one."""
    if isinstance(score, Score):
        if score.absence is not None:
            yield score.absence
        return
    yield from score.absences.values()
    if len(score.values) != item.count or item.count == 0:
        yield Absence.FAILED


def _hits(rule: Rule, score: Score | Track) -> Iterator[tuple[Reason, Segment | None]]:
    """Where the score reaches the rule's threshold."""
    if isinstance(score, Score):
        if score.value is not None and score.value >= rule.threshold:
            yield (
                Reason(rule.id, rule.category, rule.stage, rule.action, score.source, score.value, where=score.where),
                None,
            )
        return
    for segment in segments(score, rule.threshold, rule.temporal):
        seen = score.where.get(segment.peak_frame, Where())
        where = Where(
            text=seen.text,
            box=seen.box,
            frame=segment.peak_frame,
            start_s=segment.start_s,
            end_s=segment.end_s,
            peak_s=segment.peak_s,
        )
        yield (
            Reason(rule.id, rule.category, rule.stage, rule.action, score.source, segment.peak, where=where),
            segment,
        )


def _gravest_first(reason: Reason) -> tuple[object, ...]:
    start = reason.where.start_s if reason.where and reason.where.start_s is not None else 0.0
    return (-reason.action, -(reason.value or 0.0), reason.rule, reason.source or "", start)


def _identity(
    policy: Policy, expected: Sequence[Item], scores: Sequence[Score | Track], circumstances: Circumstances
) -> str:
    """Hash of rules and scores, whatever the order in which items and scores were given."""
    content = {
        "policy": policy.digest,
        "items": sorted([item.stage, item.id, item.sha256, item.count] for item in expected),
        "scores": sorted(json.dumps(_canonical(score), sort_keys=True) for score in scores),
        "circumstances": [circumstances.backend, str(circumstances.on), circumstances.require_complete],
    }
    return "dec_" + hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:40]


def _canonical(score: Score | Track) -> list[object]:
    said: object
    if isinstance(score, Score):
        said = [score.value, score.absence]
    else:
        raw = np.ascontiguousarray(score.values).tobytes() + np.ascontiguousarray(score.pts).tobytes()
        said = [hashlib.sha256(raw).hexdigest(), sorted(score.absences.items())]
    return [score.item.id, score.item.sha256, score.category, score.source, said]
