"""One worker process and its patience: a file that takes the process down is tried again, and then reported.

Random deaths (somebody's `kill`, the memory limit) and files that crash a decoder look alike from here, so a file is
given up on only after it has seen `DEATHS` processes die, or `LATE` deadlines pass. Where the process died before the
file was touched, that does not count against the file, up to `FALSE_STARTS`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from assay.batch.work import FileTask
from assay.errors import ExitCode, StageTimeout, WorkerDied
from assay.outcome import Outcome
from assay.settings import Settings
from assay.worker import Failure, Listener, Worker, exit_code_of

DEATHS, LATE, FALSE_STARTS = 3, 2, 6


class Abandoned(Exception):
    """The run is over; what this file would have been is nobody's concern."""


class Hand:
    """A worker process, and how often it is asked for one file."""

    def __init__(self, settings: Settings) -> None:
        self.worker = Worker(settings)
        self._over = False

    def scoring_digest(self) -> str:
        """How the process scores; loads its models. Raises what keeps them from being loaded."""
        return str(self.worker.call("scoring", None))

    def ask(self, task: str, argument: object, listener: Listener | None = None) -> tuple[Any, int]:
        """What the task returns, and at which attempt. AssayError once it is given up on, Abandoned at the end."""
        deaths = late = false_starts = 0
        while True:
            try:
                return self.worker.call(task, argument, listener), deaths + late + 1
            except WorkerDied as error:
                if self._over:
                    raise Abandoned from error
                false_starts += error.stage == "start"
                deaths += error.stage != "start"
                if deaths >= DEATHS or false_starts >= FALSE_STARTS:
                    raise
            except StageTimeout:
                late += 1
                if late >= LATE:
                    raise
            if self._over:
                raise Abandoned

    def look(self, task: FileTask, listener: Listener | None = None) -> tuple[Any, int]:
        """`assay.batch.work.scan_one` in the process."""
        return self.ask("scan_file", task, listener)

    def see_to(self, task: FileTask, outcome: Outcome | None) -> dict[str, Any]:
        """`assay.batch.work.see_to` in the process."""
        extras: dict[str, Any] = self.ask("see_to", (task, outcome))[0]
        return extras

    def stop(self) -> None:
        """Ends the process from another thread; whoever waits for it gets Abandoned."""
        self._over = True
        self.worker.kill()

    def close(self) -> None:
        """Lets the process go."""
        self._over = True
        with contextlib.suppress(OSError):
            self.worker.close()


def failure_of(error: BaseException, replaced: Callable[[str], str] = str) -> tuple[dict[str, Any], ExitCode]:
    """The `error` of a row, and the exit code that stands for it; `replaced` puts other names into its words."""
    said = Failure.of(error).to_json()
    return said | {"message": replaced(said["message"])}, exit_code_of(error)
