"""The process that works on jobs: a thread for each hand, a worker process for each thread, and somebody who tidies.

It shares nothing with the server but the ledger and the folders, so either may be killed and started again.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from types import FrameType

from assay import stagetimes
from assay.jobs.queue import Queue
from assay.jobs.tidying import tidy
from assay.ledger import Ledger
from assay.leftovers import sweep
from assay.settings import Settings
from assay.telemetry import log_as_json
from assay.worker import Worker, die_with_parent
from media import AssayError

log = logging.getLogger("assay.jobs")

IDLE_S = 0.2  # between looks into an empty queue
TIDY_S = 60.0  # between clearings
FAULT_S = 2.0  # after a worker that could not even look


class Runner:
    """Works on the jobs of the settings' ledger until it is stopped."""

    def __init__(self, settings: Settings, hands: int) -> None:
        self._settings, self._stop = settings, threading.Event()
        self._workers = [Worker(settings) for _ in range(hands)]

    def run(self) -> None:
        """Blocks until `stop`; then running jobs have the settings' grace, and what is left goes back to the queue."""
        hands = [threading.Thread(target=self._work, args=(worker,), daemon=True) for worker in self._workers]
        tidier = threading.Thread(target=self._tidy, daemon=True)
        for thread in (*hands, tidier):
            thread.start()
        self._stop.wait()
        until = time.monotonic() + self._settings.serve.grace_s
        for thread in hands:
            thread.join(max(0.0, until - time.monotonic()))
        for worker in self._workers:
            worker.abort()
        sweep(self._settings)

    def stop(self) -> None:
        """No further job is begun."""
        self._stop.set()

    def _work(self, worker: Worker) -> None:
        warmed = False
        while not self._stop.is_set():
            try:
                if not warmed:
                    worker.call("warm", "generating")
                    warmed = True
                if worker.call("work", None) is None:
                    self._stop.wait(IDLE_S)
            except AssayError as error:
                log.error("a worker failed: %s", error)
                warmed = True  # the jobs themselves will say what is missing
                self._stop.wait(FAULT_S if not self._stop.is_set() else 0)
            except Exception:
                if not self._stop.is_set():
                    log.exception("a worker failed")
                    self._stop.wait(FAULT_S)

    def _tidy(self) -> None:
        ledger = Ledger(self._settings.ledger)
        queue = Queue(ledger, self._settings.serve)
        while not self._stop.is_set():
            try:
                sweep(self._settings)
                tidy(self._settings, queue)
            except Exception:
                log.exception("clearing away failed; it is tried again")
            self._stop.wait(TIDY_S)
        ledger.close()


def main(settings: Settings, hands: int, *, child: bool) -> None:
    """`assay worker`, and what `assay serve` starts: runs until SIGTERM (and, alone, until Ctrl-C)."""
    log_as_json()
    stagetimes.share(settings.home)  # the server is scraped, not this process
    runner = Runner(settings, hands)

    def ended(_: int, __: FrameType | None) -> None:
        runner.stop()

    signal.signal(signal.SIGTERM, ended)
    signal.signal(signal.SIGINT, signal.SIG_IGN if child else ended)
    if child:
        die_with_parent()
    runner.run()


@contextmanager
def beside(settings: Settings) -> Iterator[None]:
    """A runner process beside the server, started again whenever it dies; ended, with its grace, on leaving."""
    if settings.serve.workers == 0:
        yield
        return
    keeper = _Keeper(settings)
    keeper.start()
    try:
        yield
    finally:
        keeper.end()


class _Keeper(threading.Thread):
    """Keeps one runner process alive."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True, name="runner-keeper")
        self._settings, self._leaving = settings, threading.Event()
        self._process: BaseProcess | None = None

    def run(self) -> None:
        """Starts it, waits for its end, and starts it again."""
        spawn = multiprocessing.get_context("spawn")
        while not self._leaving.is_set():
            hands = self._settings.serve.workers
            process = spawn.Process(target=main, args=(self._settings, hands), kwargs={"child": True})
            process.start()
            self._process = process
            if self._leaving.is_set():
                process.terminate()
            process.join()
            if not self._leaving.wait(1.0):
                log.error("the workers' process ended (exit code %s); starting another", process.exitcode)

    def end(self) -> None:
        """Lets it finish within its grace, then ends it."""
        self._leaving.set()
        process = self._process
        if process is not None:
            process.terminate()
            self.join(self._settings.serve.grace_s + 5)
            process.kill()
        self.join(5)
        sweep(self._settings)
