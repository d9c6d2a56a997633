"""Detectors that each left some families out, for `benchmarks.detect --folds`; `scripts/train-forensic --folds` asks.

A fold's weights, its expert for lost detail and its threshold have seen nothing of what the fold left out; the limits
of doubt are the shipped model's, which were set on held-out values. The expert for our own generator is mute.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.detect.judges import LISTING
from classifier.conformal import least_rate
from classifier.deployment import Calibration
from classifier.embedded import log_odds, version_of
from classifier.fitting import FOLDS, SEED, Floats, Table, fitted, folds_of, footage_of, shares
from classifier.model import CALIBRATION, Model, write_model
from classifier.roundtrip import Details, lost_of


def write_folds(table: Table, fine: Details, opinions: Floats, shipping: tuple[Model, float, float], to: Path) -> None:
    """Fits and writes every fold, and which fold has not seen a clip.

    fine      the detail of every clip, as it is and after round trips
    opinions  held-out log-odds, (repeats, N, experts)
    shipping  the shipped model, its threshold, and the rate of its threshold
    """
    model, line, rate = shipping
    fold, clips = folds_of(table, SEED), table.of("origin")
    real, values = table.clean & ~table.mimic & ~table.generated, shares(opinions.mean((0, 2)))
    for one in range(FOLDS):
        seen, folder = fold != one, to / f"fold-{one}"
        made = fitted(table, seen)
        kept = ~np.isin(fine.origins, clips[fold == one])
        made = replace(made, limits=model.limits, lost=lost_of(fine.part(kept)))
        made = replace(made, sha256=write_model(made, folder))
        footage = footage_of(table, real & seen, values)
        own = Calibration.of(version_of(made), footage, max(rate, least_rate(len(footage))))
        shift = log_odds(own.threshold) - log_odds(line)  # the band of doubt moves with the threshold
        between = float(shares(np.array(log_odds(model.limits["between"]) + shift)))
        made = replace(made, limits={**model.limits, "between": between})
        made = replace(made, sha256=write_model(made, folder))
        own = replace(own, detector=version_of(made))
        (folder / CALIBRATION).write_text(json.dumps(own.to_json(), indent=1) + "\n")
    unseen = {str(clip): f"fold-{place}" for clip, place in zip(clips, fold, strict=True)}
    (to / LISTING).write_text(json.dumps(unseen, indent=1) + "\n")
