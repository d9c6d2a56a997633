"""`assay policy diff`: what another policy would change in a run, by category; examples; the reviewers' load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from assay.intervals import Share
from assay.replaying.again import AsDecided, Replay, Replayed
from safety import Action, Decision, Reason

_REVIEW = Action.REVIEW.word


@dataclass
class CategoryChange:
    """What changes in one category: the action that its reasons ask for, whatever other categories ask.

    moves     (asked for then, asks for now), files; allow where the category asks for nothing
    decisive  files whose action as a whole changes, and in which this category does
    examples  some of those whose action changes, the gravest first seen
    """

    category: str
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    decisive: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """Files in which it asks for something else."""
        return sum(count for (then, now), count in self.moves.items() if then != now)

    def to_json(self) -> dict[str, Any]:
        """One JSON line."""
        moves = [{"then": then, "now": now, "files": n} for (then, now), n in sorted(self.moves.items()) if then != now]
        then: Counter[str] = Counter()
        now: Counter[str] = Counter()
        for (before, after), count in self.moves.items():
            then[before] += count
            now[after] += count
        return {
            "category": self.category,
            "then": {word: then[word] for word in ("review", "block")},
            "now": {word: now[word] for word in ("review", "block")},
            "moves": moves,
            "changed": self.changed,
            "decisive": self.decisive,
            "examples": self.examples,
        }


@dataclass(frozen=True)
class Load:
    """How many files go to a person: in this run, and a day at a rate of files a day.

    The interval speaks of the files that this run is a fair sample of, and of no others.
    """

    share: Share
    files_per_day: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values; items a day are None where no rate was given."""
        share, rate = self.share, self.files_per_day
        of = {"share": share.share, "low": share.low, "high": share.high}
        day = {name: None if rate is None or value is None else rate * value for name, value in of.items()}
        return {"files": share.hits, "of": share.of, **of, "per_day": day["share"], "per_day_low": day["low"],
                "per_day_high": day["high"]}  # fmt: skip


class Comparison:
    """What changes from the decisions of a run to those of another policy."""

    def __init__(self, *, examples: int = 3, files_per_day: float | None = None) -> None:
        self.categories: dict[str, CategoryChange] = {}
        self.actions: Counter[tuple[str, str]] = Counter()
        self._examples, self._rate = examples, files_per_day

    def add(self, then: Iterable[Decision], now: Replayed) -> None:
        """One content, as it was decided and as it would be."""
        if now.action is None:
            return
        paths = len(now.record.uris)
        self.actions[now.record.action, now.action.word] += paths
        before, after = _asked(then), _asked(now.decisions)
        for name in sorted(before.keys() | after.keys()):
            change = self.categories.setdefault(name, CategoryChange(name))
            asked = tuple(side[name].action if name in side else Action.ALLOW for side in (before, after))
            change.moves[asked[0].word, asked[1].word] += paths
            if asked[0] is asked[1]:
                continue
            change.decisive += paths * now.changed
            if len(change.examples) < self._examples:
                change.examples.append(_example(now, asked, after.get(name) or before[name]))

    @property
    def changed(self) -> int:
        """Files whose action would be another."""
        return sum(count for (then, now), count in self.actions.items() if then != now)

    def load(self, side: int) -> Load:
        """Side 0: as the run was decided; side 1: under the other policy."""
        hits = sum(count for pair, count in self.actions.items() if pair[side] == _REVIEW)
        return Load(Share.scored(hits, self.actions.total()), self._rate)

    def rows(self) -> Iterator[dict[str, Any]]:
        """A line a category, those with most changes first, and a last one about the run as a whole."""
        for change in sorted(self.categories.values(), key=lambda one: (-one.changed, one.category)):
            yield change.to_json()
        yield {
            "category": None,
            "files": self.actions.total(),
            "changed": self.changed,
            "moves": [{"then": a, "now": b, "files": n} for (a, b), n in sorted(self.actions.items())],
            "review_then": self.load(0).to_json(),
            "review_now": self.load(1).to_json(),
            "files_per_day": self._rate,
        }


def compare(then: AsDecided, now: Replay, run: str, comparison: Comparison) -> Comparison:
    """Fills a comparison from a run: each record under the policy of that day, and under the other one."""
    for one in now.over(run):
        if one.refused is None:
            comparison.add(then.decisions(one.record), one)
    return comparison


def _asked(decisions: Iterable[Decision]) -> dict[str, Reason]:
    """The gravest reason of each category that asks for anything."""
    gravest: dict[str, Reason] = {}
    for decision in decisions:
        for reason in decision.reasons:  # gravest first
            known = gravest.get(reason.category)
            if reason.action > Action.ALLOW and (known is None or reason.action > known.action):
                gravest[reason.category] = reason
    return gravest


def _example(now: Replayed, asked: tuple[Action, ...], reason: Reason) -> dict[str, Any]:
    where = reason.where
    return {
        "path": now.record.uris[0],
        "then": asked[0].word,
        "now": asked[1].word,
        "file_then": now.record.action,
        "file_now": now.action.word if now.action is not None else None,
        "rule": reason.rule,
        "score": reason.value,
        "absence": reason.absence.value if reason.absence else None,
        "start_s": where.start_s if where else None,
        "end_s": where.end_s if where else None,
    }
