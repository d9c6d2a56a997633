"""How long the stages take, counted in buckets: by every process that waits for one, and added up for a scrape.

The processes that work on jobs are not the one that is scraped. Each writes its counts into a small file of its own
after a stage; whoever is scraped adds up the files. A file outlives its process, so that no count goes back; it goes
when the server starts anew, as counters may.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_FOLDER = "meters"


@dataclass
class Times:
    """Of one stage: how many took at most each bound (and, last, longer), and the sum of seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.seconds += seconds

    def __add__(self, other: Times) -> Times:
        return Times([a + b for a, b in zip(self.counts, other.counts, strict=True)], self.seconds + other.seconds)


_lock = threading.Lock()
_mine: dict[str, Times] = {}
_file: Path | None = None


def observe(stage: str, seconds: float) -> None:
    """A stage took so long. Never raises: what cannot be written is lost, and the work goes on."""
    with _lock:
        _mine.setdefault(stage, Times()).add(seconds)
        if _file is not None:
            _write(_file)


def share(home: Path) -> None:
    """From now on this process's counts are in a file that `gathered` reads."""
    global _file
    folder = home / _FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _file = folder / f"{os.getpid()}-{secrets.token_hex(4)}.json"


def clear(home: Path) -> None:
    """Forgets what processes of earlier servers left."""
    for path in (home / _FOLDER).glob("*"):
        path.unlink(missing_ok=True)


def gathered(home: Path) -> Mapping[str, Times]:
    """The counts of this process and of all that share theirs."""
    with _lock:
        found = {stage: Times(list(times.counts), times.seconds) for stage, times in _mine.items()}
        own = _file
    for path in sorted((home / _FOLDER).glob("*.json")):
        if path != own:
            for stage, times in _read(path):
                found[stage] = found.get(stage, Times()) + times
    return found


def _write(path: Path) -> None:
    staged = path.with_suffix(".partial")
    try:
        staged.write_text(json.dumps({stage: [times.counts, times.seconds] for stage, times in _mine.items()}))
        os.replace(staged, path)
    except OSError:
        staged.unlink(missing_ok=True)


def _read(path: Path) -> Iterable[tuple[str, Times]]:
    try:
        kept = json.loads(path.read_text("utf-8"))
        return [(stage, Times(list(map(int, counts)), float(seconds))) for stage, (counts, seconds) in kept.items()]
    except (OSError, ValueError, TypeError, AttributeError):
        return []  # it went, or is of another version
