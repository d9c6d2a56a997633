"""A stream of batches on several processes: order, slow writers, errors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from assay.crew import Crew
from assay.settings import Settings
from assay.worker import Worker


def test_answers_keep_the_order_of_the_batches(toy_settings: Callable[..., Settings]) -> None:
    """A slow first batch is still answered first, and two hands take part."""
    workers: set[int] = set()

    def ask(worker: Worker, batch: int) -> int:
        workers.add(id(worker))
        time.sleep(0.2 if batch == 0 else 0.01)
        return batch

    with Crew(toy_settings(), hands=2) as crew:
        assert list(crew.answers(range(12), ask)) == list(range(12))
    assert len(workers) == 2


def test_a_slow_writer_is_answered_as_it_writes(toy_settings: Callable[..., Settings]) -> None:
    """The first batch is answered while the second has not been written yet."""
    written = threading.Event()

    def batches() -> Iterator[str]:
        yield "first"
        assert written.wait(10)
        yield "second"

    with Crew(toy_settings(), hands=2) as crew:
        answers = crew.answers(batches(), lambda _, batch: batch)
        assert next(answers) == "first"
        written.set()
        assert list(answers) == ["second"]


def test_what_reading_or_asking_raises_is_raised(toy_settings: Callable[..., Settings]) -> None:
    """An error of the stream or of a task comes out where the answers are read, after the answers before it."""

    def broken() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    def ask(_: Worker, batch: int) -> Any:
        if batch == 2:
            raise ValueError("two")
        return batch

    with Crew(toy_settings(), hands=1) as crew:
        answers = crew.answers(broken(), ask)
        assert next(answers) == 1
        with pytest.raises(OSError, match="gone"):
            next(answers)
    with Crew(toy_settings(), hands=1) as crew, pytest.raises(ValueError, match="two"):
        list(crew.answers([1, 2, 3], ask))
