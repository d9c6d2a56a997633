"""`python -m benchmarks.prompts DATA [--only PART ...]`: quality and speed of the prompt classifier beside peers.

DATA is the folder of prompt sets (evaluate_only/, train/); what took part in training is marked `seen`. Prints the
tables of `results.md`. Timings are ratios within one run, rounds interleaved. Needs the extra [train], and for peers
better-profanity and alt-profanity-check; for the encoder's baseline transformers.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.prompts import speed, suites
from benchmarks.prompts.figures import Values, areas, flagged, recall_at, share
from benchmarks.prompts.subjects import PEERS, Subject, assay, assay_without_names
from benchmarks.prompts.suites import BENIGN, Suite

REVIEW, BLOCK = 0.5, 0.8
NAMED = ("likeness/public-figure", "ip/*")


def top(subject: Subject, texts: Iterable[str], category: str = "any") -> Values:
    """The largest value over all categories, or over those that a label stands for."""
    out = []
    for text in texts:
        scores = subject(text)
        stem = category.removesuffix("*")
        wanted = [v for c, v in scores.items() if category == "any" or c == "any" or c.startswith(stem)]
        out.append(max(wanted, default=0.0))
    return np.array(out, np.float64)


def quality(found: dict[str, Subject], some: list[Suite], benign: list[str]) -> None:
    """AUROC, AUPRC, recall and over-blocking of whole sets; sets without innocent prompts borrow the video ones."""
    print("| set | subject | AUROC | AUPRC | recall at 1 % FPR | recall at review | innocent flagged at review |")
    print("|---|---|---|---|---|---|---|")
    for suite in some:
        bad, good = suite.of(benign=False), suite.of(benign=True) or benign
        for name, subject in found.items():
            positives, negatives = top(subject, bad), top(subject, good)
            roc, pr = areas(positives, negatives)
            row = [suite.name, name, f"{roc:.3f}", f"{pr:.3f}", recall_at(positives, negatives)]
            print("|", " | ".join([*row, flagged(positives, REVIEW), flagged(negatives, REVIEW)]), "|", flush=True)


def by_category(subject: Subject, some: list[Suite], benign: list[str]) -> None:
    """Per category against innocent video prompts."""
    print("| set | category | n | AUROC | AUPRC | recall at 1 % FPR | at review | at block | any category at review |")
    print("|---|---|---|---|---|---|---|---|---|")
    for suite in some:
        for category in sorted({p.category for p in suite.prompts} - {BENIGN}):
            texts = [p.text for p in suite.prompts if p.category == category]
            positives, negatives = top(subject, texts, category), top(subject, benign, category)
            roc, pr = areas(positives, negatives)
            row = [suite.name, category, str(len(texts)), f"{roc:.3f}", f"{pr:.3f}", recall_at(positives, negatives)]
            row += [flagged(positives, REVIEW), flagged(positives, BLOCK), flagged(top(subject, texts), REVIEW)]
            print("|", " | ".join(row), "|", flush=True)


def over_blocking(subject: Subject, some: list[Suite]) -> None:
    """Innocent sets: how many reach review, and block, and by which categories."""
    print("| innocent set | n | review | of these by other than names | block | by |")
    print("|---|---|---|---|---|---|")
    for suite in some:
        scored = [subject(text) for text in suite.of(benign=True)]
        best = np.array([max(s.values(), default=0.0) for s in scored])
        acts = np.array(
            [max((v for c, v in s.items() if not c.startswith(("ip/", "like"))), default=0.0) for s in scored]
        )
        counts: dict[str, int] = {}
        for scores in scored:
            for category in (c for c, v in scores.items() if v >= REVIEW):
                counts[category] = counts.get(category, 0) + 1
        by = ", ".join(f"{c} {n}" for c, n in sorted(counts.items(), key=lambda x: -x[1]))
        name = suite.name + (" (seen)" if suite.seen else "")
        print(
            f"| {name} | {len(best)} | {flagged(best, REVIEW)} | {flagged(acts, REVIEW)} | {flagged(best, BLOCK)} |",
            by,
            "|",
            flush=True,
        )


def disguises(subject: Subject, some: list[Suite]) -> None:
    """Recall in a disguise over recall in the clear; innocent prompts flagged in a disguise less in the clear."""
    print("| disguise | recall clear | recall disguised | ratio | innocent clear | innocent disguised |")
    print("|---|---|---|---|---|---|")
    bad = [text for suite in some for text in suite.of(benign=False)]
    good = [text for suite in some for text in suite.of(benign=True)]
    clear, calm = top(subject, bad) >= REVIEW, top(subject, good) >= REVIEW
    for index, name in enumerate(suite.name for suite in suites.disguised(some[0])):
        hidden = [suites.disguised(suite)[index] for suite in some]
        found = top(subject, [t for s in hidden for t in s.of(benign=False)]) >= REVIEW
        hit = top(subject, [t for s in hidden for t in s.of(benign=True)]) >= REVIEW
        row = [name, share(int(clear.sum()), len(clear)), share(int(found.sum()), len(found))]
        row += [f"{found.sum() / clear.sum():.3f}", share(int(calm.sum()), len(calm)), share(int(hit.sum()), len(hit))]
        print("|", " | ".join(row), "|", flush=True)


def names(whole: Subject, some: list[Suite], benign: list[Suite]) -> None:
    """What the gazetteer adds: the classifier with it and without, on sets that name people, characters and brands."""
    print("| gazetteer | " + " | ".join(f"{s.name}: {c}, found" for s in some for c in NAMED) + " |", end="")
    print("".join(f" {suite.name}, flagged |" for suite in benign))
    print("|---|" + "---|" * (len(some) * len(NAMED) + len(benign)))
    for name, subject in (("with", whole), ("without", assay_without_names())):
        row = [name]
        for suite in some:
            texts = {c: [p.text for p in suite.prompts if p.category.startswith(c.removesuffix("*"))] for c in NAMED}
            row += [flagged(top(subject, texts[c], c), REVIEW) for c in NAMED]
        row += [flagged(top(subject, suite.of(benign=True)), REVIEW) for suite in benign]
        print("|", " | ".join(row), "|", flush=True)


def main() -> None:
    """Prints the tables, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--only", nargs="*", default=["quality", "categories", "over", "names", "disguises", "languages", "speed"]
    )
    parser.add_argument("--limit", type=int, default=2000, help="prompts of a public set")
    parser.add_argument("--no-peers", action="store_true", help="Assay alone")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    own, public = suites.own(), suites.public(options.data, options.limit)
    benign, subject = own[0].of(benign=True), assay(remember=True)
    sets = [*(suite for suite in own if suite.of(benign=False)), public[0]]
    if "quality" in options.only:
        peers = {} if options.no_peers else {name: made() for name, made in PEERS.items()}
        quality({"Assay": subject} | peers, sets, benign)
    if "categories" in options.only:
        print()
        by_category(subject, [own[0], own[3], own[4], public[0]], benign)
    if "over" in options.only:
        print()
        over_blocking(subject, [own[0], own[3], own[5], *public[1:]])
    if "names" in options.only:
        print()
        names(subject, [public[0], own[3]], [s for s in public if s.name in ("fetv", "vbench")])
    if "disguises" in options.only:
        print()
        disguises(subject, own[:3])
    if "languages" in options.only:
        print()
        quality({"Assay": subject}, suites.languages(), benign)
    if "speed" in options.only:
        print()
        speed.table(sys.stdout)


if __name__ == "__main__":
    main()
