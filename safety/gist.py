"""The gist of what was said: enough to decide again wherever no score reaches a threshold, in a fraction of the space.

A track whose maximum lies below a rule's threshold cannot open a segment, under any temporal rule: k of n, a share and
a scope only ask for more, and `instant` lies no lower. So of most files the maxima are all that another policy needs,
with what nobody could say, and the hashes that a decision's identity is made of. `safety.redeciding` decides by it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from safety.deciding import canonical, gaps
from safety.errors import CorruptRecord
from safety.item import Item
from safety.score import Score, Track


@dataclass(frozen=True)
class Gist:
    """What was said of the items of one stage.

    shape  JSON: who spoke of what, and what nobody could say; the same text for thousands of files, so worth interning
    facts  JSON: hash and frames of each item; of each score that holds anything, its maximum and its hash
    """

    shape: str
    facts: str

    @classmethod
    def of(cls, items: Sequence[Item], scores: Iterable[Score | Track]) -> Gist:
        """The gist of the scores of these items, in their order; ValueError where stages are mixed."""
        known = {item: number for number, item in enumerate(dict.fromkeys(items))}
        stages = {item.stage for item in known}
        if len(stages) != 1:
            raise ValueError(f"a gist is of the items of exactly one stage, not {sorted(stages) or 'none'}")
        said, facts = [], []
        for score in applicable(items, scores):
            said.append({"item": known[score.item], **_said(score)})
            if (fact := _fact(score)) is not None:
                facts.append(fact)
        shape = {"stage": stages.pop().value, "items": [[one.id, one.count == 0] for one in known], "said": said}
        about = [[one.sha256, one.count] for one in known]
        return cls(_compact(shape), _compact([about, facts]))

    def read(self) -> tuple[list[tuple[str, int]], list[tuple[float | None, str]]]:
        """(sha256, frames) of each item, and (maximum, hash) of each score that holds anything."""
        try:
            about, facts = json.loads(self.facts)
            return about, facts
        except (TypeError, ValueError) as error:
            raise CorruptRecord(f"the gist of a file cannot be read ({error}); score the file again") from error


def applicable(items: Sequence[Item], scores: Iterable[Score | Track]) -> list[Score | Track]:
    """The scores of these items, item by item, as a ledger keeps them: what the numbers of a gist count."""
    by_item: dict[Item, list[Score | Track]] = {item: [] for item in items}
    for score in scores:
        if score.item in by_item:
            by_item[score.item].append(score)
    return [score for said in by_item.values() for score in said]


def _said(score: Score | Track) -> dict[str, Any]:
    """What does not differ from file to file."""
    kind = "track" if isinstance(score, Track) else "score" if score.value is not None else "absent"
    valued = (score.maximum if isinstance(score, Track) else score.value) is not None
    told: dict[str, Any] = {
        "category": score.category,
        "source": score.source,
        "note": score.note,
        "kind": kind,
        "valued": valued,
    }
    if isinstance(score, Score) and kind == "absent":
        told["where"] = score.where.to_json() if score.where else None
    return {**told, "gaps": sorted([absence.value, note] for absence, note in set(gaps(score)))}


def _fact(score: Score | Track) -> list[Any] | None:
    if isinstance(score, Track):
        return [score.maximum, score.sha256]
    return None if score.value is None else [score.value, canonical(score)]


def _compact(content: object) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))
