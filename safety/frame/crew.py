"""Threads that a scan may leave behind: a model call that never returns must not keep the process from ending."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Crew:
    """So many daemon threads that take jobs in order; `concurrent.futures`' own are waited for at the exit."""

    def __init__(self, threads: int, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._threads = threads
        for number in range(threads):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def submit(self, job: Callable[[], Answer]) -> Future[Answer]:
        """The job's answer, or what it raised, as soon as a thread has done it."""
        future: Future[Answer] = Future()
        self._jobs.put((future, job))
        return future

    def dismiss(self) -> None:
        """No more jobs: each thread ends after the one that it is at, and jobs not begun are dropped."""
        while True:
            try:
                waiting = self._jobs.get_nowait()
            except queue.Empty:
                break
            if waiting is not None:
                waiting[0].cancel()
        for _ in range(self._threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while (taken := self._jobs.get()) is not None:
            future, job = taken
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job())
            except BaseException as error:  # noqa: BLE001 (it is raised where the answer is asked for)
                future.set_exception(error)
            del taken, future, job  # a thread that waits holds no frames
