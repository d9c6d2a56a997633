"""Moderation in the wire's shape: what was asked, and what an examination says of it under a policy. No HTTP here.

The request and the answer are those of OpenAI's moderation endpoint, with our categories beside its thirteen. One thing
differs on purpose: a category that nobody looked at is null, never false or 0.0. `category_applied_input_types` is then
empty for it, and `safety.not_evaluated` says why. The openai client takes the nulls as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

from assay.outcome import merged
from assay.prompting import Texts
from assay.rows import absences
from media import UsageError
from safety import Action, Circumstances, Decision, Examination, Item, Policy, Score, Stage, decide

OPENAI_CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
OUR_CATEGORIES = ("hate/symbol", "likeness/public-figure", "ip/character", "ip/logo", "ip/style", "deception")
INPUT_TYPES = {Stage.PROMPT: "text", Stage.INPUT_IMAGE: "image"}
NO_RULE = "no_rule"  # beside the three absences: the policy does not speak of the category for this kind of input

# What one request may hold: a minute of one processor's work at the most.
TEXTS_MAX = 128
PICTURES_MAX = 8
CHARACTERS_MAX = 100_000


class Malformed(UsageError):
    """The input is not what a moderation request may hold; `param` names the part."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(f"{param}: {message}")
        self.param = param


@dataclass(frozen=True)
class Entry:
    """What gets one answer: one text, or the texts and pictures of a multimodal array together."""

    texts: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()  # URLs, data: or remote; fetched by whoever has the means

    @cached_property
    def text_items(self) -> list[tuple[Item, str]]:
        """Each text with the item that it is judged as, and several also as one: parts may be innocent alone."""
        return list(Texts(self.texts).items()) if self.texts else []

    @property
    def characters(self) -> int:
        """How much there is to read."""
        return sum(map(len, self.texts))


@dataclass(frozen=True)
class TextAsk:
    """One text for a worker, and the categories that the caller's policy speaks of."""

    item: Item
    text: str
    wanted: tuple[str, ...]


@dataclass(frozen=True)
class PictureAsk:
    """One picture for a worker, whole in memory."""

    item: Item
    content: bytes = field(repr=False)
    wanted: tuple[str, ...] = ()

    @classmethod
    def of(cls, number: int, content: bytes, policy: Policy) -> PictureAsk:
        """The number-th picture of an entry."""
        item = Item(Stage.INPUT_IMAGE, f"image-{number}", hashlib.sha256(content).hexdigest())
        return cls(item, content, policy.categories_for(Stage.INPUT_IMAGE))


def read_input(value: object) -> list[Entry]:
    """The entries of a request's `input`, one for each answer that is due; Malformed names what is wrong."""
    if isinstance(value, str):
        entries = [Entry((value,))]
    elif isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        entries = [Entry((one,)) for one in value]
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        entries = [_multimodal(value)]
    else:
        raise Malformed("input", "give a string, a list of strings, or a list of text and image_url objects")
    _ensure_bounded(entries)
    return entries


def _multimodal(parts: Sequence[Mapping[str, Any]]) -> Entry:
    texts, pictures = [], []
    for number, part in enumerate(parts):
        kind, where = part.get("type"), f"input[{number}]"
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image_url" and isinstance(part.get("image_url"), dict):
            url = part["image_url"].get("url")
            if not isinstance(url, str):
                raise Malformed(f"{where}.image_url.url", "a string is needed")
            pictures.append(url)
        else:
            raise Malformed(
                where, 'give {"type": "text", "text": ...} or {"type": "image_url", "image_url": {"url": ...}}'
            )
    return Entry(tuple(texts), tuple(pictures))


def _ensure_bounded(entries: Sequence[Entry]) -> None:
    texts = sum(len(entry.texts) for entry in entries)
    pictures = sum(len(entry.pictures) for entry in entries)
    if texts > TEXTS_MAX:
        raise Malformed("input", f"{texts} texts are more than the {TEXTS_MAX} that one request may hold; send several")
    if pictures > PICTURES_MAX:
        raise Malformed("input", f"{pictures} pictures are more than the {PICTURES_MAX} that one request may hold")
    if (length := sum(entry.characters for entry in entries)) > CHARACTERS_MAX:
        raise Malformed("input", f"{length} characters are more than the {CHARACTERS_MAX} that one request may hold")


def judged(policy: Policy, seen: Examination, circumstances: Circumstances) -> tuple[Decision, ...]:
    """The policy's decisions about everything that was seen, one a stage."""
    by_stage = groupby(sorted(seen.items, key=lambda item: item.stage), key=lambda item: item.stage)
    return tuple(decide(policy, list(items), seen.scores, circumstances) for _, items in by_stage)


def answer(policy: Policy, seen: Examination, decisions: Sequence[Decision]) -> dict[str, Any]:
    """One element of `results`: OpenAI's four fields, and `safety` with what they cannot say."""
    looks = [
        _Look.of(policy, stage, seen, decisions) for stage in INPUT_TYPES if any(i.stage is stage for i in seen.items)
    ]
    names = tuple(
        dict.fromkeys((*OPENAI_CATEGORIES, *OUR_CATEGORIES, *(name for look in looks for name in look.asked)))
    )
    action = max((decision.action for decision in decisions), default=Action.BLOCK)
    known = {name: [(look, value) for look in looks if (value := look.value(name)) is not None] for name in names}
    return {
        "flagged": action is not Action.ALLOW,
        "categories": {n: any(n in look.found for look, _ in said) if said else None for n, said in known.items()},
        "category_scores": {n: max((value for _, value in said), default=None) for n, said in known.items()},
        "category_applied_input_types": {n: [look.kind for look, _ in said] for n, said in known.items()},
        "safety": {
            "decision": action.word,
            "complete": all(decision.complete for decision in decisions),
            "not_evaluated": {look.kind: {n: look.absent[n] for n in names if n in look.absent} for look in looks},
            "reasons": [reason.to_json() for decision in decisions for reason in decision.reasons],
            "posture": [entry.to_json() for entry in merged(seen.posture)],
            "policy": policy.ref,
        },
    }


@dataclass(frozen=True)
class _Look:
    """What was said of one kind of input.

    values  the largest by category, also where somebody else did not answer
    found   the largest that a rule acted on
    absent  the categories that somebody who was to look at them did not look at, and why
    """

    kind: str
    asked: tuple[str, ...]
    values: Mapping[str, float]
    found: Mapping[str, float]
    absent: Mapping[str, str]

    def value(self, name: str) -> float | None:
        """What counts: the value of a category that was looked at in full, or at which a rule acted all the same."""
        if name in self.found:
            return max(self.found[name], self.values.get(name, 0.0))
        return None if name in self.absent else self.values.get(name)

    @classmethod
    def of(cls, policy: Policy, stage: Stage, seen: Examination, decisions: Sequence[Decision]) -> _Look:
        items = {item for item in seen.items if item.stage is stage}
        said = [score for score in seen.scores if isinstance(score, Score) and score.item in items]
        asked = policy.categories_for(stage)
        values: dict[str, float] = {}
        absent = {name: NO_RULE for name in (*OPENAI_CATEGORIES, *OUR_CATEGORIES) if name not in asked}
        for name in asked:
            mine = [score for score in said if score.category == name]
            gaps = tuple(score for score in mine if score.value is None)
            known = [score.value for score in mine if score.value is not None]
            if known:
                values[name] = max(known)
            if gaps:
                absent[name] = absences(Examination(scores=gaps))[name]
            elif {score.item for score in mine} < items:
                absent[name] = "failed"  # an item of which nobody said anything
        found: dict[str, float] = {}
        for reason in (reason for one in decisions if one.stage is stage for reason in one.reasons):
            if reason.value is not None and reason.action is not Action.ALLOW:
                found[reason.category] = max(found.get(reason.category, 0.0), reason.value)
        return cls(INPUT_TYPES[stage], asked, values, found, absent)


def moderate(
    entry: Entry,
    policy: Policy,
    seen: Examination,
    *,
    require_complete: bool,
    note: Callable[[Sequence[Decision]], None] | None = None,
) -> dict[str, Any]:
    """The answer about one entry. `note` hears what was decided, for meters and records.

    Where the policy answers what nobody evaluated (`require_complete`), that flags, too: silence is never a pass.
    """
    expected = len(entry.text_items) + len(entry.pictures)
    if len(seen.items) != expected:
        raise ValueError(f"{len(seen.items)} items were examined, {expected} were asked about")
    decisions = judged(policy, seen, Circumstances(require_complete=require_complete))
    if note is not None:
        note(decisions)
    return answer(policy, seen, decisions)
