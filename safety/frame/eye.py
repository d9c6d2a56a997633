"""One classifier along one video: what it is shown, what covers the rest, and what it said of every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

import numpy as np

from media import Frame, Undecodable
from safety.coverage import Coverage
from safety.frame.asking import Answer, ask
from safety.frame.crew import Crew
from safety.frame.gate import Bound, Gate
from safety.frame.recorder import Recorder
from safety.frame.shots import Shots
from safety.frame.traits import bound_of, is_stateful, schedule_of, session_of, streams_of
from safety.score import Absence, Item, PostureEntry, Stage, Track
from safety.stages import FrameClassifier, source

Key = tuple[int, str]  # stream and view: looks that come in turns are walked apart
Faults = list[str]
Wait = Callable[[Sequence["Future[Faults]"]], None]  # until all are done; raises where the scan is cancelled

MARGIN = 0.1  # opt-in covering moved scores by 0.08 at most at epsilon 4, which is twice what is offered


@dataclass
class _Slot:
    """What the classifier said of one frame that it was shown; frames that it covers share it."""

    frame: Frame
    answer: Answer = field(default_factory=dict)

    def failed(self) -> bool:
        return any(value is Absence.FAILED for value, _ in self.answer.values())


@dataclass
class _Entry:
    """One frame of a batch, and whose answer it gets."""

    frame: Frame | Undecodable
    slot: _Slot | None = None  # None: it did not decode
    how: str = "scored"  # or covered, sampled
    exact: bool = False  # identical to the frame that covers it


@dataclass
class Round:
    """One batch on its way through one classifier."""

    entries: list[_Entry]
    futures: list[Future[Faults]]


def key_of(frame: Frame) -> Key:
    """The walk that the frame belongs to."""
    return frame.stream, frame.view


class Eye:
    """A classifier that looks at every frame, or is proved to have seen its like."""

    def __init__(
        self, classifier: FrameClassifier, epsilon: float = 0.0, alarms: Mapping[str, Sequence[float]] | None = None
    ) -> None:
        """`epsilon`: opt-in covering, see `Bound`; `alarms`: thresholds by category, near which nothing is covered."""
        self.classifier = classifier
        self.schedule = schedule_of(classifier)
        self._stateful = is_stateful(classifier)
        self._bound = bound_of(classifier) or (Bound(epsilon=epsilon) if epsilon and not self._stateful else None)
        self._alarms = alarms or {}
        self._crew = Crew(1 if self._stateful else streams_of(classifier), classifier.name)
        self._streams = 1 if self._stateful else streams_of(classifier)
        self._recorder = Recorder(classifier.categories)
        self._gates: dict[Key, Gate] = {}
        self._shown: dict[Key, _Slot] = {}
        self._sessions: dict[Key, FrameClassifier] = {}
        self._counts = dict.fromkeys(("scored", "covered", "failed", "sampled"), 0)

    @property
    def bound(self) -> Bound | None:
        """By what frames are covered that are not identical to one that was shown."""
        return self._bound

    def show(self, batch: Sequence[Frame | Undecodable], repeats: Sequence[bool]) -> Round:
        """Sends the next frames to the classifier; `repeats`: identical to the frame before in its stream and view."""
        entries = [self._entered(frame, again) for frame, again in zip(batch, repeats, strict=True)]
        return Round(entries, self._ask([e.slot for e in entries if e.slot and e.how == "scored"]))

    def settle(self, one: Round, wait: Wait, begins: Sequence[bool]) -> tuple[list[bool], list[bool]]:
        """Records the frames of a round, in order; which of them failed, and which were covered.

        `begins`: which of them begin a shot.
        """
        self._await(one.futures, wait)
        again = [entry for entry in one.entries if self._too_near(entry)]
        for entry in again:
            assert isinstance(entry.frame, Frame)
            entry.slot, entry.how = _Slot(entry.frame), "scored"
        self._await(self._ask([entry.slot for entry in again if entry.slot]), wait)
        failures = [self._record(entry, border) for entry, border in zip(one.entries, begins, strict=True)]
        return failures, [entry.how == "covered" for entry in one.entries]

    def abandon(self, rest: int, why: str) -> None:
        """Records frames that were not reached."""
        self._recorder.fault(why)
        for _ in range(rest):
            self._recorder.lost()

    def dismiss(self) -> None:
        """Lets its threads go."""
        self._crew.dismiss()

    def tracks(
        self, item: Item, pts: np.ndarray[tuple[int], np.dtype[np.float64]], borders: tuple[int, ...]
    ) -> list[Track]:
        """One track per category; `borders`: the frames after the first that begin a shot."""
        return self._recorder.tracks(item, source(self.classifier), pts, self._remark(), borders)

    def coverage(self, total: int, undecodable: int, stopped: str | None) -> Coverage:
        """The account of this model."""
        return Coverage(total, total - undecodable, undecodable, **self._counts, bound=self._words(), stopped=stopped)

    def entry(self, stage: Stage, coverage: Coverage) -> PostureEntry:
        """Who looked; failed counts every frame that has no answer, also those that nobody could show to the model."""
        failed = coverage.failed + coverage.undecodable
        return entry(self.classifier, stage, coverage.total, failed, self._remark(), coverage)

    def _entered(self, frame: Frame | Undecodable, repeats: bool) -> _Entry:
        if isinstance(frame, Undecodable):
            return _Entry(frame)
        key = key_of(frame)
        gate = self._gates.setdefault(key, Gate(self._bound))
        if not self._stateful and gate.covers(frame, repeats) and key in self._shown:
            return _Entry(frame, self._shown[key], "covered", repeats)
        self._shown[key] = slot = _Slot(frame)
        return _Entry(frame, slot)

    def _ask(self, slots: Sequence[_Slot]) -> list[Future[Faults]]:
        """The slots' frames on their way to the classifier, spread over its streams."""
        futures: list[Future[Faults]] = []
        for key, group in groupby(slots, lambda slot: key_of(slot.frame)):
            some = list(group)
            size = -(-len(some) // self._streams)
            for start in range(0, len(some), size):
                futures.append(self._crew.submit(partial(self._answer, key, some[start : start + size])))
        return futures

    def _answer(self, key: Key, slots: Sequence[_Slot]) -> Faults:
        """In a thread of the crew: fills the slots; the faults met, in words."""
        if key not in self._sessions:
            try:
                self._sessions[key] = session_of(self.classifier)
            except Exception as error:  # noqa: BLE001 (third party code; nobody looked, so that is what is recorded)
                for slot in slots:
                    slot.answer = dict.fromkeys(self.classifier.categories, (Absence.FAILED, None))
                return [f"{source(self.classifier)} raised {type(error).__name__}: {error!s:.200}"]
        answers, faults = ask(self._sessions[key], [slot.frame for slot in slots], of=self.classifier)
        for slot, answer in zip(slots, answers, strict=True):
            slot.answer = answer
        return faults

    def _await(self, futures: Sequence[Future[Faults]], wait: Wait) -> None:
        wait(futures)
        for future in futures:  # in the order of the frames, so that the same video gives the same words
            self._recorder.fault(*future.result())

    def _too_near(self, entry: _Entry) -> bool:
        """Whether a covered frame must be shown after all: a failure does not spread, nor a value near a threshold."""
        if entry.how != "covered" or entry.slot is None:
            return False
        if entry.slot.failed():
            return True
        values = ((category, value) for category, (value, _) in entry.slot.answer.items())
        return not entry.exact and any(
            not isinstance(value, Absence) and any(abs(value - alarm) < MARGIN for alarm in self._alarms.get(name, ()))
            for name, value in values
        )

    def _record(self, entry: _Entry, begins: bool) -> bool:
        """True where the classifier failed on the frame."""
        if entry.slot is None:
            assert isinstance(entry.frame, Undecodable)
            self._recorder.lost()
            self._recorder.fault(f"frame {entry.frame.index} did not decode: {entry.frame.reason:.200}")
            return False
        self._recorder.add(entry.slot.answer, begins)
        failed = entry.slot.failed()
        self._counts["failed" if failed else entry.how] += 1
        return failed

    def _words(self) -> str | None:
        """By what frames were covered or sampled, as far as any were."""
        if self.schedule is not None:
            return str(self.schedule)
        return str(self._bound or "identical to a frame shown") if self._bound or self._counts["covered"] else None

    def _remark(self) -> str | None:
        words = self._words()
        if words is None:
            return None
        looked, how = sum(self._counts.values()), "sampled" if self.schedule else "covered"
        return f"{self._counts[how]} of {looked} frames {how}: {words.removeprefix('sampled: ')}"


class Sampler(Eye):
    """A classifier that looks now and then, by its `Schedule`; nobody vouches for the frames in between."""

    def __init__(self, classifier: FrameClassifier) -> None:
        super().__init__(classifier)
        assert self.schedule is not None
        self._shots: dict[Key, Shots] = {}

    def choose(self, batch: Sequence[Frame | Undecodable], heights: Iterator[float]) -> Round:
        """Sends those frames of a batch that are due; `heights`: the largest value that any `Eye` gave each frame."""
        entries = [self._sampled(frame, height) for frame, height in zip(batch, heights, strict=True)]
        return Round(entries, self._ask([e.slot for e in entries if e.slot and e.how == "scored"]))

    def _sampled(self, frame: Frame | Undecodable, height: float) -> _Entry:
        if isinstance(frame, Undecodable):
            return _Entry(frame)
        key, schedule = key_of(frame), self.schedule
        assert schedule is not None
        begins = self._shots.setdefault(key, Shots()).begins(frame)
        last = self._shown.get(key)
        if last is not None and not begins:
            ago = frame.pts - last.frame.pts + 1e-6  # times are quotients: 0.6 - 0.4 is less than 0.2
            wait_s = schedule.escalated_s if height >= schedule.escalate else schedule.every_s
            if 0.0 <= ago < wait_s:
                return _Entry(frame, last, "sampled", exact=True)
        self._shown[key] = slot = _Slot(frame)
        return _Entry(frame, slot)


def entry(
    eye: FrameClassifier, stage: Stage, items: int, failed: int, remark: str | None = None,
    coverage: Coverage | None = None,
) -> PostureEntry:  # fmt: skip
    """The posture of one classifier."""
    runtime = "; ".join(part for part in (eye.runtime, remark) if part) or None
    return PostureEntry(stage, eye.name, eye.version, eye.weights_sha256, runtime, items, failed, coverage)
