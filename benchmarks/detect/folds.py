"""`python -m benchmarks.detect.folds CACHE FOLDS`: nine detectors, each trained without some families.

CACHE is that of `scripts/train-forensic`, after a run; recipe, folds and weights are that script's own. Limits and the
shift of the expert for our own generator are the shipped model's; a fold's threshold comes from held-out values of
footage of other folds. Writes a folder a fold, and which fold has not seen a clip, for `benchmarks.detect --folds`.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detect.judges import LISTING
from classifier.conformal import least_rate
from classifier.deployment import Calibration
from classifier.embedded import version_of
from classifier.model import CALIBRATION, read_model, write_model

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "train-forensic"


def main(cache: Path, folds: Path) -> None:
    """Fits and writes every fold."""
    train = _script()
    table = train.table_of(cache / "corpus", cache / "numbers")
    ours, opinions = read_model(), train.held_out(table, train.RECIPE)
    fold, clips = train.folds_of(table, train.SEED), table.of("origin")
    fold[table.of("source") == "own"] = -1  # of our own generator's clips none is in DATA: every fold sees them
    real = table.clean & ~table.mimic & ~table.of("generated")
    every = np.ones(len(table.rows), bool)
    shift = ours.known[-1] - train.recogniser(table, every, train.fitted(table, every, train.RECIPE))[-1]
    for one in range(train.FOLDS):
        seen, name = fold != one, f"fold-{one}"
        model = train.fitted(table, seen, train.RECIPE)
        known = train.recogniser(table, seen, model)
        known[-1] += shift
        model = replace(model, known=known, limits=ours.limits)
        model = replace(model, sha256=write_model(model, folds / name))
        values = 1 / (1 + np.exp(-opinions.mean((0, 2))))
        footage = train.footage_of(table, real & seen, values)
        fpr = max(train.FPR, least_rate(len(footage)))  # seventeen sources support 5.6 %, no less
        made = Calibration.of(version_of(model), footage, fpr)
        (folds / name / CALIBRATION).write_text(json.dumps(made.to_json()))
    (folds / LISTING).write_text(json.dumps({str(c): f"fold-{k}" for c, k in zip(clips, fold, strict=True) if k >= 0}))


def _script() -> Any:
    loader = SourceFileLoader("train_forensic", str(SCRIPT))
    spec = importlib.util.spec_from_loader("train_forensic", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["train_forensic"] = module  # its dataclasses look their module up
    loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
