"""A deployment's own threshold: a file that belongs to one detector, made of the deployment's own real footage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from classifier.conformal import Footage, Rate, held_out, least_rate, threshold
from classifier.signal import ForensicDetector, ForensicSignal
from media import Video
from safety import ModelUnavailable

FORMAT = "assay-detect-calibration/1"


@dataclass(frozen=True)
class Calibration:
    """What the footage supports.

    detector    the version of the detector that judged it; no other may use this file
    held_out    the share flagged of each source by the threshold of the others; None where they are too few
    undecided   clips about which the detector would not answer; they are never flagged
    statistics  numbers of real footage that the detector itself compares with, of sources that the threshold
                was not set on; None for detectors that need none
    """

    detector: str
    threshold: float
    fpr: float
    sources: int
    clips: int
    undecided: int
    held_out: Rate | None
    statistics: Mapping[str, Sequence[float]] | None = None

    @classmethod
    def of(
        cls, detector: str, footage: Footage, fpr: float, statistics: Mapping[str, Sequence[float]] | None = None
    ) -> Calibration:
        """The calibration that footage supports; UsageError where it does not support the rate."""
        every = [value for values in footage.values() for value in values]
        return cls(
            detector=detector,
            threshold=threshold(footage, fpr),
            fpr=fpr,
            sources=len(footage),
            clips=len(every),
            undecided=every.count(None),
            held_out=held_out(footage, fpr),
            statistics=statistics,
        )

    def to_json(self) -> dict[str, Any]:
        """The file's content."""
        return {
            "format": FORMAT,
            "detector": self.detector,
            "threshold": self.threshold,
            "fpr": self.fpr,
            "least_fpr": least_rate(self.sources),
            "sources": self.sources,
            "clips": self.clips,
            "undecided": self.undecided,
            "held_out": vars(self.held_out) if self.held_out else None,
            "statistics": {name: list(some) for name, some in self.statistics.items()} if self.statistics else None,
        }

    @property
    def digest(self) -> str:
        """What names this calibration: the sha256 of its content."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


def read_calibration(path: Path, detector: str) -> Calibration:
    """The calibration in a file; ModelUnavailable where it is none, or belongs to another detector."""
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']!r}, not {FORMAT!r}")
        given = document["held_out"]
        found = Calibration(
            detector=str(document["detector"]),
            threshold=_share(document["threshold"]),
            fpr=_share(document["fpr"]),
            sources=int(document["sources"]),
            clips=int(document["clips"]),
            undecided=int(document["undecided"]),
            held_out=Rate(*(_share(given[name]) for name in ("share", "low", "high"))) if given else None,
            statistics=document["statistics"],
        )
        if found.fpr < least_rate(found.sources):
            raise ValueError(f"{found.sources} sources do not support a rate of {found.fpr}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailable(f"{path}: no calibration of a detector ({error!r:.300}); see docs/detect.md") from error
    if found.detector != detector:
        raise ModelUnavailable(
            f"{path}: made for the detector {found.detector}, not {detector}; calibrate again, or delete the file"
        )
    return found


def _share(given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0.0 <= given <= 1.0:
        raise ValueError(f"{given!r} is no number in [0, 1]")
    return float(given)


@runtime_checkable
class Movable(Protocol):
    """A detector whose doubts depend on its threshold, and so move with it."""

    def at(self, threshold: float) -> ForensicDetector:
        """The same under another threshold, around which it is undecided in the same way."""
        ...


def calibrate(
    detector: ForensicDetector,
    clips: Mapping[str, Sequence[Video]],
    fpr: float,
    told: Callable[[], None] = lambda: None,
) -> Calibration:
    """The calibration of a detector by real footage, source by source. `told` is called after each clip.

    Raises:
        UsageError: the sources do not support the rate.
    """
    # What lies just below a detector's own threshold it may leave undecided; below a lower one that would be flagged.
    eye = detector.at(0.0) if isinstance(detector, Movable) else detector

    def value(video: Video) -> float | None:
        found = eye.judge(video)
        told()
        return None if found.likely is None else found.value

    footage = {source: [value(video) for video in some] for source, some in clips.items()}
    return Calibration.of(detector.version, footage, fpr)


class Calibrated:
    """A detector under a deployment's threshold; where the detector would not answer, neither does this."""

    def __init__(self, detector: ForensicDetector, calibration: Calibration) -> None:
        if calibration.detector != detector.version:
            raise ModelUnavailable(f"a calibration for {calibration.detector} is none for {detector.version}")
        self._version, self._calibration = detector.version, calibration
        self._detector = detector.at(calibration.threshold) if isinstance(detector, Movable) else detector

    @property
    def version(self) -> str:
        """The detector's, and the footage behind the threshold."""
        made = self._calibration
        return f"{self._version}; threshold of {made.sources} sources, calibration {made.digest[:12]}"

    def judge(self, video: Video | Path) -> ForensicSignal:
        """The detector's signal against this threshold."""
        found = self._detector.judge(video)
        line = self._calibration.threshold
        likely = None if found.likely is None or found.value is None else found.value >= line
        return replace(found, threshold=line, fpr=self._calibration.fpr, likely=likely, version=self.version)
