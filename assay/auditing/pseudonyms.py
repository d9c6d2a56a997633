"""Names that say nothing: a keyed hash (HMAC-SHA-256) of an actor or a reviewer, under a key that changes in time.

With the key, the same person has the same name, so strikes add up; without it, a name leads to nobody. Keys change
every so many days and the oldest destroyed, after which even this installation cannot tell whose name it was.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from media import AssayError


class PseudonymKeyUnusable(AssayError):
    """The file of the keys cannot be read, or is open to others."""


@dataclass(frozen=True)
class Pseudonyms:
    """The keys of an installation, in a file of mode 0600, newest last."""

    path: Path
    days: float = 90.0  # after which a new key is made
    keep: int = 3  # keys that are kept, the present one included: strikes reach back this far

    def of(self, actor: str) -> str:
        """The name under the present key: `act_` and 24 hexadecimal digits."""
        return _named(self._keys()[-1], actor)

    def all(self, actor: str) -> tuple[str, ...]:
        """The names under every key that is still kept, newest first."""
        return tuple(_named(key, actor) for key in reversed(self._keys()))

    def _keys(self) -> list[bytes]:
        with self._locked() as descriptor:
            kept = self._read(descriptor)
            newest = datetime.fromisoformat(kept[-1][0]) if kept else None
            if newest is None or datetime.now(UTC) - newest >= timedelta(days=self.days):
                kept = [*kept, (datetime.now(UTC).isoformat(), secrets.token_hex(32))][-self.keep :]
                self._replace(kept)
        return [bytes.fromhex(key) for _, key in kept]

    @contextmanager
    def _locked(self) -> Iterator[Path]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield self.path
        finally:
            os.close(descriptor)

    def _read(self, path: Path) -> list[tuple[str, str]]:
        if not path.exists():
            return []
        if path.stat().st_mode & 0o077:
            raise PseudonymKeyUnusable(f"{path} can be read by others than its owner; chmod 600 {path}")
        try:
            kept = [(one["made"], one["key"]) for one in json.loads(path.read_bytes())]
            if not kept:
                raise ValueError
            for made, key in kept:
                datetime.fromisoformat(made), bytes.fromhex(key)
        except (ValueError, TypeError, KeyError) as error:
            raise PseudonymKeyUnusable(f"{path} is no file of keys; put back the one that was there") from error
        return kept

    def _replace(self, kept: list[tuple[str, str]]) -> None:
        staged = self.path.with_suffix(".partial")
        with open(os.open(staged, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            json.dump([{"made": made, "key": key} for made, key in kept], file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, self.path)


def _named(key: bytes, actor: str) -> str:
    return f"act_{hmac.digest(key, actor.encode(), 'sha256').hex()[:24]}"
