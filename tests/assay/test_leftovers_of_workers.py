"""Locks of worker processes: who is being started is never taken for dead, whoever looks at whatever moment."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay import leftovers
from assay.ledger import Ledger
from assay.leftovers import OwnerLock, sweep
from assay.settings import Settings


@pytest.fixture
def home(toy_settings: Callable[..., Settings]) -> Settings:
    settings = toy_settings()
    settings.private.mkdir(parents=True)
    Ledger(settings.ledger).close()
    return settings


def held(path: Path) -> bool:
    """Whether somebody holds the lock of the file that stands there."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_who_is_being_started_waits_for_the_burial(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process between making its lock's file and locking it is cleared away before it lives, or not at all.

    Were it to live in between, the job that it takes would be settled as that of a dead one, and its folder removed.
    """
    owner, lived = "worker-1-abc", threading.Event()
    (home.private / f"{owner}.lock").touch()  # made, and not locked yet
    lock = OwnerLock(home, owner)
    began: list[threading.Thread] = []
    settle: Any = Ledger.settle_running

    def start(self: Ledger, name: str, error: str) -> None:
        def live() -> None:
            with lock:
                lived.set()
                assert go.wait(30)

        began.append(threading.Thread(target=live))
        began[0].start()
        assert not lived.wait(0.3), "it lives while it is being buried"
        settle(self, name, error)

    go = threading.Event()
    monkeypatch.setattr(Ledger, "settle_running", start)
    assert sweep(home) == [owner]
    assert lived.wait(30)
    assert held(lock.path)
    monkeypatch.undo()
    assert sweep(home) == []
    go.set()
    began[0].join(30)
    assert not lock.path.exists()


def test_a_file_that_was_replaced_is_left_alone(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another sweep cleared the file and its owner made a new one, the lock of the old file proves nothing."""
    path = home.private / "worker-1-abc.lock"
    path.touch()
    lock, flock = OwnerLock(home, "worker-1-abc"), fcntl.flock

    def replaced(descriptor: int, operation: int) -> None:
        if operation & fcntl.LOCK_NB:
            path.unlink()
            lock.__enter__()
        return flock(descriptor, operation)

    monkeypatch.setattr(leftovers.fcntl, "flock", replaced)
    assert sweep(home) == []
    monkeypatch.undo()
    assert held(path)
    lock.__exit__(None, None, None)
    assert sweep(home) == []
