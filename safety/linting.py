"""What the schema cannot say of a policy: lines that do nothing, words that are missing, waivers about to run out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from safety.item import Stage
from safety.policy import Policy
from safety.rule import Action, Rule, Temporal

NOTICE = timedelta(days=30)  # before a waiver runs out, so that its owner has time to renew it
MINORS = "sexual/minors"
_VIDEOS = (Stage.FRAME, Stage.INPUT_VIDEO)


@dataclass(frozen=True)
class Finding:
    """One thing wrong, where it stands, and what to do. An error makes a policy unfit, a warning doubtful."""

    severity: Literal["error", "warning"]
    code: str
    where: str  # path in the document: rules.prompt-hate-review
    message: str

    def to_json(self) -> dict[str, Any]:
        """As a line of `assay policy lint --json`."""
        return asdict(self)


def lint(policy: Policy, on: date | None = None) -> list[Finding]:
    """What is wrong with the policy on that day (today where none is given), errors first."""
    day = on or datetime.now(UTC).date()
    found = [
        *_silent_stages(policy),
        *_rules(policy),
        *_temporal(policy),
        *_categories(policy),
        *_waivers(policy, day),
        *_examples(policy),
        *_contradictions(policy),
    ]
    return sorted(found, key=lambda finding: (finding.severity != "error", finding.code, finding.where))


def _silent_stages(policy: Policy) -> Iterator[Finding]:
    if not policy.rules_for(Stage.NEGATIVE_PROMPT):
        message = "no rule speaks of negative prompts, so each of them is blocked; write one rule at least"
        yield Finding("warning", "stage-without-rules", "rules", message)


def _rules(policy: Policy) -> Iterator[Finding]:
    for rule in policy.rules:
        where = f"rules.{rule.id}"
        if rule.category not in policy.categories and not rule.category.startswith("bank/"):
            message = f"{rule.category} has no text: define it under categories, for those who must explain a refusal"
            yield Finding("error", "rule-without-text", where, message)
        if rule.action is Action.ALLOW:
            continue
        if rule.threshold == 0.0:
            yield Finding("warning", "always-fires", where, "every score reaches 0; nothing would ever be allowed")
        graver = [other for other in policy.rules_for(rule.stage) if _outdoes(other, rule)]
        if graver:
            message = (
                f"unreachable: {graver[0].id} already asks for {graver[0].action.word} from {graver[0].threshold}; "
                f"a rule that asks for {rule.action.word} needs a lower threshold than {rule.threshold}"
            )
            yield Finding("error", "unreachable-rule", where, message)


def _temporal(policy: Policy) -> Iterator[Finding]:
    for rule in policy.rules:
        temporal, where = rule.temporal, f"rules.{rule.id}.temporal"
        if rule.stage not in _VIDEOS:
            if temporal != Temporal():
                message = f"the stage {rule.stage.value!r} judges no frames in time; remove temporal"
                yield Finding("warning", "temporal-ignored", where, message)
            continue
        if temporal.share is not None and temporal.n > 1:
            message = f"{temporal.k} of {temporal.n} has no say beside a share of the file; remove k and n, or share"
            yield Finding("warning", "window-without-say", where, message)
        elif temporal.k == 1 < temporal.n:
            message = f"1 of {temporal.n} frames is one frame; remove n, or ask for more than one"
            yield Finding("warning", "window-without-say", where, message)
        if temporal.share is not None and rule.action > Action.ALLOW and not _backed(policy, rule):
            message = (
                f"harmless frames at the end of a file bring any share below {temporal.share}: add instant, or a rule "
                f"of {rule.category} without a share"
            )
            yield Finding("warning", "share-diluted", where, message)


def _backed(policy: Policy, rule: Rule) -> bool:
    """True where a number of frames is enough, however long the file is: by the rule's instant or by another rule."""
    others = [other for other in policy.rules_for(rule.stage) if other.category == rule.category]
    acting = [other for other in others if other.action > Action.ALLOW and other.source in ("*", rule.source)]
    return rule.temporal.instant is not None or any(other.temporal.share is None for other in acting)


def _outdoes(other: Rule, rule: Rule) -> bool:
    """True where `other` fires whenever `rule` does and asks for as much; of two equal rules, the later is outdone."""
    if other.id == rule.id or other.category != rule.category or other.source not in ("*", rule.source):
        return False
    if other.temporal != rule.temporal and (other.temporal.k > 1 or other.temporal.share is not None):
        return False
    if (other.threshold, other.action) == (rule.threshold, rule.action):
        return other.id < rule.id and other.temporal == rule.temporal
    return other.threshold <= rule.threshold and other.action >= rule.action


def _categories(policy: Policy) -> Iterator[Finding]:
    ruled = {rule.category for rule in policy.rules}
    for name, text in policy.categories.items():
        if name not in ruled:
            yield Finding("warning", "category-without-rule", f"categories.{name}", "no rule speaks of it")
        if name == MINORS and text.zero_shot:
            message = "no image-text model is described this category: remove zero_shot"
            yield Finding("error", "minors", f"categories.{name}.zero_shot", message)


def _waivers(policy: Policy, day: date) -> Iterator[Finding]:
    for place, waiver in enumerate(policy.waivers):
        where = f"waivers.{place}"
        if waiver.expires < day:
            message = f"expired on {waiver.expires}: {', '.join(waiver.categories)} are no longer waived"
            yield Finding("error", "waiver-expired", where, message)
        elif waiver.expires - day <= NOTICE:
            message = f"runs out on {waiver.expires}; {waiver.owner} renews it, or configures a model"
            yield Finding("warning", "waiver-expires", where, message)
        asked = set(policy.categories_for(waiver.stage))
        if idle := sorted(set(waiver.categories) - asked):
            message = f"no rule of stage {waiver.stage.value!r} asks for {', '.join(idle)}"
            yield Finding("warning", "waives-nothing", where, message)


def _examples(policy: Policy) -> Iterator[Finding]:
    acting = [rule for rule in policy.rules_for(Stage.PROMPT) if rule.action > Action.ALLOW]
    for name in dict.fromkeys(rule.category for rule in acting):
        text = policy.categories.get(name)
        if text is None:
            continue  # told as rule-without-text
        where = f"categories.{name}.examples"
        wanted = {example.action for example in text.examples}
        if Action.ALLOW not in wanted:
            yield Finding("error", "no-benign-example", where, "add a look-alike that must be allowed")
        if name == MINORS:
            if wanted - {Action.ALLOW}:
                yield Finding("error", "minors", where, "no violating example of this category is ever written down")
        elif not wanted - {Action.ALLOW}:
            yield Finding("error", "no-violating-example", where, "add a text that must be reviewed or blocked")
        possible = {rule.action for rule in acting if rule.category == name} | {Action.ALLOW}
        if beyond := [example.text for example in text.examples if example.action not in possible]:
            message = f"no rule of {name} asks for what these expect: {'; '.join(map(repr, beyond))}"
            yield Finding("error", "example-out-of-reach", where, message)


def _contradictions(policy: Policy) -> Iterator[Finding]:
    expected: defaultdict[tuple[Stage, str], dict[Action, str]] = defaultdict(dict)
    for name, text in policy.categories.items():
        for example in text.examples:
            same = (example.stage, " ".join(example.text.casefold().split()))
            expected[same].setdefault(example.action, name)
    for (_, words), said in expected.items():
        if len(said) > 1:
            answers = ", ".join(f"{action.word} under {name}" for action, name in said.items())
            yield Finding(
                "error", "contradictory-examples", f"categories.{min(said.values())}.examples", f"{words!r}: {answers}"
            )
