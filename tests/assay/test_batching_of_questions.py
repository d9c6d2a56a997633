"""Dynamic batching: grows with the load, never grows its queue, and answers everybody who was let in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from assay.batching import Batcher, Busy, Closing, Limits
from assay.errors import WorkerDied
from media import AssayError

Ask = Callable[[Sequence[str]], Sequence[str]]


class Desk:
    """Answers in capitals once the gate is open, and remembers the batches that it was given."""

    def __init__(self) -> None:
        self.gate, self.entered = threading.Event(), threading.Semaphore(0)
        self.batches: list[list[str]] = []
        self.opened = self.closed = 0

    @contextmanager
    def opening(self) -> Iterator[Ask]:
        self.opened += 1
        yield self.answer
        self.closed += 1

    def answer(self, asked: Sequence[str]) -> list[str]:
        self.batches.append(list(asked))
        self.entered.release()
        assert self.gate.wait(10)
        if "crash" in asked:
            raise WorkerDied("prompt", -11)
        if "error" in asked:
            raise AssayError("the model is gone")
        return [one.upper() for one in asked] if "short" not in asked else []


@pytest.fixture
def desk() -> Desk:
    return Desk()


def _held(desk: Desk, batcher: Batcher[str, str]) -> None:
    """One question is under way, and its hand is busy with it until the gate opens."""
    batcher.submit("first")
    assert desk.entered.acquire(timeout=10)


def test_what_waits_is_answered_together(desk: Desk) -> None:
    """Questions that came while a hand was busy are its next batch, and each gets its own answer."""
    with Batcher(desk.opening) as batcher:
        _held(desk, batcher)
        futures = [batcher.submit(word)[0] for word in ("a", "b", "c")]
        desk.gate.set()
        assert [future.result(10) for future in futures] == ["A", "B", "C"]
    assert desk.batches == [["first"], ["a", "b", "c"]]
    assert (desk.opened, desk.closed) == (1, 1)


def test_batch_is_bounded(desk: Desk) -> None:
    """No batch holds more than `most`: everybody in it waits for all of it."""
    with Batcher(desk.opening, Limits(most=2)) as batcher:
        _held(desk, batcher)
        futures = batcher.submit("a", "b", "c", "d", "e")
        desk.gate.set()
        assert [future.result(10) for future in futures] == list("ABCDE")
    assert max(map(len, desk.batches)) == 2


def test_beyond_the_limit_nobody_waits(desk: Desk) -> None:
    """A full queue refuses, with a time to come back, and holds no more than before."""
    with Batcher(desk.opening, Limits(waiting=3)) as batcher:
        _held(desk, batcher)
        batcher.submit("a", "b")
        with pytest.raises(Busy) as refused:
            batcher.submit("c", "d")
        assert refused.value.retry_after_s >= 1
        assert batcher.depth.waiting == 2, "of a request that does not fit, no part waits"
        batcher.submit("c")
        for _ in range(100):
            with pytest.raises(Busy):
                batcher.submit("d")
        assert batcher.depth.waiting == 3
        desk.gate.set()


def test_weight_is_bounded(desk: Desk) -> None:
    """Few long questions fill the queue as many short ones do."""
    with Batcher(desk.opening, Limits(weight=10)) as batcher:
        _held(desk, batcher)
        batcher.submit("a", weight=9)
        with pytest.raises(Busy):
            batcher.submit("b", weight=2)
        batcher.submit("b", weight=1)
        assert batcher.depth.weight == 10
        desk.gate.set()


def test_an_empty_queue_takes_a_large_request(desk: Desk) -> None:
    """A request larger than the queue is answered where nobody waits: it would never fit otherwise."""
    desk.gate.set()
    with Batcher(desk.opening, Limits(waiting=2, most=4)) as batcher:
        assert [f.result(10) for f in batcher.submit("a", "b", "c")] == ["A", "B", "C"]


def test_retry_time_follows_the_queue(desk: Desk) -> None:
    """The longer the queue, the later a refused client is told to come back."""
    with Batcher(desk.opening, Limits(waiting=10_000)) as batcher:
        _held(desk, batcher)
        short = batcher.retry_after_s()
        batcher.submit(*["a"] * 500)
        assert batcher.retry_after_s() > short
        desk.gate.set()


def test_one_that_crashes_spoils_no_other(desk: Desk) -> None:
    """A question that takes its process down fails alone; the others of its batch are asked again, one by one."""
    with Batcher(desk.opening) as batcher:
        _held(desk, batcher)
        fine, crash, also = batcher.submit("a", "crash", "b")
        desk.gate.set()
        assert fine.result(10) == "A"
        assert also.result(10) == "B"
        with pytest.raises(WorkerDied):
            crash.result(10)


@pytest.mark.parametrize("word", ["error", "short"])
def test_an_error_reaches_everybody_in_the_batch(desk: Desk, word: str) -> None:
    """What a batch raised, or a number of answers that does not fit, is an error for each, never a silent answer."""
    with Batcher(desk.opening) as batcher:
        _held(desk, batcher)
        futures = batcher.submit("a", word)
        desk.gate.set()
        for future in futures:
            with pytest.raises(AssayError):
                future.result(10)
        desk.batches.clear()
        assert batcher.submit("again")[0].result(10) == "AGAIN", "the hand works on"


def test_a_desk_that_does_not_open_is_tried_again() -> None:
    """What opening raises is heard by whoever asked, and the next question finds the desk open."""
    tries = iter([ModuleNotFoundError("no model"), None])

    @contextmanager
    def opening() -> Iterator[Ask]:
        fault = next(tries)
        if fault is not None:
            raise fault
        yield lambda asked: list(asked)

    with Batcher(opening) as batcher:
        with pytest.raises(ModuleNotFoundError):
            batcher.submit("a")[0].result(10)
        assert batcher.submit("b")[0].result(10) == "b"


def test_cancelled_ones_are_not_asked(desk: Desk) -> None:
    """A caller who went away costs nothing."""
    with Batcher(desk.opening) as batcher:
        _held(desk, batcher)
        gone, here = batcher.submit("gone", "here")
        assert gone.cancel()
        desk.gate.set()
        assert here.result(10) == "HERE"
    assert ["here"] in desk.batches


def test_closing_ends_every_question(desk: Desk) -> None:
    """At the end whoever is under way is answered, whoever waits is told, and nobody is let in."""
    batcher = Batcher(desk.opening)
    _held(desk, batcher)
    waiting = batcher.submit("a")[0]
    threading.Timer(0.1, desk.gate.set).start()
    batcher.close()
    with pytest.raises(Closing):
        waiting.result(0)
    with pytest.raises(Closing):
        batcher.submit("b")
    assert desk.closed == 1


def test_two_hands_work_at_once(desk: Desk) -> None:
    """With two hands a second batch is under way while the first is."""
    with Batcher(desk.opening, Limits(most=1), hands=2) as batcher:
        futures = batcher.submit("a", "b")
        assert desk.entered.acquire(timeout=10)
        assert desk.entered.acquire(timeout=10)
        desk.gate.set()
        assert {future.result(10) for future in futures} == {"A", "B"}


def test_a_hand_takes_its_share(desk: Desk) -> None:
    """What waits is divided between the hands: none of them is left idle while another holds everything."""
    with Batcher(desk.opening, Limits(most=16), hands=2) as batcher:
        for word in ("first", "second"):
            batcher.submit(word)
            assert desk.entered.acquire(timeout=10)
        futures = batcher.submit(*"abcdef")
        desk.gate.set()
        assert [future.result(10) for future in futures] == list("ABCDEF")
    assert max(map(len, desk.batches)) <= 3
