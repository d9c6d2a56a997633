"""What comes in of files that are finished, whatever the engine: written in groups, told in the order of the sources.

One thread takes in. A group is committed when it is large enough or its first file has waited long enough, then its
rows are told: nobody is told a row that a power cut could take back. Rows are read from the ledger when it is their
turn, so a long film at the front costs a list of names, not of rows.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from assay.batch.store import Filed, Known, Store, Stored

# Files in a commit, at most. A commit costs 10 ms whatever it holds, and a file 2 ms.
GROUP = 64

Teller = Callable[[Stored], None]


@dataclass
class Counts:
    """How a run stands, for people: files by action, frames looked at."""

    files: int = 0
    by_word: dict[str, int] = field(default_factory=dict)
    frames: int = 0

    def add(self, one: Filed) -> None:
        """One more file."""
        action = one.recorded.action if one.recorded else one.known.action if one.known else None
        word = action or ("skipped" if one.skipped else "failed")
        self.files += 1
        self.by_word[word] = self.by_word.get(word, 0) + 1
        self.frames += one.recorded.frames_total if one.recorded else 0


class Intake:
    """Takes in what an engine finished; `told` gets each row once, in order.

    patience_s: how long the first file of a group waits to be written with others.
    """

    def __init__(self, store: Store, run: str, told: Teller, patience_s: float) -> None:
        self._store, self._run, self._told, self._patience_s = store, run, told, patience_s
        self._order: deque[str] = deque()
        self._done: set[str] = set()
        self._group: list[Filed] = []
        self._since = 0.0
        self.counts = Counts()

    def expect(self, uris: Iterable[str]) -> None:
        """The next files in the order of the sources; may be called from another thread."""
        self._order.extend(uris)

    def already(self, uris: Iterable[str], words: dict[str, str]) -> None:
        """Files whose rows the run has, from before it was cut short."""
        for uri in uris:
            self._done.add(uri)
            word = words[uri]
            self.counts.files += 1
            self.counts.by_word[word] = self.counts.by_word.get(word, 0) + 1

    def take(self, one: Filed) -> None:
        """One more file that is finished; it is written with its group."""
        if not self._group:
            self._since = time.monotonic()
        self._group.append(one)

    @property
    def waiting(self) -> int:
        """How many files are taken in and not written yet."""
        return len(self._group)

    @property
    def due(self) -> bool:
        """Whether the group should be committed now."""
        waited = self._group and time.monotonic() - self._since >= self._patience_s
        return bool(waited) or len(self._group) >= GROUP

    def commit(self) -> list[Filed]:
        """Writes the group, tells what may be told, and returns what was written."""
        group, self._group = self._group, []
        if group:
            self._store.keep(self._run, group)
            for one in group:
                self.counts.add(one)
                self._done.add(one.uri)
        self.tell()
        return group

    def tell(self) -> None:
        """The rows whose turn it is."""
        while self._order and self._order[0] in self._done:
            turn: list[str] = []
            while self._order and self._order[0] in self._done and len(turn) < GROUP:
                turn.append(self._order.popleft())
                self._done.discard(turn[-1])
            rows = self._store.rows(self._run, turn)
            for uri in turn:
                self._told(rows[uri])


def same_content(one: Filed, first: Filed, known: Known | None) -> Filed:
    """A path of a content that another path brought in: what was decided of that, or why nothing was."""
    if known is not None:
        return replace(one, known=known)
    said: dict[str, Any] = first.error or {"type": "StageFailed", "stage": None, "message": f"{first.uri} failed"}
    message = said["message"].replace(first.uri, one.uri)
    return replace(
        one, error=said | {"message": message}, extras=one.extras | {"exit_code": first.extras.get("exit_code")}
    )
