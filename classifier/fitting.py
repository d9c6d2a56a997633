"""How the embedded detector is fitted: tables of numbers, weights by source, folds of whole families, linear experts.

Nothing of it runs in use; `scripts/train-forensic`, the benchmark and the gates of the test suite stand on it. Needs
scikit-learn.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from classifier.canonical import decode
from classifier.detail import NUMBERS
from classifier.features import named
from classifier.model import CLIP, RANKS, Model

SEED: Final = 20261122
FOLDS: Final = 9
REPEATS: Final = 3
OWN: Final = "own"  # source and family of clips of the project's own generator
MORE: Final = "x-"  # how sources of additional footage begin
LIGHT: Final = {OWN: 1 / 3, MORE: 1 / 4}  # what such a source weighs beside others

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Recipe:
    """How a model is made."""

    experts: tuple[tuple[str, ...], ...]  # of each expert, how the names of the numbers begin that it sees
    strength: float  # inverse of the penalty
    worn: float  # share of re-encoded copies in each class's weight
    mimics: float = 0.0  # weight of content-matched fakes beside the generated clips


LUMA: Final = tuple(f"signs/whole/{kind}/3" for kind in ("rise", "bend", "upright", "square"))
RECIPE: Final = Recipe((LUMA, LUMA[:1], ("chroma/spectrum/peaks",), ("chroma/spectrum/ring",)), 0.01, 0.4)


@dataclass(frozen=True, eq=False)
class Table:
    """Every copy's numbers, and what is known of the copy."""

    numbers: Floats  # (N, n)
    colours: Floats  # (N, c)
    names: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]  # each the JSON of a `classifier.corpus.Copy`

    def of(self, key: str) -> NDArray[Any]:
        """One property of every copy."""
        return np.array([row[key] for row in self.rows])

    @property
    def generated(self) -> Flags:
        """Which copies are of generated clips, or fakes."""
        return self.of("generated").astype(bool)

    @property
    def own(self) -> Flags:
        """Which copies are of the project's own generator."""
        return np.asarray(self.of("source") == OWN)

    @property
    def more(self) -> Flags:
        """Which copies are of additional footage."""
        return np.asarray(np.char.startswith(self.of("source"), MORE))

    @property
    def mimic(self) -> Flags:
        """Which copies are fakes made of real clips."""
        return np.array(["@" in row["how"] for row in self.rows])

    @property
    def clean(self) -> Flags:
        """Which copies were made of a file as it is."""
        return np.array([row["how"] == "canonical" or row["how"].startswith("native") for row in self.rows])


def joined(*tables: Table) -> Table:
    """Tables of the same numbers as one."""
    first = tables[0]
    if any(one.names != first.names for one in tables):
        raise ValueError("tables of different numbers cannot be joined; measure them again in one go")
    return Table(
        np.concatenate([one.numbers for one in tables]),
        np.concatenate([one.colours for one in tables]),
        first.names,
        tuple(row for one in tables for row in one.rows),
    )


def table_of(corpus: Path, cache: Path, groups: Sequence[str] = ("signs", "chroma")) -> Table:
    """The numbers of every copy in a corpus; those in the cache are not measured again."""
    cache.mkdir(parents=True, exist_ok=True)
    numbers, colours, rows = [], [], []
    names: tuple[str, ...] = ()
    for listing in sorted(corpus.glob("*.jsonl")):
        entries = [json.loads(line) for line in listing.read_text().splitlines()]
        if not entries:
            continue
        kept = cache / f"{listing.stem}.npz"
        if not kept.exists():
            _measure([corpus / f"{listing.stem}.{one['how']}.h264" for one in entries], groups, kept)
        with np.load(kept, allow_pickle=False) as arrays:
            numbers.append(arrays["numbers"].astype(np.float64))
            colours.append(arrays["colours"].astype(np.float64))
            names = tuple(map(str, arrays["names"]))
        rows += entries
    return Table(np.concatenate(numbers), np.concatenate(colours), names, tuple(rows))


def _measure(streams: Sequence[Path], groups: Sequence[str], kept: Path) -> None:
    planes = [decode(one.read_bytes()) for one in streams]
    found = [named(*one, groups) for one in planes]
    np.savez(
        kept,
        numbers=np.array([list(one.values()) for one in found], np.float32),
        colours=np.array([colours_of(*one) for one in planes], np.float32),
        names=np.array(list(found[0])),
    )


def colours_of(luma: NDArray[np.uint8], chroma: NDArray[np.uint8]) -> list[float]:
    """The colour floor: brightness, contrast and colour, of which nothing enters the detector: 28 numbers."""
    planes = [luma.astype(np.float32), chroma[:, 0].astype(np.float32), chroma[:, 1].astype(np.float32)]
    vivid = np.hypot(planes[1] - 128, planes[2] - 128)
    parts = [[p.mean(), p.std(), *np.quantile(p, (0.05, 0.25, 0.5, 0.75, 0.95))] for p in (*planes, vivid)]
    return [float(value) for part in parts for value in part]


def weights_of(table: Table, used: Flags, generated: Flags, worn: float, mimics: float) -> Floats:
    """Weight of every copy: both classes alike, sources by the root of their clips, clips alike, copies alike.

    `worn`: share of the re-encoded copies; `mimics`: share of content-matched fakes beside the generated clips.
    """
    mimic, clean = table.mimic, table.clean
    source, clip = table.of("source"), table.of("origin")
    weights = np.zeros(len(used))
    for label in (False, True):
        shares = {"clean": 1 - worn, "worn": worn, "mimic": mimics * label}
        kinds = {"clean": clean & ~mimic, "worn": ~clean & ~mimic, "mimic": mimic}
        for kind, share in shares.items():
            chosen = np.flatnonzero(used & (generated == label) & kinds[kind])
            if len(chosen) and share:
                weights[chosen] = share * _fair(source[chosen], clip[chosen])
        chosen = np.flatnonzero(used & (generated == label))
        weights[chosen] /= weights[chosen].sum()
    return np.asarray(weights * used.sum() / 2, np.float64)


def _fair(source: NDArray[Any], clip: NDArray[Any]) -> Floats:
    """Weights that sum to 1: a source counts as the root of its clips, those of LIGHT less."""
    weights = np.zeros(len(source))
    for one in set(source):
        mine = source == one
        clips, counts = np.unique(clip[mine], return_counts=True)
        copies = dict(zip(clips, counts, strict=True))
        share = len(clips) ** 0.5 * next((less for start, less in LIGHT.items() if one.startswith(start)), 1.0)
        weights[mine] = [share / len(clips) / copies[name] for name in clip[mine]]
    return np.asarray(weights / weights.sum(), np.float64)


def fitted(table: Table, used: Flags, recipe: Recipe = RECIPE, labels: Flags | None = None) -> Model:
    """The model that the used copies make, without limits; `labels` replaces their classes (a permutation test)."""
    generated = table.generated if labels is None else labels
    weights = weights_of(table, used, generated, recipe.worn, recipe.mimics)
    chosen = weights > 0
    X, w, y = table.numbers[chosen], weights[chosen] / weights[chosen].mean(), generated[chosen]
    centre = np.average(X, axis=0, weights=w)
    spread = np.sqrt(np.average((X - centre) ** 2, axis=0, weights=w)) + 1e-6
    standard = np.clip((X - centre) / spread, -CLIP, CLIP)
    rows, biases = [], []
    for prefixes in recipe.experts:
        seen = np.array([name.startswith(prefixes) for name in table.names])
        line = LogisticRegression(C=recipe.strength, max_iter=400).fit(standard[:, seen], y, sample_weight=w)
        row = np.zeros(len(table.names))
        row[seen] = line.coef_[0]
        rows.append(row)
        biases.append(float(line.intercept_[0]))
    silent = np.append(np.zeros(len(table.names)), -30.0)
    mute = np.append(np.zeros(NUMBERS), -30.0)
    flat = np.zeros((len(rows), RANKS))
    model = Model(table.names, centre, spread, np.stack(rows), np.array(biases), flat, silent, mute, {}, "")
    ranked = used & table.clean & ~table.mimic & ~table.own
    said = model.spoken(table.numbers[ranked])
    return replace(model, grid=np.quantile(said, np.linspace(0, 1, RANKS), axis=0).T)


def folds_of(table: Table, seed: int) -> NDArray[np.intp]:
    """A fold for every copy: whole families, of generators and of cameras, dealt out anew for each seed.

    Additional footage is dealt last, so that the others' folds do not depend on it.
    """
    rng, found = np.random.default_rng(seed), dict[str, int]()
    family, truth, more = table.of("family"), table.generated & ~table.mimic, table.more
    for some in (truth, ~truth & ~more, more):
        for place, name in enumerate(rng.permutation(sorted(set(family[some])))):
            found.setdefault(str(name), place % FOLDS)
    return np.array([found[name] for name in family])


def held_out(
    table: Table, recipe: Recipe, repeats: int = REPEATS, labels: Flags | None = None, ranked: bool = True
) -> Floats:
    """Log-odds of every clean copy by models that saw nothing of its family: (repeats, N, experts), NaN elsewhere.

    ranked  as the experts vote; else what they say before that
    """
    found = np.full((repeats, len(table.rows), len(recipe.experts)), np.nan)
    asked = table.clean & ~table.mimic
    for repeat in range(repeats):
        fold = folds_of(table, SEED + repeat)
        for one in range(FOLDS):
            model = fitted(table, fold != one, recipe, labels)
            there = asked & (fold == one)
            voiced = model.opinions if ranked else model.spoken
            found[repeat, there] = voiced(table.numbers[there])
    return found


def recogniser(table: Table, used: Flags, model: Model) -> Floats:
    """Weights and bias of the expert for our own generator: its clips against camera footage, (n + 1,)."""
    chosen = used & ~table.mimic & (~table.generated | table.own)
    w = weights_of(table, chosen, table.generated, 0.6, 0.0)[chosen]
    standard = model.standard(table.numbers[chosen])
    line = LogisticRegression(C=0.1, max_iter=400).fit(standard, table.generated[chosen], sample_weight=w)
    return np.append(line.coef_[0], line.intercept_[0])


def recognised(table: Table, model: Model | None = None) -> Floats:
    """What that expert says of every copy when its camera's family, or its own clip, was left out; NaN elsewhere.

    model  whose centre and spread are used; None: fitted without the fold each time
    """
    fold, rng = folds_of(table, SEED), np.random.default_rng(SEED)
    own, clip = table.own, table.of("origin")
    dealt = {name: int(rng.integers(FOLDS)) for name in sorted(set(clip[own]))}
    fold[own] = [dealt[name] for name in clip[own]]
    found = np.full(len(fold), np.nan)
    for one in range(FOLDS):
        seen = fold != one
        base = fitted(table, seen) if model is None else model
        line = recogniser(table, seen, base)
        there = (fold == one) & (own | ~table.generated)
        found[there] = replace(base, known=line).recognised(table.numbers[there])
    return found


def footage_of(table: Table, real: Flags, values: Floats) -> dict[str, list[float | None]]:
    """Values (N,) of real clips by source, a clip's copies averaged; `real` says which copies count."""
    footage: dict[str, list[float | None]] = {}
    for name in sorted(set(table.of("origin")[real])):
        mine = real & (table.of("origin") == name)
        footage.setdefault(str(table.of("source")[mine][0]), []).append(float(values[mine].mean()))
    return footage


def shares(odds: Floats) -> Floats:
    """Values in [0, 1] for log-odds."""
    return np.asarray(1 / (1 + np.exp(-odds)), np.float64)


def write_table(table: Table, path: Path) -> None:
    """One clean copy of each clip: numbers, class and the numbers of family and source, nothing else of the clip.

    It is what the gates of the test suite are run on.
    """
    chosen = np.array([row["how"] == "canonical" for row in table.rows])
    names = [name for name in table.names if name.startswith(tuple(p for one in RECIPE.experts for p in one))]
    places = [table.names.index(name) for name in names]
    groups = {key: np.unique(table.of(key)[chosen], return_inverse=True)[1] for key in ("family", "source")}
    numbers = table.numbers[chosen][:, places].astype(np.float16)
    np.savez_compressed(
        path, numbers=numbers, names=np.array(names), generated=table.generated[chosen], family=groups["family"],
        source=groups["source"],
    )  # fmt: skip


def read_table(path: Path) -> Table:
    """The table that `write_table` wrote; families and sources are numbers, colours are not kept."""
    with np.load(path, allow_pickle=False) as arrays:
        numbers, names = arrays["numbers"].astype(np.float64), tuple(map(str, arrays["names"]))
        facts = zip(arrays["generated"].tolist(), arrays["family"].tolist(), arrays["source"].tolist(), strict=True)
    rows = tuple(
        {"origin": str(n), "how": "canonical", "generated": made, "family": f"f{family}", "source": f"s{source}"}
        for n, (made, family, source) in enumerate(facts)
    )
    return Table(numbers, np.zeros((len(rows), 0)), names, rows)
