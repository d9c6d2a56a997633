"""Dynamic batching: questions of many callers, answered a batch at a time by a few hands, from a bounded queue.

Nobody waits for a batch to fill. A free hand takes its share of what is waiting, at most `most`; while it works, the
next batch gathers by itself. So a lone caller is answered at once, and the batches grow with the load. A share, not
all of it: whoever took everything would leave the other hands idle, and everybody in a batch waits for the whole batch.
Beyond the limit a caller is refused and told when to come back: the queue never grows.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

from assay.errors import StageTimeout, WorkerDied
from media import AssayError

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

# Answers a batch, in order. Made once a hand, by its own thread, and left when the batcher closes.
Asker = Callable[[Sequence[Asked]], Sequence[Answer]]
Opening = Callable[[], AbstractContextManager[Asker[Asked, Answer]]]

_SMOOTHING = 0.2  # weight of the newest batch in the measured pace
_LONGEST_WAIT_S = 60


class Busy(AssayError):
    """As much waits as may wait; nothing was looked at. `retry_after_s` is how long the queue takes at its pace."""

    def __init__(self, waiting: int, retry_after_s: int) -> None:
        super().__init__(f"{waiting} requests wait already; ask again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Closing(AssayError):
    """The server is going down; nothing was looked at."""


@dataclass(frozen=True)
class Limits:
    """How much one batch may hold, and how much may wait; `weight` is in whatever unit `submit` is told."""

    most: int = 8  # a batch; the gain is in the first few, and everybody in a batch waits for all of it
    waiting: int = 256
    weight: int = 200_000


@dataclass(frozen=True)
class Depth:
    """What waits now: how many, how heavy together, and how long the oldest has waited."""

    waiting: int
    weight: int
    oldest_s: float


@dataclass(frozen=True)
class _Ask(Generic[Asked, Answer]):
    asked: Asked
    weight: int
    future: Future[Answer]
    since: float


class Batcher(Generic[Asked, Answer]):
    """The queue and its hands; a context manager. Closing answers what is under way and refuses what waits."""

    def __init__(self, opening: Opening[Asked, Answer], limits: Limits | None = None, hands: int = 1) -> None:
        self._opening, self._limits = opening, limits or Limits()
        self._queue: deque[_Ask[Asked, Answer]] = deque()
        self._weight, self._closed = 0, False
        self._changed = threading.Condition()
        self._each_s = 0.05  # measured seconds an item, one hand; the start is a guess that the first batches correct
        self._hands = [threading.Thread(target=self._work, name=f"batcher-{n}", daemon=True) for n in range(hands)]
        for hand in self._hands:
            hand.start()

    def __enter__(self) -> Batcher[Asked, Answer]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, *asked: Asked, weight: int = 1) -> list[Future[Answer]]:
        """A future for each of several questions: all of them wait, or (Busy) none. `weight` is of all together.

        What one question raises is raised by its future. Raises Closing once the batcher is being closed.
        """
        with self._changed:
            if self._closed:
                raise Closing("the server is going down; ask another one")
            count = len(self._queue) + len(asked)
            # A queue that is empty takes anything: what is too large for it was refused before it came here.
            if self._queue and (count > self._limits.waiting or self._weight + weight > self._limits.weight):
                raise Busy(len(self._queue), self.retry_after_s())
            share, since = math.ceil(weight / max(1, len(asked))), time.monotonic()
            made = [_Ask[Asked, Answer](one, share, Future(), since) for one in asked]
            self._queue.extend(made)
            self._weight += share * len(made)
            self._changed.notify(len(made))
        return [one.future for one in made]

    def retry_after_s(self) -> int:
        """Seconds after which what waits now will be done, at the pace of the last batches; at least 1."""
        expected = len(self._queue) * self._each_s / len(self._hands)
        return max(1, min(_LONGEST_WAIT_S, math.ceil(expected)))

    @property
    def depth(self) -> Depth:
        """What waits now."""
        with self._changed:
            oldest = time.monotonic() - self._queue[0].since if self._queue else 0.0
            return Depth(len(self._queue), self._weight, oldest)

    def close(self, patience_s: float | None = None) -> None:
        """Refuses what waits, lets the hands finish what they hold, and closes them; those that are not done in time
        are left to whoever opened them.
        """
        with self._changed:
            self._closed = True
            left = list(self._queue)
            self._queue.clear()
            self._weight = 0
            self._changed.notify_all()
        for one in left:
            if one.future.set_running_or_notify_cancel():
                one.future.set_exception(Closing("the server is going down; ask another one"))
        until = None if patience_s is None else time.monotonic() + patience_s
        for hand in self._hands:
            hand.join(None if until is None else max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        """One hand's life. What opening it raises is every question's answer until a later attempt succeeds."""
        with ExitStack() as stack:
            asker: Asker[Asked, Answer] | None = None
            while batch := self._next():
                try:
                    asker = asker or stack.enter_context(self._opening())
                except Exception as error:  # noqa: BLE001 (the askers hear it)
                    _fail(batch, error)
                    continue
                began = time.monotonic()
                _answer(asker, batch)
                pace = (time.monotonic() - began) / len(batch)
                self._each_s += _SMOOTHING * (pace - self._each_s)

    def _next(self) -> list[_Ask[Asked, Answer]]:
        """A hand's share of what is waiting, up to a batch; blocks while nothing is; empty at the end.

        Cancelled ones are dropped.
        """
        with self._changed:
            while True:
                batch: list[_Ask[Asked, Answer]] = []
                share = min(self._limits.most, math.ceil(len(self._queue) / len(self._hands)))
                while self._queue and len(batch) < share:
                    one = self._queue.popleft()
                    self._weight -= one.weight
                    if one.future.set_running_or_notify_cancel():
                        batch.append(one)
                if batch or self._closed:
                    return batch
                self._changed.wait()


def _answer(asker: Asker[Asked, Answer], batch: Sequence[_Ask[Asked, Answer]]) -> None:
    """Answers a batch; where it took its process down, each alone, so that one cannot spoil the others."""
    try:
        answers = asker([one.asked for one in batch])
        if len(answers) != len(batch):
            raise AssayError(f"{len(answers)} answers came for {len(batch)} questions")
    except (StageTimeout, WorkerDied) as error:
        if len(batch) == 1:
            _fail(batch, error)
        else:
            for one in batch:
                _answer(asker, [one])
    except Exception as error:  # noqa: BLE001 (the askers hear it)
        _fail(batch, error)
    else:
        for one, answer in zip(batch, answers, strict=True):
            one.future.set_result(answer)


def _fail(batch: Sequence[_Ask[Asked, Answer]], error: BaseException) -> None:
    for one in batch:
        one.future.set_exception(error)
