"""The account of one walk over a video: what every classifier said of every frame, and what became of the frames."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from media import Frame, Look, Undecodable
from safety.coverage import Coverage, FrameCounts
from safety.frame.eye import Eye, Key, Round, Sampler, Wait, key_of
from safety.frame.feed import Batch
from safety.frame.shots import Borders
from safety.frame.traits import look_of, schedule_of
from safety.score import Absence, Examination, Item, Score
from safety.stages import FrameClassifier, source

_PADDING = 100_000  # an hour at 25 frames/s; a container may declare any number of frames that it does not hold
EPSILONS = (0.0, 1.0, 2.0)  # what is offered: at each of them the tests of small patches and faint blends hold


@dataclass(frozen=True)
class ScanOptions:
    """How a walk is made; the defaults show every frame that is not identical to the one before it.

    batch    frames shown to a model at once, fewer where they are large
    epsilon  opt-in: frames that differ by no more than this are covered, see `Bound`; one of EPSILONS
    alarms   category -> thresholds near which nothing but identical frames is covered (within `eye.MARGIN`)
    certain  category -> value at which one frame decides a block: the walk stops there. Empty: the whole file
    """

    batch: int = 16
    epsilon: float = 0.0
    alarms: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    certain: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.batch < 1 or self.epsilon not in EPSILONS:
            raise ValueError(f"batch {self.batch}, epsilon {self.epsilon}: batch >= 1 and epsilon of {EPSILONS}")


@dataclass(frozen=True)
class FrameExamination:
    """What `decide` needs, how many frames it rests on, and why it ended early if it did."""

    examination: Examination
    counts: FrameCounts
    coverage: Mapping[str, Coverage]  # by the model's name@version
    stopped: str | None = None


@dataclass
class Pending:
    """A batch that was sent to the classifiers and is not recorded yet."""

    batch: Batch
    rounds: list[Round]
    begins: list[bool]  # which of its frames begin a shot


class Walk:
    """One walk over a video; raises ValueError where two classifiers could not be told apart."""

    def __init__(self, classifiers: Sequence[FrameClassifier], options: ScanOptions) -> None:
        names = [source(classifier) for classifier in classifiers]
        if len(set(names)) != len(names):
            raise ValueError(f"two frame classifiers have the same name and version: {', '.join(sorted(names))}")
        self._options = options
        made = [
            Eye(classifier, options.epsilon, options.alarms) if schedule_of(classifier) is None else Sampler(classifier)
            for classifier in classifiers
        ]
        self._all = made
        self._eyes = [eye for eye in made if not isinstance(eye, Sampler)]
        self._samplers = [eye for eye in made if isinstance(eye, Sampler)]
        self._last: dict[Key, Frame] = {}
        self._pts = array("d")
        self._shots = Borders()
        self._borders = array("q")  # the frames that begin a shot
        self._sent = self._undecodable = self._covered = self._failed = 0
        self.certain: str | None = None  # why a block is certain, once it is

    @property
    def total(self) -> int:
        """Frames accounted for so far."""
        return len(self._pts)

    @property
    def looks(self) -> frozenset[Look]:
        """What of every frame is worth developing while it is decoded; the small picture tells where shots begin."""
        return frozenset({look_of(eye.classifier) for eye in self._eyes} | {"small"})

    def show(self, batch: Batch) -> Pending:
        """Sends the next frames to every classifier that looks at every frame."""
        for position, frame in enumerate(batch, self._sent):
            if frame.index != position:
                raise ValueError(f"frame {frame.index} came where frame {position} was due: none may be dropped")
        self._sent += len(batch)
        repeats = [self._repeats(frame) for frame in batch]
        rounds = [eye.show(batch, repeats) for eye in self._eyes]
        return Pending(batch, rounds, [self._shots.begins(frame) for frame in batch])

    def settle(self, pending: Pending, wait: Wait) -> None:
        """Records the oldest batch that was shown, and shows it to those who look only now and then."""
        batch = pending.batch
        lost = np.array([isinstance(frame, Undecodable) for frame in batch])
        failed = np.zeros(len(batch), bool) if self._eyes else ~lost  # with no classifier, nobody looked
        covered = np.zeros(len(batch), bool)
        settled = [eye.settle(one, wait, pending.begins) for eye, one in zip(self._eyes, pending.rounds, strict=True)]
        for failures, coverings in settled:
            failed |= failures
            covered |= coverings
        rounds = list(pending.rounds)
        for sampler in self._samplers:
            one = sampler.choose(batch, _heights(pending.rounds, len(batch)))
            sampler.settle(one, wait, pending.begins)
            rounds.append(one)
        self._borders.extend(self.total + i for i, begins in enumerate(pending.begins) if begins and self.total + i)
        self._pts.extend(math.nan if frame.pts is None else frame.pts for frame in batch)
        self._undecodable += int(lost.sum())
        self._failed += int(failed.sum())
        self._covered += int((covered & ~failed).sum())
        self.certain = self.certain or self._certainty(rounds)

    def abandon(self, declared: int | None, why: str) -> None:
        """The frames that were not reached: as many as the container declares, and at least one."""
        rest = min(max((declared or 0) - self.total, 1), _PADDING)
        self._pts.extend([math.nan] * rest)
        self._undecodable += rest
        for eye in self._all:
            eye.abandon(rest, why)

    def dismiss(self) -> None:
        """Lets every thread go; one that is in a call which never returns stays behind, and keeps nothing waiting."""
        for eye in self._all:
            eye.dismiss()

    def end(self, item: Item, unseen: Sequence[Score], stopped: str | None, partial: bool) -> FrameExamination:
        """The examination of the item, which counts as many frames as were walked; `partial`: by somebody's wish."""
        total, undecodable = self.total, self._undecodable
        scored = total - undecodable - self._covered - self._failed
        counts = FrameCounts(total, total - undecodable, undecodable, scored, self._covered, self._failed)
        pts = np.array(self._pts, np.float64)  # (N,)
        borders = tuple(self._borders)
        tracks = [track for eye in self._all for track in eye.tracks(item, pts, borders)]
        why = stopped if partial else None
        coverage = {source(eye.classifier): eye.coverage(total, undecodable, why) for eye in self._all}
        posture = tuple(eye.entry(item.stage, coverage[source(eye.classifier)]) for eye in self._all)
        return FrameExamination(Examination((item,), (*tracks, *unseen), posture), counts, coverage, stopped)

    def _repeats(self, frame: Frame | Undecodable) -> bool:
        """Whether the frame is identical to the one before it in its stream and view; asked once for all models."""
        if isinstance(frame, Undecodable):
            return False
        before, self._last[key_of(frame)] = self._last.get(key_of(frame)), frame
        return before is not None and frame.same_picture(before)

    def _certainty(self, rounds: Sequence[Round]) -> str | None:
        limits = {name: np.float16(value) for name, value in self._options.certain.items()}  # as decisions read them
        if not limits:
            return None
        for entry in (entry for one in rounds for entry in one.entries if entry.slot):
            assert entry.slot is not None
            for category, (value, _) in entry.slot.answer.items():
                limit = limits.get(category)
                if limit is not None and not isinstance(value, Absence) and np.float16(value) >= limit:
                    return f"{category} reached {value:.2f} in frame {entry.frame.index}: a block is certain"
        return None


def _heights(rounds: Sequence[Round], count: int) -> Iterator[float]:
    """The largest value that any model gave each frame of a batch."""
    for position in range(count):
        slots = [one.entries[position].slot for one in rounds]
        values = [value for slot in slots if slot for value, _ in slot.answer.values()]
        yield max((value for value in values if not isinstance(value, Absence)), default=0.0)
