"""`python -m benchmarks.banks.stamped DIR`: copies by the classifier as it ships, quarters included; stills only."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.banks.subjects import COPIES
from media import Frame, read_image
from safety.frame.banks import BankClassifier, BankStore, Card, signals_of
from safety.frame.banks.pdq import QUALITY, pdq


def main(folder: Path) -> None:
    """Percent of copies that match, and other stills that do."""
    files = [file for file in sorted(folder.rglob("*.jpg")) if pdq(read_image(file).pixels).quality >= QUALITY + 10]
    order = np.random.default_rng(0).permutation(len(files))
    banked, others = [files[n] for n in order[:500]], [files[n] for n in order[500:]]
    with tempfile.TemporaryDirectory() as home:
        store = BankStore.create(Path(home), Card("known"))
        store.add([signal for n, file in enumerate(banked) for signal in signals_of(file, f"p{n}")])
        eye = BankClassifier(store.load())
    print("| copy of 500 stills | found |\n|---|---|")
    for name, change in COPIES.items():
        shown = [Frame(np.ascontiguousarray(change(read_image(f).pixels, n)), 0, 0.0) for n, f in enumerate(banked)]
        found = sum(answer["bank/known"][0] >= 0.5 for answer in eye.score(shown))  # type: ignore[operator]
        print(f"| {name} | {100 * found / len(shown):.1f} % |", flush=True)
    hits = [eye.score([read_image(f)])[0]["bank/known"][1] for f in others]
    matched = sum(hit is not None for hit in hits)
    print(f"\nother stills that match (neighbours of one camera among them): {matched} of {len(hits)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
