"""A worker process, started by spawn, and the stop-watch that ends it.

A deadline ends a process, not a thread: native code that hangs cannot be asked to stop. Settings cross the process
line, objects never do: the child assembles its own stages, once, and keeps them. A worker that dies or is ended leaves
nothing behind: its private folder is removed and its running jobs are settled as failed.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from assay import stagetimes
from assay.errors import ExitCode, StageTimeout, WorkerDied
from assay.leftovers import OwnerLock, new_owner, sweep
from assay.settings import Settings
from media import AssayError, UsageError

Listener = Callable[[str, float, float], None]  # stage, done, total


@dataclass(frozen=True)
class Failure:
    """An error in words, since exceptions of the libraries do not all survive a pipe."""

    type: str
    message: str
    stage: str | None
    exit_code: ExitCode
    cause: str | None = None  # the type of what it came from, where a stage failed

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """What the command line will say of it; of a task's failure, what the task's process said."""
        if isinstance(error, TaskFailed):
            return error.failure
        message = str(error) if isinstance(error, AssayError) else f"{type(error).__name__}: {error}"
        cause = None if error.__cause__ is None else type(error.__cause__).__name__
        return cls(type(error).__name__, message, getattr(error, "stage", None), exit_code_of(error), cause)

    def to_json(self) -> dict[str, Any]:
        """The `error` object of every JSON line."""
        return {"type": self.type, "stage": self.stage, "message": self.message}


class TaskFailed(AssayError):
    """A task ended in an error; `failure` has its words and its exit code."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.stage = failure.stage


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code that the command line answers an error with."""
    if isinstance(error, TaskFailed):
        return error.failure.exit_code
    if isinstance(error, UsageError):
        return ExitCode.USAGE
    if any(kind.__name__ == "SigningError" for kind in type(error).__mro__):  # by name: importing it costs 0.3 s
        return ExitCode.SIGNING
    return ExitCode.UNDECIDED


class Worker:
    """One child process that runs tasks one after the other; a context manager."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._owner = ""

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, task: str, argument: object, listener: Listener | None = None) -> Any:
        """Runs a task of `assay.tasks` in the child and returns what it returns.

        Raises StageTimeout where a stage ran past its deadline, WorkerDied where the process went away, TaskFailed
        where the task raised. After either of the first two the next call starts a fresh process.
        """
        pipe = self._started()
        pipe.send((task, argument))
        try:
            return self._attend(pipe, listener)
        except BaseException as error:
            if not isinstance(error, TaskFailed):
                self._end()  # also on Ctrl-C: whatever runs is stopped and swept
            raise

    def kill(self) -> None:
        """Ends the child at once, from any thread; a call that waits for it raises WorkerDied."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Lets an idle child go; ends a busy one."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.join(5)
        self._end()

    def abort(self) -> None:
        """Ends the child at once, whatever it does; what it had goes back into the queue, or has failed."""
        self._end()

    def _started(self) -> Connection:
        if self._pipe is not None and self._process is not None and self._process.is_alive():
            return self._pipe
        self._end()
        spawn = multiprocessing.get_context("spawn")
        self._owner = new_owner()
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, self.settings, self._owner), daemon=True)
        self._process.start()
        theirs.close()
        return self._pipe

    def _attend(self, pipe: Connection, listener: Listener | None) -> Any:
        """Hears the child out, until it is done, has failed, or is late."""
        stage, seconds = "start", self.settings.deadlines.start
        began = time.monotonic()
        deadline = began + seconds
        while True:
            try:
                if not pipe.poll(max(0.0, deadline - time.monotonic())):
                    raise StageTimeout(stage, seconds)
                kind, *said = pipe.recv()
            except (EOFError, OSError) as error:
                process = self._process  # gone, too, where another thread ended it
                if process is not None:
                    process.join(5)
                raise WorkerDied(stage, None if process is None else process.exitcode) from error
            if kind == "done":
                return said[0]
            if kind == "failed":
                raise TaskFailed(said[0])
            if kind == "progress":
                if listener is not None:
                    listener(*said)
                continue
            if kind == "left":
                stagetimes.observe(stage, time.monotonic() - began)
            began = time.monotonic()
            stage = said[0] if kind == "entered" else "start"
            seconds = getattr(self.settings.deadlines, stage)
            deadline = began + seconds

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.join()
        self._process, self._pipe = None, None
        sweep(self.settings)


class _PipeWatch:
    """Sends every event to the parent; a parent that is gone ends the child."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self._last_progress = 0.0

    def entered(self, stage: str) -> None:
        self.pipe.send(("entered", stage))

    def left(self, stage: str) -> None:
        self.pipe.send(("left", stage))

    def progress(self, stage: str, done: float, total: float) -> None:
        if done >= total or time.monotonic() - self._last_progress > 0.05:  # twenty a second are enough for a bar
            self._last_progress = time.monotonic()
            self.pipe.send(("progress", stage, done, total))


def _serve(pipe: Connection, settings: Settings, owner: str) -> None:
    """The child's life: tasks come through the pipe until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    os.dup2(2, 1)  # whatever a library prints must not fall between our JSON lines
    die_with_parent()
    from assay.tasks import TASKS, Bench

    with OwnerLock(settings, owner):
        bench, watch, settled = Bench(settings, owner), _PipeWatch(pipe), set[str]()
        while True:
            try:
                task, argument = pipe.recv()
            except EOFError:
                return
            try:
                pipe.send(("done", TASKS[task](bench, argument, watch)))
            except Exception as error:  # noqa: BLE001 (it goes to the parent in words, and no release comes of it)
                pipe.send(("failed", Failure.of(error)))
            if task not in settled:  # the first of its kind has loaded what the others need
                settled.add(task)
                settle()


def settle() -> None:
    """What was loaded so far stays: collections need not walk through it (a tenth of a second) again and again."""
    gc.collect()
    gc.freeze()


def die_with_parent() -> None:
    """A child whose parent was killed must not go on working unseen."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True, name="die-with-parent").start()
