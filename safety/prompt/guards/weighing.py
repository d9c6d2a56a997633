"""From a guard's probability to the scale of the policies, by a calibration file of that guard's own."""

from __future__ import annotations

import math
from pathlib import Path

from safety.errors import ModelUnavailable
from safety.prompt.calibration import Calibration

EDGE = 1e-6  # probabilities of 0 and 1 are as sure as this


def logit(probability: float) -> float:
    """Log odds of a probability, finite."""
    inside = min(max(probability, EDGE), 1.0 - EDGE)
    return math.log(inside / (1.0 - inside))


def calibrated(calibration: Calibration | None, category: str, probability: float) -> float:
    """The value on the policies' scale; the probability itself where nobody calibrated the guard for the category."""
    if calibration is None or category not in calibration.categories:
        return probability
    return calibration.categories[category].value(logit(probability))


def read_calibration(path: Path | None, weights_sha256: str | None) -> Calibration | None:
    """The calibration of a file, or None without one; ModelUnavailable where it belongs to other weights."""
    if path is None:
        return None
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ModelUnavailable(f"{path}: the guard's calibration cannot be read ({error.strerror})") from error
    found = Calibration.parse(raw, str(path))
    if weights_sha256 is not None and found.weights_sha256 != weights_sha256:
        raise ModelUnavailable(f"{path}: calibrates other weights ({found.weights_sha256[:12]}); calibrate this guard")
    return found
