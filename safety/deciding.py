"""`decide`: from rules and scores to one action with reasons.

It walks the *rules*, not the scores, so a silent stage cannot pass. A failure or an unsupported item is never an allow;
only "not configured" can be waived, in words, by policy. The same inputs give the same decision, bit for bit, whatever
their order.

"Not configured" counts where anybody says it, whatever others answered: words on the screen that were read for hate
do not stand in for somebody who looks at the picture.

A rule whose action is `allow` is informational. What it finds changes nothing, so an item that its model does not
support, or that no model looked at, changes nothing either (both are reported). A *failure* still counts: a frame that
breaks one model is a frame to look at twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from safety.decision import Circumstances, Decision, Reason
from safety.item import Absence, Item, Stage, Where
from safety.policy import Policy
from safety.rule import Action, Rule, Waiver
from safety.score import Score, Track
from safety.segment import Segment, maximal, reached, segments, told


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
    items = tuple(dict.fromkeys(expected))
    stages = {item.stage for item in items}
    if len(stages) != 1:
        raise ValueError(f"decide() judges the items of exactly one stage, not {sorted(stages) or 'none'}")
    findings = Findings(policy, stages.pop(), circumstances)
    applicable = findings.hear(items, scores)
    findings.walk(items)
    written = [_written(item.to_json()) for item in items]
    return findings.decision(identity(policy, written, map(canonical, applicable), circumstances))


class Findings:
    """What the rules found so far, for one stage."""

    def __init__(self, policy: Policy, stage: Stage, circumstances: Circumstances) -> None:
        self.policy, self.stage, self.circumstances = policy, stage, circumstances
        self.said: dict[tuple[Item, str], list[Score | Track]] = {}
        self.reasons: list[Reason] = []
        self.segments: list[Segment] = []
        self.waivers: set[Waiver] = set()
        self.waived: set[str] = set()
        self.not_evaluated: set[str] = set()

    def hear(self, items: Sequence[Item], scores: Iterable[Score | Track]) -> list[Score | Track]:
        """Keeps, by item and category, the scores that apply, and returns them."""
        wanted = set(items)
        applicable = [score for score in scores if score.item in wanted]
        for score in applicable:
            self.said.setdefault((score.item, score.category), []).append(score)
        return applicable

    def walk(self, items: Sequence[Item]) -> None:
        """Every rule of the stage over every item."""
        rules = self.policy.rules_for(self.stage)
        for rule in rules:
            for item in items:
                self._apply(rule, item)
        if not rules:
            note = f"the policy has no rule for the stage {self.stage.value!r}"
            self.reasons.append(Reason("no-rule", "*", self.stage, Action.BLOCK, None, note=note))

    def decision(self, id: str) -> Decision:
        """What was found, in an order that does not depend on that in which it was found."""
        return Decision(
            id=id,
            stage=self.stage,
            action=max((reason.action for reason in self.reasons), default=Action.ALLOW),
            policy=self.policy.ref,
            reasons=tuple(sorted(set(self.reasons), key=_gravest_first)),
            waivers=tuple(sorted(self.waivers, key=lambda waiver: json.dumps(waiver.to_json()))),
            waived=tuple(sorted(self.waived)),
            not_evaluated=tuple(sorted(self.not_evaluated)),
            segments=maximal(self.segments),
            circumstances=self.circumstances,
        )

    def _apply(self, rule: Rule, item: Item) -> None:
        """One rule over what was said of its category about one item."""
        heard = [score for score in self.said.get((item, rule.category), ()) if rule.matches(score.source)]
        if not heard:
            self._absent(rule, item, Absence.FAILED, None, "no stage answered")
        if item.count == 0:
            self._absent(rule, item, Absence.FAILED, None, "there is no frame to look at")
        for score in heard:
            self.weigh(rule, item, score)
            for absence, note in sorted(set(self.gaps(score)) - {_NOBODY}):
                self._absent(rule, item, absence, score.source, note or score.note)
        unjudged = [score.note or "" for score in heard if _NOBODY in self.gaps(score)]
        if unjudged:
            self._absent(rule, item, Absence.NOT_CONFIGURED, None, min(unjudged) or None)
        if unjudged or not any(self.has_value(score) for score in heard):
            self.not_evaluated.add(rule.category)

    def gaps(self, score: Score | Track) -> Iterable[tuple[Absence, str]]:
        """See `gaps` below."""
        return gaps(score)

    def has_value(self, score: Score | Track) -> bool:
        """See `has_value` below."""
        return has_value(score)

    def weigh(self, rule: Rule, item: Item, score: Score | Track) -> None:
        """Where the score reaches the rule's threshold."""
        if isinstance(score, Score):
            if score.value is not None and score.value >= rule.threshold:
                self._cite(rule, item, rule.action, score.source, value=score.value, where=score.where)
            return
        found = segments(score, rule.threshold, rule.temporal)
        self.segments += found
        for segment in told(found, rule.temporal):
            where, note = _where(score, segment), _share(score, rule)
            self._cite(rule, item, rule.action, score.source, value=segment.peak, where=where, note=note)

    def _absent(self, rule: Rule, item: Item, absence: Absence, source: str | None, note: str | None) -> None:
        """What the policy answers where nobody did."""
        informational = rule.action is Action.ALLOW
        action = rule.answer_to(absence)
        if absence is Absence.NOT_CONFIGURED:
            under = self.circumstances
            waiver = self.policy.waiver_for(self.stage, rule.category, under.backend, under.on)
            if waiver is not None:
                self.waivers.add(waiver)
                self.waived.add(rule.category)
            if waiver is not None or informational or not under.require_complete:
                return
        if absence is Absence.UNSUPPORTED and informational:
            action = Action.ALLOW
        self._cite(rule, item, action, source, absence=absence, note=note)

    def _cite(self, rule: Rule, item: Item, action: Action, source: str | None, **evidence: Any) -> None:
        self.reasons.append(Reason(rule.id, rule.category, self.stage, action, source, item=item.id, **evidence))


def has_value(score: Score | Track) -> bool:
    """Whether the model gave any number."""
    return (score.value if isinstance(score, Score) else score.maximum) is not None


quoted = json.encoder.encode_basestring_ascii  # a text as `json.dumps` writes it
_written = json.JSONEncoder(sort_keys=True).encode  # made once: a run of thousands is decided again in seconds
_NOBODY = (Absence.NOT_CONFIGURED, "")


def gaps(score: Score | Track) -> Iterator[tuple[Absence, str]]:
    """The kinds of absence in one score, each with a note of ours; it must account for every frame of its item."""
    count = score.item.count
    if isinstance(score, Score):
        if score.absence is not None:
            yield score.absence, ""
        elif count > 1:
            yield Absence.FAILED, f"one number does not speak for {count} frames"
        return
    yield from ((absence, "") for absence in set(score.absences.values()))
    if len(score.values) != count:
        yield Absence.FAILED, f"{len(score.values)} of {count} frames were accounted for"


def _share(track: Track, rule: Rule) -> str | None:
    """The share of a file's frames, in words, where the rule asks for one."""
    if rule.temporal.share is None:
        return None
    hits, scored = reached(track, rule.threshold)
    return f"{hits} of {scored} scored frames reach {rule.threshold:g} ({hits / scored:.1%})"


def _where(track: Track, segment: Segment) -> Where:
    seen = track.where.get(segment.peak_frame, Where())
    return Where(
        text=seen.text,
        box=seen.box,
        frame=segment.peak_frame,
        start_s=segment.start_s,
        end_s=segment.end_s,
        peak_s=segment.peak_s,
    )


def _gravest_first(reason: Reason) -> tuple[object, ...]:
    start = reason.where.start_s if reason.where and reason.where.start_s is not None else 0.0
    everything = _written(reason.to_json())  # a total order: no two different reasons tie
    return (-reason.action, -(reason.value or 0.0), reason.rule, reason.source or "", start, everything)


def identity(policy: Policy, items: Iterable[str], scores: Iterable[str], circumstances: Circumstances) -> str:
    """Hash of rules and scores, whatever the order in which they were given: items as JSON, scores as `canonical`."""
    content = (  # one JSON object, its keys in order
        f'{{"circumstances": {_under(circumstances)}, "items": {_texts(sorted(items))}, '
        f'"policy": {quoted(policy.digest)}, "scores": {_texts(sorted(set(scores)))}}}'
    )
    return "dec_" + hashlib.sha256(content.encode()).hexdigest()[:40]


def _texts(texts: Iterable[str]) -> str:
    """A JSON array of texts, as `json.dumps` writes it; that builds an encoder for each call."""
    return f"[{', '.join(map(quoted, texts))}]"


@lru_cache(64)
def _under(circumstances: Circumstances) -> str:
    return _written(circumstances.to_json())


def canonical(score: Score | Track) -> str:
    """What a decision's identity holds of a score."""
    if isinstance(score, Track):
        return score.sha256
    if score.where is not None or score.note is not None or score.absence is not None:
        return _written(score.to_json())
    # A bare number, as most are: the same text, without the way through dictionaries, which takes three times as long.
    return (
        f'{{"absence": null, "category": {quoted(score.category)}, "item": {_item(score.item)}, "note": null, '
        f'"source": {quoted(score.source)}, "value": {json.dumps(score.value)}, "where": null}}'
    )


@lru_cache(64)
def _item(item: Item) -> str:
    return _written(item.to_json())
