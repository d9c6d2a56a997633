"""Threads that a scan may leave behind: a model call that never returns must not keep the process from ending."""

from __future__ import annotations

import atexit
import queue
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Answer = TypeVar("Answer")


_THREADS: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
_GRACE_S = 5.0  # at the exit: to end a thread inside native code ends the process by SIGABRT


@atexit.register
def _let_finish() -> None:
    """Waits a little, at the exit, for calls that a cancelled scan left to themselves."""
    ends = time.monotonic() + _GRACE_S
    for thread in list(_THREADS):
        thread.join(max(0.0, ends - time.monotonic()))


class Crew:
    """So many daemon threads that take jobs in order; `concurrent.futures`' own are waited for at the exit."""

    def __init__(self, threads: int, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._threads = threads
        for number in range(threads):
            thread = threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            _THREADS.add(thread)
            thread.start()

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
