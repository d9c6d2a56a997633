"""The embedded forensic detector: canonical stretches, experts on their numbers, a threshold, and when it is mute.

It comes with the package and needs no download. What it was trained on, what it reaches on generators and cameras that
it never saw, and where it fails: docs/model-cards/forensic.md.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.canonical import SHORTEST, Stretch, stretches
from classifier.deployment import Calibration, read_calibration
from classifier.features import groups_of, named
from classifier.model import CALIBRATION, FOLDER, Model, read_model
from classifier.signal import ForensicSignal
from media import AssayError, Video, probe

SMALLEST: Final = 112  # pixels of the shorter side; half of what the model sees would be invented below
LOST: Final = "too few lines of real detail (scaled down and up, or blurred); the detector reads the finest ones"
STILL: Final = 0.35  # grey levels between pictures, on average; below it there is no motion to speak of
Floats = NDArray[np.float64]
_DECODER_ERRORS = (av.FFmpegError, cv2.error, ValueError, RuntimeError, MemoryError, ArithmeticError)


class EmbeddedForensic:
    """The detector that ships. Raises ModelUnavailable where weights or calibration are not the trained ones."""

    name, revision = "assay-forensic", "1"

    def __init__(self, folder: Path = FOLDER) -> None:
        self._model: Model = read_model(folder)
        self._calibration: Calibration = read_calibration(folder / CALIBRATION, self.version)

    @property
    def version(self) -> str:
        """name@revision and the weights' hash."""
        return version_of(self._model)

    @property
    def calibration(self) -> Calibration:
        """The threshold that ships, and the real footage behind it."""
        return self._calibration

    def at(self, threshold: float) -> EmbeddedForensic:
        """The same under another threshold; below it the band in which nothing is said keeps its width in log-odds."""
        shifted = log_odds(threshold) - log_odds(self._calibration.threshold)
        between = probability(log_odds(self._model.limits["between"]) + shifted)
        moved = copy(self)
        moved._calibration = replace(self._calibration, threshold=threshold)
        moved._model = replace(self._model, limits={**self._model.limits, "between": between})
        return moved

    def judge(self, video: Video | Path) -> ForensicSignal:
        """See `ForensicDetector.judge`; walks the whole video and keeps at most four stretches of 1.5 s."""
        try:
            found = stretches(video if isinstance(video, Video) else probe(video))
        except AssayError as error:
            return self._mute(str(error))
        except _DECODER_ERRORS as error:
            return self._mute(f"its pictures cannot be brought into canonical form ({error!s:.120})")
        return self.heard(found)

    def heard(self, found: list[Stretch]) -> ForensicSignal:
        """What it says of canonical stretches; `judge` is this after `stretches`."""
        if silence := silenced(found):
            return self._mute(silence)
        gone = bool(self._model.coarse(np.stack([one.detail for one in found])).mean() > 0)
        if unmoved(found) and not gone:  # what is soft seems to move less, and must not pass for a still
            return self._mute("its pictures hardly differ; a still shown as video has no motion to judge")
        numbers = np.stack([vector(one, self._model.names) for one in found])
        opinions = self._model.opinions(numbers)  # (stretches, experts)
        known = self._model.recognised(numbers)  # (stretches,)
        each = np.maximum(opinions.mean(1), known)
        value, line = probability(max(opinions.mean(), known.mean())), self._calibration.threshold
        doubt = LOST if gone else doubted(self._model, numbers, opinions, line)
        doubt = None if probability(known.mean()) >= line else doubt
        return ForensicSignal(
            value=value,
            absence=doubt,
            fpr=self._calibration.fpr,
            threshold=line,
            likely=None if doubt else value >= line,
            segments=tuple((one.start_s, one.end_s, probability(odds)) for one, odds in zip(found, each, strict=True)),
            version=self.version,
        )

    def _mute(self, reason: str) -> ForensicSignal:
        line = self._calibration
        return ForensicSignal(None, reason, line.fpr, line.threshold, None, (), self.version)


def version_of(model: Model) -> str:
    """What names a model and ties a calibration to it."""
    return f"{EmbeddedForensic.name}@{EmbeddedForensic.revision}+{model.sha256[:12]}"


def vector(stretch: Stretch, names: tuple[str, ...]) -> Floats:
    """The numbers of these names, in their order."""
    found = named(stretch.luma, stretch.chroma, groups_of(names))
    return np.array([found[name] for name in names], np.float64)


def probability(odds: float) -> float:
    """The value in [0, 1] for log-odds."""
    return 1 / (1 + math.exp(-min(max(float(odds), -30.0), 30.0)))


def log_odds(value: float) -> float:
    """The inverse of `probability`, finite at both ends."""
    inside = min(max(value, 1e-9), 1 - 1e-9)
    return math.log(inside / (1 - inside))


def silenced(found: list[Stretch]) -> str | None:
    """Why nothing can be said at all: too few pictures, or too small ones."""
    if not found:
        return f"fewer than {SHORTEST} pictures at about 8 a second, which is too few to judge"
    side = min(one.side for one in found)
    if side < SMALLEST:
        return f"its pictures are {side} pixels on their shorter side; below {SMALLEST} too little is left to judge"
    return None


def unmoved(found: list[Stretch]) -> bool:
    """Whether the pictures of every stretch hardly differ."""
    return all(liveliness(one) < STILL for one in found)


def liveliness(stretch: Stretch) -> float:
    """Mean difference of following pictures, grey levels."""
    steps = np.abs(np.diff(stretch.luma.astype(np.int16), axis=0))
    return float(steps.mean())


def doubted(model: Model, numbers: Floats, opinions: Floats, line: float) -> str | None:
    """Why a value is held against no threshold, where detail is not lost: pictures unknown, experts apart, or a close
    value.

    numbers (stretches, n); opinions (stretches, experts), log-odds; line, the threshold.
    """
    if model.strangeness(numbers).mean() > model.limits["strange"]:
        return "unlike anything that the detector was fitted on (stylised, or a test picture?)"
    apart = model.spoken(numbers).mean(0)  # not by rank, which hides how far they are
    if float(apart.max() - apart.min()) > model.limits["apart"]:
        return "light and colour of its finest detail speak against each other"
    if model.limits["between"] <= probability(opinions.mean()) < line:
        return "the score lies between most of camera footage and the threshold"
    return None
