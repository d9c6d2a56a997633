"""Decides again by the gist of what was said, and unpacks only the scores that reach a threshold.

The same decision as `decide`, id and all: the rules are walked by the same code, once for each shape that records have,
with the values left out; then what reaches a threshold is weighed, by the same code again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from safety.deciding import Findings, canonical, identity, quoted
from safety.decision import Circumstances, Decision
from safety.errors import CorruptRecord
from safety.gist import Gist
from safety.item import Absence, Item, Stage
from safety.policy import Policy
from safety.rule import Rule
from safety.score import Score, Track

# The scores of a record by their numbers, whole: the order is that of `safety.gist.applicable`.
Unfold = Callable[[Sequence[int]], Sequence[Score | Track]]
_SHAPES = 4096  # kept; notes of failures may hold anything, so their number has no bound of its own


class Redecider:
    """One policy over many records. Not for several threads."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.unfolded = 0  # scores that were needed whole, so far
        self._known: dict[tuple[str, Circumstances], _Silence] = {}

    def decide(self, gist: Gist, unfold: Unfold, circumstances: Circumstances) -> Decision:
        """What `safety.decide` says of the recorded items and scores.

        Raises CorruptRecord where a score that is needed whole is not the one that the gist was made of.
        """
        silence = self._silence(gist.shape, circumstances)
        about, facts = gist.read()
        limits = silence.limits
        if len(facts) != len(limits) or len(about) != len(silence.items):
            raise CorruptRecord("a gist holds more or less than its shape; score the file again")
        items, scores = silence.written(about, facts)
        id = identity(self.policy, items, scores, circumstances)
        loud = [n for n, fact in enumerate(facts) if fact[0] is not None and fact[0] >= limits[n]]
        if not loud:
            return _renamed(silence.decided, id)
        numbers = [silence.numbers[n] for n in loud]
        whole = dict(zip(numbers, unfold(numbers), strict=True))
        for n, number in zip(loud, numbers, strict=True):
            if canonical(whole[number]) != facts[n][1]:
                raise CorruptRecord("a stored score is not the one that was recorded; score the file again")
        self.unfolded += len(whole)
        return silence.broken(whole, about).decision(id)

    def _silence(self, shape: str, circumstances: Circumstances) -> _Silence:
        key = (shape, circumstances)
        if key not in self._known:
            if len(self._known) >= _SHAPES:
                self._known.clear()
            self._known[key] = _Silence(self.policy, shape, circumstances)
        return self._known[key]


def _renamed(decision: Decision, id: str) -> Decision:
    """The same decision of another record; `dataclasses.replace` took a tenth of the time of deciding again."""
    one = object.__new__(Decision)
    vars(one).update(vars(decision))
    vars(one)["id"] = id
    return one


@dataclass(frozen=True)
class _Hushed:
    """A score without its values."""

    item: Item
    category: str
    source: str
    note: str | None
    number: int
    gaps: tuple[tuple[Absence, str], ...]
    valued: bool


class _Silence:
    """What a policy says of records of one shape where nothing reaches a threshold, and who would have been heard.

    limits   of each score that holds anything, the value from which some rule may find something
    numbers  of these scores among all
    """

    def __init__(self, policy: Policy, shape: str, circumstances: Circumstances) -> None:
        told = json.loads(shape)
        self.stage, self.circumstances, self.policy = Stage(told["stage"]), circumstances, policy
        self.ids = [json.dumps(id) for id, _ in told["items"]]
        self.stage_text = json.dumps(self.stage.value)
        # Hash and length differ from record to record; reasons cite neither.
        self.items = [Item(self.stage, id, str(n), int(not empty)) for n, (id, empty) in enumerate(told["items"])]
        self.said: list[dict[str, Any]] = told["said"]
        self.numbers = [n for n, one in enumerate(self.said) if one["kind"] != "absent"]
        self.absent = [(one["item"], *_around(one)) for one in self.said if one["kind"] == "absent"]
        self.findings = _Listening(policy, self.stage, circumstances)
        hushed = [self._hushed(n, one) for n, one in enumerate(self.said)]
        self.findings.hear(self.items, cast("list[Score | Track]", hushed))
        self.findings.walk(self.items)
        self.decided = self.findings.decision("")
        self.limits = [self._limit(n) for n in self.numbers]

    def written(self, about: Sequence[Any], facts: Sequence[Any]) -> tuple[list[str], list[str]]:
        """Items and scores as a decision's identity holds them."""
        items = [
            f'{{"count": {count:d}, "id": {id}, "sha256": {quoted(sha256)}, "stage": {self.stage_text}}}'
            for id, (sha256, count) in zip(self.ids, about, strict=True)
        ]
        absent = [f"{before}{items[item]}{after}" for item, before, after in self.absent]
        return items, [fact[1] for fact in facts] + absent

    def broken(self, whole: dict[int, Score | Track], about: Sequence[Any]) -> Findings:
        """What was silent already, and what these scores add."""
        findings = Findings(self.policy, self.stage, self.circumstances)
        quiet = self.findings
        findings.reasons, findings.waivers = list(quiet.reasons), set(quiet.waivers)
        findings.waived, findings.not_evaluated = set(quiet.waived), set(quiet.not_evaluated)
        for rule, number in quiet.heard:
            if number in whole:
                score = whole[number]
                findings.weigh(rule, score.item, score)
        return findings

    def _hushed(self, number: int, one: dict[str, Any]) -> _Hushed:
        gaps = tuple((Absence(kind), note) for kind, note in one["gaps"])
        item = self.items[one["item"]]
        return _Hushed(item, one["category"], one["source"], one["note"], number, gaps, one["valued"])

    def _limit(self, number: int) -> float:
        asked = [rule.threshold for rule, heard in self.findings.heard if heard == number]
        lowest = min(asked, default=math.inf)
        return float(np.float16(lowest)) if self.said[number]["kind"] == "track" else lowest  # as `segments` does


class _Listening(Findings):
    """Walks the rules over scores without values, and keeps which rule would have weighed which."""

    def __init__(self, policy: Policy, stage: Stage, circumstances: Circumstances) -> None:
        super().__init__(policy, stage, circumstances)
        self.heard: list[tuple[Rule, int]] = []

    def gaps(self, score: Any) -> Iterable[tuple[Absence, str]]:
        """Those that were recorded."""
        return cast(_Hushed, score).gaps

    def has_value(self, score: Any) -> bool:
        """As it was recorded."""
        return cast(_Hushed, score).valued

    def weigh(self, rule: Rule, item: Item, score: Any) -> None:
        """Not now."""
        self.heard.append((rule, cast(_Hushed, score).number))


def _around(absent: dict[str, Any]) -> tuple[str, str]:
    """What stands before and after the item in `canonical` of a score that nobody gave."""
    (absence, _), *_rest = absent["gaps"]
    before = json.dumps({"absence": absence, "category": absent["category"]}, sort_keys=True)
    rest = {"note": absent["note"], "source": absent["source"], "value": None, "where": absent["where"]}
    return f'{before[:-1]}, "item": ', f", {json.dumps(rest, sort_keys=True)[1:]}"
