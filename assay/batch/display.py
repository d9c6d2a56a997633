"""How a run stands, on one line of stderr, where that is a terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.live import Live
from rich.text import Text

from assay.batch.intake import Counts

WORDS = ("allow", "review", "block", "failed", "skipped")
_REFRESH_S = 0.2


def line(counts: Counts, total: int | None, frames: float, elapsed_s: float) -> str:
    """Files, frames a second, time to go, and what was decided so far. frames: looked at in this run."""
    parts = [f"{counts.files} of {total} files" if total else f"{counts.files} files"]
    parts.append(f"{frames / elapsed_s:.0f} frames/s" if elapsed_s > 0 else "")
    if total and counts.files and counts.files <= total:
        left_s = elapsed_s / counts.files * (total - counts.files)
        parts.append(f"{timedelta(seconds=round(left_s))} to go")
    parts += [f"{counts.by_word[word]} {word}" for word in WORDS if counts.by_word.get(word)]
    return " · ".join(part for part in parts if part)


class Display:
    """Draws the line while a run is under way; draws nothing where stderr is no terminal."""

    def __init__(self, console: Console, total: Callable[[], int] | None) -> None:
        self._began = time.monotonic()
        self._drawn = 0.0
        self._total: int | None = None
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(Text(""), console=console, transient=True, auto_refresh=False)
            if total is not None:
                threading.Thread(target=self._count, args=(total,), daemon=True, name="batch-count").start()

    def _count(self, total: Callable[[], int]) -> None:
        self._total = total()

    def __enter__(self) -> Display:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *ending: object) -> None:
        if self._live is not None:
            self._live.stop()

    def draw(self, counts: Counts, frames_under_way: float) -> None:
        """The line as it is now, a few times a second."""
        if self._live is None or time.monotonic() - self._drawn < _REFRESH_S:
            return
        self._drawn = time.monotonic()
        elapsed_s = self._drawn - self._began
        words = line(counts, self._total, counts.frames + frames_under_way, elapsed_s)
        self._live.update(Text(words, overflow="ellipsis", no_wrap=True), refresh=True)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Out of the way, while somebody else writes to the terminal."""
        if self._live is None:
            yield
            return
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()
