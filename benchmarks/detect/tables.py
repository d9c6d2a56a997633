"""The tables and the picture of the detector's figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.detect.scores import (
    Answered,
    Figure,
    auc,
    figure,
    flagged,
    margin,
    recall_at,
    reliability,
    undecided,
)

HD = 720  # pixels of the shorter side


def summary(title: str, rows: Sequence[Answered], floor: Sequence[Answered] | None) -> None:
    """The headline of one set of files."""
    generated = sum(one.generated for one in rows)
    print(f"\n### {title}: {generated} generated, {len(rows) - generated} real clips\n")
    print("| figure | value [95 % by source] |\n|---|---|")
    for name, found in _figures(rows).items():
        print(f"| {name} | {found} |")
    if floor is not None:
        print(f"| colour floor: AUC | {figure(floor, auc)} |")
        print(f"| margin over the colour floor | {margin(rows, floor)} |")


def _figures(rows: Sequence[Answered]) -> Mapping[str, Figure]:
    still = [one for one in rows if not one.gif]
    clean = [one for one in rows if one.generated or one.side >= HD]
    wanted: dict[str, tuple[Sequence[Answered], Callable[[Sequence[Answered]], float]]] = {
        "AUC": (rows, auc),
        "AUC, without GIFs": (still, auc),
        "recall at 5 % false positives": (rows, lambda some: recall_at(some, 0.05)),
        "recall at 10 % false positives": (rows, lambda some: recall_at(some, 0.10)),
        "recall at 5 %, without GIFs": (still, lambda some: recall_at(some, 0.05)),
        "flagged of generated, at the detector's threshold": (rows, lambda some: flagged(some, True)),
        "flagged of real, at the detector's threshold": (rows, lambda some: flagged(some, False)),
        f"flagged of real whose shorter side is {HD} px or more": (clean, lambda some: flagged(some, False)),
        "without an answer, of generated": ([one for one in rows if one.generated], undecided),
        "without an answer, of real": ([one for one in rows if not one.generated], undecided),
    }
    return {name: figure(some, of) for name, (some, of) in wanted.items()}


def by_source(rows: Sequence[Answered]) -> None:
    """A line a generator, and a line a source of footage."""
    real = [one for one in rows if not one.generated]
    print(
        "\n| generator | clips | AUC against all real | median value | flagged | no answer |\n|---|---|---|---|---|---|"
    )
    for source in sorted({one.source for one in rows if one.generated}):
        own = [one for one in rows if one.source == source]
        line = f"| {source} | {len(own)} | {auc([*own, *real]):.3f} | {_median(own)} | "
        print(line + f"{flagged(own, True):.0%} | {undecided(own):.0%} |")
    print("\n| footage | clips | median value | flagged | no answer |\n|---|---|---|---|---|")
    for source in sorted({one.source for one in real}):
        own = [one for one in real if one.source == source]
        print(f"| {source} | {len(own)} | {_median(own)} | {flagged(own, False):.0%} | {undecided(own):.0%} |")


def worn(rows: Mapping[str, Sequence[Answered]]) -> None:
    """A line a way of wear: what it does to the AUC, to the threshold and to single clips."""
    plain = {one.name: one for one in next(iter(rows.values()))}
    print("\n| wear | AUC | recall at 5 % | flagged gen. | flagged real | no answer | median shift | flips |")
    print("|---|---|---|---|---|---|---|---|")
    for name, some in rows.items():
        pairs = [(plain[one.name], one) for one in some]
        shifts = [abs(a.value - b.value) for a, b in pairs if a.value is not None and b.value is not None]
        flips = np.mean([None not in (a.likely, b.likely) and a.likely is not b.likely for a, b in pairs])
        cells = f"{figure(some, auc)} | {recall_at(some, 0.05):.2f} | {flagged(some, True):.0%} | "
        cells += f"{flagged(some, False):.0%} | {undecided(some):.0%} | "
        print(f"| {name} | {cells}{np.median(shifts) if shifts else float('nan'):.3f} | {flips:.0%} |")


def draw(rows: Mapping[str, Sequence[Answered]], path: Path) -> None:
    """The reliability diagram: of clips with about this value, the share that is generated."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawing, (left, right) = pyplot.subplots(1, 2, figsize=(9.2, 4.2), layout="constrained")
    left.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for name, some in rows.items():
        bins = reliability(some)
        xs, ys, counts = zip(*bins, strict=True)
        errors = [1.96 * (y * (1 - y) / n + 0.25 / n**2) ** 0.5 for y, n in zip(ys, counts, strict=True)]
        left.errorbar(xs, ys, yerr=errors, marker="o", markersize=4, capsize=2, linewidth=1.2, label=name)
    left.set(
        xlabel="value", ylabel="share generated", xlim=(0, 1), ylim=(0, 1), title="Reliability, bins of equal size"
    )
    left.legend(frameon=False)
    some = next(iter(rows.values()))
    grid = np.linspace(0, 1, 26)
    for kind, colour in ((False, "tab:blue"), (True, "tab:red")):
        values = [one.value for one in some if one.generated is kind and one.value is not None]
        right.hist(values, grid, alpha=0.6, color=colour, label="generated" if kind else "real")
    right.set(xlabel="value", ylabel="clips", xlim=(0, 1), title=f"Values, {next(iter(rows))}")
    right.legend(frameon=False)
    drawing.savefig(path, dpi=110)


def _median(rows: Sequence[Answered]) -> str:
    values = [one.value for one in rows if one.value is not None]
    return f"{np.median(values):.2f}" if values else "-"
