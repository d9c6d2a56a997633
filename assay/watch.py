"""How a running job says where it is: the stage it entered, and how far it got. Whoever listens sets the deadlines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from assay.errors import StageFailed
from media import AssayError, UsageError


class Watch(Protocol):
    """Listens to a running job; the worker's sends everything to the process that holds the stop-watch."""

    def entered(self, stage: str) -> None:
        """A stage begins; its deadline starts here."""
        ...

    def left(self, stage: str) -> None:
        """A stage ended."""
        ...

    def progress(self, stage: str, done: float, total: float) -> None:
        """`done` of `total` units (steps, frames) of the stage."""
        ...


class Silent:
    """Listens to nothing; for direct calls and tests."""

    def entered(self, stage: str) -> None:
        """Does nothing."""

    def left(self, stage: str) -> None:
        """Does nothing."""

    def progress(self, stage: str, done: float, total: float) -> None:
        """Does nothing."""


@contextmanager
def stage(watch: Watch, name: str) -> Iterator[None]:
    """A stage of the spine: whatever goes wrong inside it is an error that names it.

    Errors that already say what to do (usage, signing) pass as they are, with the stage noted on them.
    """
    watch.entered(name)
    try:
        yield
    except AssayError as error:
        if isinstance(error, UsageError) or name == "provenance":
            error.stage = name  # type: ignore[attr-defined]
            raise
        raise StageFailed(name, error) from error
    except Exception as error:
        raise StageFailed(name, error) from error
    finally:
        watch.left(name)
