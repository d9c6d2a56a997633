"""What a killed process leaves behind, and how the next start clears it away.

Each worker holds a lock on a file named after it for as long as it lives; the kernel lets go of the lock when it dies,
however it dies. A lock that can be taken belongs to nobody any more: its private folder is removed, and the jobs it had
leased are settled as failed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from assay.settings import Settings


def new_owner() -> str:
    """A name for a worker process that no other will have."""
    return f"worker-{os.getpid()}-{secrets.token_hex(6)}"


class OwnerLock:
    """Holds the owner's lock while the process lives; a context manager."""

    def __init__(self, settings: Settings, owner: str) -> None:
        self.path = _lock_path(settings, owner)
        self._descriptor = -1

    def __enter__(self) -> OwnerLock:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            self._descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if _is_at(self.path, self._descriptor):
                return self
            os.close(self._descriptor)  # somebody swept the file before it was locked

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.path.with_suffix(""), ignore_errors=True)
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def sweep(settings: Settings) -> list[str]:
    """Clears away what dead workers left; returns their names. Safe to call at any time, from any process.

    A dead worker's lock is held meanwhile: one that is just being started has its file before its lock, and must not
    come to life, and to a job, while it is being buried.
    """
    if not settings.private.is_dir():
        return []
    dead = []
    with ExitStack() as stack:
        for path in settings.private.glob("worker-*.lock"):
            if (descriptor := _seized(path)) is not None:
                stack.callback(os.close, descriptor)
                dead.append(path)
        if dead:
            _bury(settings, dead)
    return [path.stem for path in dead]


def _bury(settings: Settings, dead: Sequence[Path]) -> None:
    from assay.ledger import Ledger  # only where there is something to settle

    ledger = Ledger(settings.ledger)
    for path in dead:
        shutil.rmtree(path.with_suffix(""), ignore_errors=True)
        ledger.settle_running(path.stem, "its process died; nothing was released")
        path.unlink(missing_ok=True)
    ledger.close()


def _lock_path(settings: Settings, owner: str) -> Path:
    return settings.private / f"{owner}.lock"


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether that very file still stands there: others may have cleared it away, and a new one may be in its place."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _seized(path: Path) -> int | None:
    """The lock of an owner that is dead, now held by us, as a descriptor; None where the owner lives or is cleared."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if _is_at(path, descriptor):
        return descriptor
    os.close(descriptor)
    return None
