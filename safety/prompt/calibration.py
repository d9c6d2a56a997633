"""The calibration file: from a model's logits to values that one threshold can serve, and where thresholds lie.

    {"format": "assay-calibration/1", "model": NAME, "weights_sha256": HEX,
     "encoder_sha256": HEX, "encoder_categories": [CATEGORY, ...],    # where an encoder belongs to it
     "categories": {CATEGORY: {
        "mix": {"encoder", "linear", "listed", "bias", "weak"},  # what is summed to the logit; without it, the linear
                                                 # model's; weak: the share of it that a signal of weak words counts
        "knots": [[logit, value], ...],          # a rising, piecewise linear map; flat outside its ends
        "review": POINT, "block": POINT}}}
    POINT = {"threshold", "logit", "fpr", "false_positives", "n", "interval": [lo, hi]}

A value is a place on the scale of false positives on benign prompts of sources that were left out of training: at the
review threshold (0.5) the stated share of them is flagged, at the block threshold (0.8) a smaller one. `interval` is
the exact 95 % binomial interval of that share.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from safety.errors import ModelUnavailable

FORMAT = "assay-calibration/1"
REVIEW, BLOCK = 0.5, 0.8


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold, and the share of benign prompts that reach it."""

    threshold: float
    fpr: float
    false_positives: int
    n: int
    interval: tuple[float, float]


@dataclass(frozen=True)
class Mix:
    """What the encoder's logit, the linear model's logit and the lexicon's signal weigh in the logit of a category.

    `weak`: the share that counts of a signal below review, which is made of words that say little each.
    """

    encoder: float = 0.0
    linear: float = 1.0
    listed: float = 0.0
    bias: float = 0.0
    weak: float = 1.0


@dataclass(frozen=True)
class CategoryCalibration:
    """The map of one category: knots (logit, value), rising in both; its two operating points; what is mixed."""

    knots: tuple[tuple[float, float], ...]
    review: OperatingPoint
    block: OperatingPoint
    mix: Mix = Mix()

    def value(self, logit: float) -> float:
        """The calibrated value in [0, 1] of a logit."""
        xs, ys = zip(*self.knots, strict=True)
        return float(np.interp(logit, xs, ys))


@dataclass(frozen=True)
class Calibration:
    """A whole file."""

    model: str
    weights_sha256: str
    categories: Mapping[str, CategoryCalibration]
    encoder_sha256: str | None = None
    encoder_categories: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: bytes, origin: str) -> Calibration:
        """Reads a calibration file; raises ModelUnavailable where it breaks the format or a map does not rise."""
        try:
            document = json.loads(raw)
            if document["format"] != FORMAT:
                raise ValueError(f"format is {document['format']!r}, not {FORMAT!r}")
            categories = {name: _category(name, entry) for name, entry in document["categories"].items()}
            heads = tuple(document.get("encoder_categories", ()))
            mixed = [name for name, entry in categories.items() if entry.mix.encoder and name not in heads]
            if mixed:
                raise ValueError(f"{', '.join(mixed)}: the encoder has no such category")
            return cls(document["model"], document["weights_sha256"], categories, document.get("encoder_sha256"), heads)
        except (ValueError, KeyError, TypeError) as error:
            raise ModelUnavailable(
                f"{origin}: no calibration file ({error!r}); reinstall Assay or recalibrate"
            ) from error


def _category(name: str, entry: Mapping[str, object]) -> CategoryCalibration:
    knots = tuple((float(x), float(y)) for x, y in entry["knots"])  # type: ignore[attr-defined]  # ValueError if not pairs
    rising = all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(knots))
    if len(knots) < 2 or not rising or not all(0.0 <= y <= 1.0 and np.isfinite(x) for x, y in knots):
        raise ValueError(f"{name}: the knots must rise, with values in [0, 1]")
    mix = Mix(**{part: float(weight) for part, weight in entry.get("mix", {}).items()})  # type: ignore[attr-defined]
    if not all(np.isfinite(weight) for weight in vars(mix).values()):
        raise ValueError(f"{name}: the weights of the mix must be numbers")
    return CategoryCalibration(knots, _point(entry["review"]), _point(entry["block"]), mix)


def _point(entry: object) -> OperatingPoint:
    if not isinstance(entry, dict):
        raise ValueError("an operating point is an object")
    low, high = entry["interval"]
    return OperatingPoint(
        float(entry["threshold"]),
        float(entry["fpr"]),
        int(entry["false_positives"]),
        int(entry["n"]),
        (float(low), float(high)),
    )
