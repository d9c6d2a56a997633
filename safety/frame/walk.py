"""The account of one walk over a video: what every classifier said of every frame, and what became of the frames."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from media import Frame, Undecodable
from safety.frame.asking import Answer, ask
from safety.frame.gate import Gate
from safety.frame.recorder import Recorder
from safety.frame.traits import bound_of
from safety.score import Absence, Examination, Item, PostureEntry, Score, Stage, Track
from safety.stages import FrameClassifier, source

_PADDING = 100_000  # an hour at 25 frames/s; a container may declare any number of frames that it does not hold


@dataclass(frozen=True)
class FrameCounts:
    """What became of the frames: total = decoded + undecodable and decoded = scored + covered + failed.

    scored: every classifier answered for the frame itself (a value, or unsupported); failed: at least one did not
    answer (or there was none to ask); covered: the rest, where at least one classifier's bound covered the frame.
    """

    total: int
    decoded: int
    undecodable: int
    scored: int
    covered: int
    failed: int

    def __post_init__(self) -> None:
        if self.total != self.decoded + self.undecodable or self.decoded != self.scored + self.covered + self.failed:
            raise ValueError(f"frames unaccounted for: {self}")


@dataclass(frozen=True)
class Coverage:
    """The same account for one model (decoded = scored + covered + failed), and the bound by which it covers."""

    source: str
    scored: int
    covered: int
    failed: int
    bound: str | None


@dataclass(frozen=True)
class FrameExamination:
    """What `decide` needs, how many frames it rests on, and why it ended early if it did."""

    examination: Examination
    counts: FrameCounts
    coverage: tuple[Coverage, ...]
    stopped: str | None = None


class Walk:
    """One walk over a video; raises ValueError where two classifiers could not be told apart."""

    def __init__(self, classifiers: Sequence[FrameClassifier]) -> None:
        names = [source(classifier) for classifier in classifiers]
        if len(set(names)) != len(names):
            raise ValueError(f"two frame classifiers have the same name and version: {', '.join(sorted(names))}")
        self._eyes = [_Eye(classifier) for classifier in classifiers]
        self._pts = array("d")
        self._undecodable = self._covered = self._failed = 0

    @property
    def total(self) -> int:
        """Frames accounted for so far."""
        return len(self._pts)

    def show(self, batch: Sequence[Frame | Undecodable]) -> None:
        """Shows the next frames to every classifier."""
        for position, frame in enumerate(batch, self.total):
            if frame.index != position:
                raise ValueError(f"frame {frame.index} came where frame {position} was due: none may be dropped")
        lost = np.array([isinstance(frame, Undecodable) for frame in batch])
        failed = np.zeros(len(batch), bool) if self._eyes else ~lost  # with no classifier, nobody looked
        covered = np.zeros(len(batch), bool)
        for eye in self._eyes:
            failures, coverings = eye.show(batch)
            failed |= failures
            covered |= coverings
        self._pts.extend(math.nan if frame.pts is None else frame.pts for frame in batch)
        self._undecodable += int(lost.sum())
        self._failed += int(failed.sum())
        self._covered += int((covered & ~failed).sum())

    def abandon(self, declared: int | None, why: str) -> None:
        """The frames that were not reached: as many as the container declares, and at least one."""
        rest = min(max((declared or 0) - self.total, 1), _PADDING)
        self._pts.extend([math.nan] * rest)
        self._undecodable += rest
        for eye in self._eyes:
            eye.abandon(rest, why)

    def end(self, item: Item, unseen: Sequence[Score], stopped: str | None) -> FrameExamination:
        """The examination of the item, which counts as many frames as were walked."""
        decoded = self.total - self._undecodable
        scored = decoded - self._covered - self._failed
        counts = FrameCounts(self.total, decoded, self._undecodable, scored, self._covered, self._failed)
        pts = np.array(self._pts, np.float64)  # (N,)
        tracks = [track for eye in self._eyes for track in eye.tracks(item, pts)]
        posture = tuple(eye.entry(item.stage, self.total) for eye in self._eyes)
        examination = Examination((item,), (*tracks, *unseen), posture)
        return FrameExamination(examination, counts, tuple(eye.coverage() for eye in self._eyes), stopped)


class _Eye:
    """One classifier along one video."""

    def __init__(self, classifier: FrameClassifier) -> None:
        self._classifier = classifier
        self._recorder = Recorder(classifier.categories)
        self._bound = bound_of(classifier)
        # One of each per stream and view, which come in turns and would uncover each other for ever.
        self._gates: dict[tuple[int, str], Gate] = {}
        self._shown: dict[tuple[int, str], Answer] = {}
        self._scored = self._covered = self._failed = 0

    def show(self, batch: Sequence[Frame | Undecodable]) -> tuple[list[bool], list[bool]]:
        """Records the next frames; which of them the classifier failed on, and which were covered."""
        coverings = [isinstance(frame, Frame) and self._gate(frame).covers(frame) for frame in batch]
        shown = [f for f, covers in zip(batch, coverings, strict=True) if isinstance(f, Frame) and not covers]
        answers, faults = ask(self._classifier, shown)
        self._recorder.fault(*faults)
        fresh = iter(answers)
        failures = [self._record(frame, covers, fresh) for frame, covers in zip(batch, coverings, strict=True)]
        return failures, coverings

    def abandon(self, rest: int, why: str) -> None:
        """Records frames that were not reached."""
        self._recorder.fault(why)
        for _ in range(rest):
            self._recorder.lost()

    def tracks(self, item: Item, pts: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[Track]:
        """One track per category."""
        return self._recorder.tracks(item, source(self._classifier), pts, self._remark())

    def entry(self, stage: Stage, total: int) -> PostureEntry:
        """Who looked; failed counts every frame that has no answer, also those that nobody could show to the model."""
        return entry(self._classifier, stage, total, total - self._scored - self._covered, self._remark())

    def coverage(self) -> Coverage:
        """The account of this model."""
        bound = None if self._bound is None else str(self._bound)
        return Coverage(source(self._classifier), self._scored, self._covered, self._failed, bound)

    def _gate(self, frame: Frame) -> Gate:
        return self._gates.setdefault((frame.stream, frame.view), Gate(self._bound))

    def _record(self, frame: Frame | Undecodable, covers: bool, fresh: Iterator[Answer]) -> bool:
        """True where the classifier failed on the frame, or on the frame that covers it."""
        if isinstance(frame, Undecodable):
            self._recorder.lost()
            self._recorder.fault(f"frame {frame.index} did not decode: {frame.reason:.200}")
            return False
        key = (frame.stream, frame.view)
        if not covers:
            self._shown[key] = next(fresh)
        answer = self._shown[key]
        self._recorder.add(answer)
        failed = any(value is Absence.FAILED for value, _ in answer.values())
        if failed:
            self._gates[key].forget()  # a failure must not spread over what it covers
        self._failed += failed
        self._covered += covers and not failed
        self._scored += not covers and not failed
        return failed

    def _remark(self) -> str | None:
        if self._bound is None:
            return None
        looked = self._scored + self._covered + self._failed
        return f"{self._covered} of {looked} frames covered: {self._bound}"


def entry(eye: FrameClassifier, stage: Stage, items: int, failed: int, remark: str | None = None) -> PostureEntry:
    """The posture of one classifier."""
    runtime = "; ".join(part for part in (eye.runtime, remark) if part) or None
    return PostureEntry(stage, eye.name, eye.version, eye.weights_sha256, runtime, items, failed)
