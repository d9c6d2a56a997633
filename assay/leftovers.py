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
            if self.path.exists() and os.path.samestat(os.fstat(self._descriptor), self.path.stat()):
                return self
            os.close(self._descriptor)  # somebody swept the file before it was locked

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.path.with_suffix(""), ignore_errors=True)
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def sweep(settings: Settings) -> list[str]:
    """Clears away what dead workers left; returns their names. Safe to call at any time, from any process."""
    if not settings.private.is_dir():
        return []
    dead = [path for path in settings.private.glob("worker-*.lock") if _nobody_holds(path)]
    if dead:
        from assay.ledger import Ledger  # only where there is something to settle

        ledger = Ledger(settings.ledger)
        for path in dead:
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            ledger.settle_running(path.stem, "its process died; nothing was released")
            path.unlink(missing_ok=True)
        ledger.close()
    return [path.stem for path in dead]


def _lock_path(settings: Settings, owner: str) -> Path:
    return settings.private / f"{owner}.lock"


def _nobody_holds(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)
