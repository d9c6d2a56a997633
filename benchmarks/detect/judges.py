"""Who judges which clip."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

from classifier.corpus import Origin
from classifier.embedded import EmbeddedForensic

LISTING = "left-out.json"


def shipped() -> Callable[[Origin], EmbeddedForensic]:
    """The detector as it ships, for every clip. Of clips that it was trained on this says nothing."""
    detector = EmbeddedForensic()
    return lambda origin: detector


def left_out(folds: Path) -> Callable[[Origin], EmbeddedForensic]:
    """For each clip, the detector whose training left the clip's whole family out.

    `folds` is what `scripts/train-forensic DATA --folds FOLDER` writes: a folder of weights and calibration a fold, and
    `left-out.json`, which says for each clip the fold that has not seen it.
    """
    unseen: dict[str, str] = json.loads((folds / LISTING).read_text())

    @cache
    def detector(fold: str) -> EmbeddedForensic:
        return EmbeddedForensic(folds / fold)

    return lambda origin: detector(unseen[origin.name])
