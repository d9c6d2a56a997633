"""What a forensic detector says of one video: a score against a threshold, or the reason why it gives none.

Never "real": the lowest answer is that the pixels show no evidence. Plain values, so that the fused answer needs no
model to read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from media import Video


@dataclass(frozen=True)
class ForensicSignal:
    """The score of one video, or None with the reason in words.

    `value` grows with the evidence that a generator made the pictures; it is an odds-like number in [0, 1] and no
    probability for a footage of which nobody knows the share of generated clips. `likely` compares it with `threshold`,
    which was set on real footage so that about `fpr` of real clips reach it; None where there is no value, or where
    the evidence lies between the lines (two views disagree, or unlike anything it was fitted on).
    """

    value: float | None  # in [0, 1]
    absence: str | None  # why there is no value, or why a value is not held against the threshold; else None
    fpr: float  # the false-positive rate at which `threshold` was set
    threshold: float  # in [0, 1]
    likely: bool | None
    segments: tuple[tuple[float, float, float], ...]  # (start in s, end in s, score in [0, 1]) of each stretch judged
    version: str  # name@version of the model and of its calibration

    def __post_init__(self) -> None:
        for number in (self.value, self.fpr, self.threshold):
            if number is not None and not 0.0 <= number <= 1.0:
                raise ValueError(f"a forensic signal holds numbers in [0, 1], not {number!r}")
        if self.value is None and (self.absence is None or self.likely is not None):
            raise ValueError("a forensic signal without a value says why, and is neither likely nor unlikely")


class ForensicDetector(Protocol):
    """Judges pixels alone: no container, codec, size, rate, length or name may move its score."""

    @property
    def version(self) -> str:
        """name@version of the model and of its calibration."""
        ...

    def judge(self, video: Video | Path) -> ForensicSignal:
        """The signal of one video. A file that cannot be read or decoded is a signal without a value, no exception."""
        ...
