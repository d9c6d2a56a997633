"""Draws a stratified sample of what a run decided about: the same seed gives the same sample on any machine.

A stratum is an action and the category of its gravest reason, so that every content is in exactly one. Within a stratum
the contents with the smallest keyed hash are taken: a sample without replacement, each content alike.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

FORMAT = 1
QUIET = "none"  # the category of a content in which nothing was found


@dataclass(frozen=True)
class Content:
    """One content of a run, as far as sampling needs to know it.

    asked   action that each category asks for (review, block); nothing for the others
    moments index of frames worth a picture, the peaks first
    worst   of which no picture may be made, and which is not handed round for labels
    """

    sha256: str
    path: str
    action: str
    gravest: str
    asked: Mapping[str, str]
    frames: int
    moments: tuple[int, ...] = ()
    worst: bool = False

    @classmethod
    def of(cls, path: str, row: Mapping[str, Any], worst: frozenset[str]) -> Content:
        """From a line of a scan."""
        asked: dict[str, str] = {}
        for reason in row["reasons"]:  # gravest first
            if reason["action"] != "allow":
                asked.setdefault(reason["category"], reason["action"])
        peaks = tuple(dict.fromkeys(int(one["peak_frame"]) for one in row["segments"]))
        hit = any(reason["category"] in worst and reason["score"] is not None for reason in row["reasons"])
        banks = any((row["scores"].get(name) or 0.0) > 0.0 for name in worst if name.startswith("bank/"))
        total = int((row["frames"] or {}).get("total", 0))
        first = next(iter(asked), QUIET)
        return cls(row["sha256"], path, row["action"], first, asked, total, peaks, hit or banks)

    @property
    def stratum(self) -> str:
        """The action, and the category of the gravest reason for it."""
        return f"{self.action} / {self.gravest}"


@dataclass(frozen=True)
class Sample:
    """What was drawn, and of how many.

    items     in an order that tells nothing of their strata
    sizes     contents of each stratum
    flagged   contents of each stratum, by category, in which that category asks for something
    withheld  contents that hold the worst material and were not drawn from
    """

    run: str
    seed: int
    items: tuple[Content, ...]
    sizes: Mapping[str, int]
    flagged: Mapping[str, Mapping[str, int]]
    withheld: int

    def to_json(self) -> dict[str, Any]:
        """For `sample.json`; `from_json` gives it back."""
        items = [
            {"sha256": one.sha256, "path": one.path, "action": one.action, "gravest": one.gravest, "asked": one.asked}
            for one in self.items
        ]
        return {
            "format": FORMAT, "run": self.run, "seed": self.seed, "withheld": self.withheld,
            "sizes": self.sizes, "flagged": self.flagged, "items": items,
        }  # fmt: skip

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Sample:
        """The sample as it was written; KeyError, TypeError or ValueError where it was not."""
        if stored["format"] != FORMAT:
            raise ValueError(f"format {stored['format']!r} is not one that this version reads")
        items = tuple(Content(**one, frames=0) for one in stored["items"])
        return cls(stored["run"], stored["seed"], items, stored["sizes"], stored["flagged"], stored["withheld"])


def draw(run: str, contents: Iterable[Content], per_stratum: int, seed: int) -> Sample:
    """At most so many of each stratum; memory holds the sample, not the run."""
    kept: dict[str, list[tuple[int, str, Content]]] = defaultdict(list)
    sizes, flagged, withheld = Counter[str](), defaultdict[str, Counter[str]](Counter), 0
    for one in contents:
        if one.worst:
            withheld += 1
            continue
        sizes[one.stratum] += 1
        flagged[one.stratum].update(one.asked.keys())
        entry = (-_lot(seed, one.stratum, one.sha256), one.sha256, one)
        if len(kept[one.stratum]) < per_stratum:
            heapq.heappush(kept[one.stratum], entry)
        else:
            heapq.heappushpop(kept[one.stratum], entry)
    drawn = [one for some in kept.values() for _, _, one in some]
    drawn.sort(key=lambda one: _lot(seed, "order", one.sha256))
    counts = {stratum: dict(sorted(by_name.items())) for stratum, by_name in sorted(flagged.items())}
    return Sample(run, seed, tuple(drawn), dict(sorted(sizes.items())), counts, withheld)


def _lot(seed: int, place: str, content: str) -> int:
    return int.from_bytes(sha256(f"{seed}\n{place}\n{content}".encode()).digest()[:8])
