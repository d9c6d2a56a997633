"""A calibration file for picture models: from raw values to values that one threshold can serve.

    {"format": "assay-picture-calibration/1", "model_sha256": HEX, "on": what it was measured on, in words,
     "categories": {CATEGORY: {"knots": [[raw, value], ...], "n": pictures, "fpr": [at 0.5, at 0.8]}}}

As with prompts, a value is a place on the scale of false positives: at 0.5 the stated share of benign pictures is
flagged, at 0.8 a smaller one. Maps rise and are piecewise linear, so order is kept and nothing is reached by accident.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from safety.errors import ModelUnavailable

FORMAT = "assay-picture-calibration/1"
REVIEW, BLOCK = 0.5, 0.8

Knots = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Scale:
    """The maps of a model's categories; a category without one keeps its raw value."""

    model_sha256: str
    categories: Mapping[str, Knots]

    def value(self, category: str, raw: float) -> float:
        """The calibrated value; NaN stays NaN."""
        knots = self.categories.get(category)
        if knots is None:
            return raw
        xs, ys = zip(*knots, strict=True)
        return float(np.interp(raw, xs, ys))


def read_scale(path: Path, model_sha256: str | None) -> Scale:
    """The scale in a file; ModelUnavailable where it is none, or belongs to another model."""
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']!r}, not {FORMAT!r}")
        maps = {name: _knots(entry["knots"]) for name, entry in document["categories"].items()}
        scale = Scale(document["model_sha256"], maps)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailable(f"{path}: no calibration file ({error!r:.300}); see docs/models.md") from error
    if scale.model_sha256 != model_sha256:
        raise ModelUnavailable(
            f"{path}: made for the model {scale.model_sha256[:12]}, not {str(model_sha256)[:12]}; calibrate again"
        )
    return scale


def _knots(given: Sequence[Sequence[float]]) -> Knots:
    knots = tuple((float(x), float(y)) for x, y in given)
    rising = all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(knots))
    if len(knots) < 2 or not rising or not all(0.0 <= number <= 1.0 for knot in knots for number in knot):
        raise ValueError("knots must rise, and lie in [0, 1]")
    return knots


def scale_document(
    model_sha256: str, benign: Mapping[str, Sequence[float]], on: str, fpr: tuple[float, float] = (0.01, 0.001)
) -> str:
    """A calibration file from raw values of benign pictures: `fpr` of them at most reach 0.5, and 0.8.

    ValueError where there are too few pictures to know the second share: one in `fpr` is the least.
    """
    categories = {}
    for name, values in benign.items():
        ordered = np.sort(np.asarray(values, np.float64))
        if not len(ordered) * fpr[1] >= 1.0:
            raise ValueError(f"{name}: {len(ordered)} benign pictures cannot show a share of {fpr[1]}")
        # A threshold lies above the largest value that must not reach it, by more than interpolation rounds.
        review, block = (float(ordered[-1 - int(len(ordered) * share)]) + 1e-6 for share in fpr)
        review, block = min(review, 0.999), min(max(block, review + 1e-6), 0.9999)
        knots = [[0.0, 0.0], [review, REVIEW], [block, BLOCK], [1.0, 1.0]]
        categories[name] = {"knots": knots, "n": len(ordered), "fpr": list(fpr)}
    document = {"format": FORMAT, "model_sha256": model_sha256, "on": on, "categories": categories}
    return json.dumps(document, indent=1)
