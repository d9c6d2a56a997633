"""Figures of the training run: areas, recall and intervals of values that left whole families out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from assay.intervals import clopper_pearson
from classifier.fitting import SEED, Flags, Floats, Recipe, Table, held_out

RECENT = (
    "cogvideox", "cogvideox-1.5", "cosmos-predict1", "hunyuan-framepack", "ltx2-fastvideo", "ltx2-turbot2av",
    "wan2.1", "wan2.x-turbodiffusion",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Clips:
    """One row a clip: the mean of its held-out values, and what it is."""

    values: Floats
    generated: Flags
    gif: Flags
    source: NDArray[Any]

    def part(self, chosen: NDArray[Any]) -> Clips:
        """Some of the clips."""
        return Clips(self.values[chosen], self.generated[chosen], self.gif[chosen], self.source[chosen])

    def auc(self) -> float:
        """Area under the curve, all clips alike."""
        return float(roc_auc_score(self.generated, self.values))

    def line(self, fpr: float) -> float:
        """The value that this share of real clips lies above."""
        return float(np.quantile(self.values[~self.generated], 1 - fpr))

    def recall(self, fpr: float) -> float:
        """Share of generated clips above that line."""
        return float((self.values[self.generated] > self.line(fpr)).mean())

    def recent(self, fpr: float) -> float:
        """Share of recent top generators' clips above that line; nan where there is none."""
        mine = np.isin(self.source, RECENT)
        return float((self.values[mine] > self.line(fpr)).mean()) if mine.any() else float("nan")


def clips_of(table: Table, values: Floats, canonical: bool, more: bool = False) -> Clips:
    """The project's data (no clips of our own) as canonical or as native files, from values (N,) of copies.

    `more` adds the additional footage to the real clips.
    """
    how, clip = table.of("how"), table.of("origin")
    asked = (how == "canonical" if canonical else np.char.startswith(how, "native")) & ~table.own & ~table.more
    asked |= table.more & table.clean & more
    found = []
    for name in sorted(set(clip[asked])):
        mine = np.flatnonzero(asked & (clip == name))
        row = table.rows[mine[0]]
        found.append((values[mine].mean(), row["generated"], row["gif"], row["source"]))
    return Clips(*(np.array(column) for column in zip(*found, strict=True)))


def interval(clips: Clips, figure: Callable[[Clips], float], draws: int = 300) -> list[float]:
    """95 % interval by bootstrap over sources, each class by itself."""
    rng, found = np.random.default_rng(SEED), []
    groups = [sorted(set(clips.source[clips.generated == label])) for label in (False, True)]
    where = {name: np.flatnonzero(clips.source == name) for group in groups for name in group}
    for _ in range(draws):
        rows = np.concatenate([where[name] for group in groups for name in rng.choice(group, len(group))])
        found.append(figure(clips.part(rows)))
    return [round(float(value), 3) for value in np.nanquantile(found, (0.025, 0.975))]


def gain(ours: Clips, theirs: Clips) -> dict[str, Any]:
    """The paired difference of the areas, with its interval by source."""
    both = Clips(np.stack([ours.values, theirs.values], 1), ours.generated, ours.gif, ours.source)

    def difference(clips: Clips) -> float:
        first, last = (roc_auc_score(clips.generated, clips.values[:, k]) for k in (0, 1))
        return float(first - last)

    return {"gain": round(difference(both), 3), "interval": interval(both, difference)}


def measured(table: Table, values: Floats) -> dict[str, Any]:
    """Figures of held-out clips, canonical and native."""
    found: dict[str, Any] = {}
    for kind, canonical in (("canonical", True), ("native", False)):
        every, more = clips_of(table, values, canonical), clips_of(table, values, canonical, more=True)
        kinds = {kind: every, f"{kind}, no GIF": every.part(~every.gif)}
        if len(more.values) > len(every.values):
            kinds[f"{kind}, and more footage"] = more
        for name, clips in kinds.items():
            found[name] = {
                "clips": len(clips.values),
                "auc": round(clips.auc(), 3),
                "auc_interval": interval(clips, Clips.auc),
                "recall_at_5": round(clips.recall(0.05), 3),
                "recall_at_5_interval": interval(clips, lambda some: some.recall(0.05)),
                "recall_at_10": round(clips.recall(0.1), 3),
                "recent_at_5": round(clips.recent(0.05), 3),
                "recent_at_5_interval": interval(clips, lambda some: some.recent(0.05)),
            }
    return found


def permutation(table: Table, recipe: Recipe, rounds: int = 5) -> dict[str, Any]:
    """The area under labels dealt out anew among whole families: no better than chance, or something leaks."""
    rng, family, areas = np.random.default_rng(SEED), table.of("family"), []
    dealt_recipe = replace(recipe, mimics=0.0)
    names = sorted(set(family))
    truth = {name: bool(table.generated[(family == name) & ~table.mimic].mean() > 0.5) for name in names}
    of_source = {row["source"]: row["family"] for row in table.rows}
    for _ in range(rounds):
        dealt = dict(zip(names, rng.permutation([truth[name] for name in names]), strict=True))
        labels = np.array([dealt[name] for name in family])
        clips = clips_of(table, held_out(table, dealt_recipe, 1, labels).mean((0, 2)), True)
        areas.append(float(roc_auc_score([dealt[of_source[name]] for name in clips.source], clips.values)))
    return {"mean": round(float(np.mean(areas)), 3), "highest": round(max(areas), 3), "rounds": rounds}


def by_source(clips: Clips, line: float) -> dict[str, Any]:
    """Of each source: clips, and the share above the line with its exact interval."""
    found = {}
    for name in sorted(set(clips.source)):
        mine = clips.source == name
        hits, of = int((clips.values[mine] >= line).sum()), int(mine.sum())
        low, high = clopper_pearson(hits, of)
        kind = "generated" if clips.generated[mine][0] else "real"
        found[name] = {
            "class": kind,
            "clips": of,
            "flagged": round(hits / of, 3),
            "interval": [round(low, 3), round(high, 3)],
        }
    return found
