"""Detectors that read how a video moves through the space of a `FrameEncoder`: an encoder, a score, a calibration.

A score alone means nothing: which values real footage reaches depends on the encoder, so a calibration of one encoder
and score is refused by every other, and without one the detector gives no answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from classifier.canonical import sampled, spread
from classifier.conformal import Footage
from classifier.deployment import Calibration
from classifier.encoders import Embeddings, FrameEncoder
from classifier.signal import ForensicSignal
from media import MediaError, UsageError, Video, probe
from safety import ModelUnavailable

Statistics = Mapping[str, Sequence[float]]
Trajectory = tuple[float, float, Embeddings]  # start and end in seconds, (T, dim)
_STILL = 1e-3  # mean step between unit vectors below which nothing moves: a paused screen is no generator


class TrajectoryScore(Protocol):
    """One number of a trajectory, growing with the evidence that a generator made it."""

    name: str
    version: str
    needs_statistics: bool

    def fit(self, real: Sequence[Embeddings]) -> Statistics:
        """The numbers of real trajectories (each (T, dim)) that others are compared with."""
        ...

    def value(self, trajectory: Embeddings, statistics: Statistics | None) -> float:
        """In [0, 1], of a trajectory (T, dim) with T >= 8."""
        ...


class EncoderDetector:
    """A `ForensicDetector` of an encoder and a score."""

    def __init__(self, encoder: FrameEncoder, score: TrajectoryScore, calibration: Calibration | None = None) -> None:
        self.version = f"{score.name}@{score.version} on {encoder.version}"
        if calibration is not None and calibration.detector != self.version:
            raise ModelUnavailable(f"a calibration for {calibration.detector} is none for {self.version}")
        self._encoder, self._score, self._calibration = encoder, score, calibration

    def under(self, calibration: Calibration) -> EncoderDetector:
        """The same with a calibration of its own; ModelUnavailable for another's."""
        return EncoderDetector(self._encoder, self._score, calibration)

    def judge(self, video: Video | Path) -> ForensicSignal:
        """The mean of the stretches; no value without a calibration, for still pictures or for fewer than eight."""
        made = self._calibration
        if made is None:
            return self._silent("not calibrated: run `assay calibrate DIR` on real footage")
        try:
            found = self._moving(video)
        except MediaError as error:
            return self._silent(str(error))
        if not found:
            return self._silent("fewer than eight pictures at eight a second, or pictures that hardly move")
        segments = tuple((start, end, self._score.value(path, made.statistics)) for start, end, path in found)
        value = float(np.mean([score for *_, score in segments]))
        if not np.isfinite(value):
            return self._silent("the encoder gave numbers that are none")
        version = f"{self.version}; threshold of {made.sources} sources, calibration {made.digest[:12]}"
        return ForensicSignal(value, None, made.fpr, made.threshold, value >= made.threshold, segments, version)

    def calibrate(
        self, clips: Mapping[str, Sequence[Video]], fpr: float, told: Callable[[], None] = lambda: None
    ) -> Calibration:
        """The calibration of real footage by source. `told` is called after each clip.

        A score that compares with real statistics takes them from one half of the sources, and its threshold from the
        other: what it has seen looks more real to it than footage to come.

        Raises:
            UsageError: the sources do not support the rate.
        """
        found = {source: [self._told(video, told) for video in some] for source, some in clips.items()}
        statistics, judged = None, found
        if self._score.needs_statistics:
            order = sorted(found, key=lambda source: hashlib.sha256(source.encode()).digest())
            learnt = [path for source in order[::2] for clip in found[source] for *_, path in clip]
            if len(learnt) < 2:
                raise UsageError(f"{self._score.name} needs moving footage of four sources or more")
            statistics = self._score.fit(learnt)
            judged = {source: found[source] for source in order[1::2]}
        footage: Footage = {source: [self._mean(clip, statistics) for clip in some] for source, some in judged.items()}
        return Calibration.of(self.version, footage, fpr, statistics)

    def _told(self, video: Video, told: Callable[[], None]) -> list[Trajectory]:
        try:
            return self._moving(video)
        except MediaError:
            return []  # it opened and does not decode: undecided, as it would be in use
        finally:
            told()

    def _mean(self, clip: Sequence[Trajectory], statistics: Statistics | None) -> float | None:
        values = [self._score.value(path, statistics) for *_, path in clip]
        return float(np.mean(values)) if values else None

    def _moving(self, video: Video | Path) -> list[Trajectory]:
        opened = video if isinstance(video, Video) else probe(video)
        squares = spread(sampled(opened.frames(looks=())))
        found = [(one.start_s, one.end_s, self._encoder.embed(one.pixels)) for one in squares]
        return [one for one in found if not float(steps(one[2]).mean()) < _STILL]  # NaN is not still: it is reported

    def _silent(self, why: str) -> ForensicSignal:
        made = self._calibration
        line, fpr = (made.threshold, made.fpr) if made is not None else (1.0, 1.0)
        return ForensicSignal(None, why, fpr, line, None, (), self.version)


def steps(trajectory: Embeddings) -> Embeddings:
    """How far each picture lies from the one before: (T - 1,)."""
    return np.asarray(np.linalg.norm(np.diff(trajectory, axis=0), axis=1), np.float64)


def curvature(trajectory: Embeddings) -> Embeddings:
    """The angles in radians between each step and the next: (T - 2,), 0 straight on, pi back."""
    moves = np.diff(trajectory, axis=0)
    moves = moves / np.maximum(np.linalg.norm(moves, axis=1, keepdims=True), 1e-12)
    return np.asarray(np.arccos(np.clip((moves[1:] * moves[:-1]).sum(axis=1), -1.0, 1.0)), np.float64)
