"""The scores of one model along one video, in a few bytes a frame."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from safety.frame.asking import Answer
from safety.score import Absence, Item, Track, Where

# Evidence below this value is dropped: a threshold under it would flag the noise of every model here.
EVIDENCE_FLOOR = 0.05
FAULTS_KEPT = 3  # a model that fails on every frame of a film says so once, not a million times

_CODES = (None, Absence.UNSUPPORTED, Absence.FAILED)


class Recorder:
    """Grows one track per category; values are quantised to float16 as they come, as decisions read them."""

    def __init__(self, categories: Sequence[str]) -> None:
        self._columns = {category: _Column() for category in categories}
        self._faults: list[str] = []
        self._fault_count = 0

    def add(self, answer: Answer, begins: bool = False) -> None:
        """The next frame's answer; every category must be in it. `begins`: the frame begins a shot."""
        for category, column in self._columns.items():
            column.add(*answer[category], begins)

    def lost(self) -> None:
        """The next frame was never shown to the model: it did not decode, or was not reached."""
        for column in self._columns.values():
            column.add(Absence.FAILED, None)

    def fault(self, *words: str) -> None:
        """What went wrong, in words; the first few are kept, the rest are counted."""
        self._faults.extend(words[: max(0, FAULTS_KEPT - len(self._faults))])
        self._fault_count += len(words)

    def tracks(
        self, item: Item, source: str, pts: NDArray[np.float64], remark: str | None, borders: tuple[int, ...] = ()
    ) -> list[Track]:
        """One track per category; `remark` is added to the note of each; `borders` as in `Track`."""
        known: dict[bytes, dict[int, Absence]] = {}  # categories that fail together share one mapping
        note = self._note(remark)
        return [
            Track(item, category, source, column.values(), pts, column.absences(known), column.where, note, borders)
            for category, column in self._columns.items()
        ]

    def _note(self, remark: str | None) -> str | None:
        more = self._fault_count - len(self._faults)
        parts = [*([remark] if remark else []), *self._faults, *([f"and {more} more faults"] if more else [])]
        return "; ".join(parts) or None


class _Column:
    """One category: a value or an absence a frame, and the evidence that a reason may cite."""

    def __init__(self) -> None:
        self._values = array("f")
        self._codes = bytearray()
        self._before = -1.0  # the last frame's value; an absent frame counts as lower than any value
        self.where: dict[int, Where] = {}

    def add(self, value: float | Absence, evidence: Where | None, begins: bool = False) -> None:
        if isinstance(value, Absence):
            self._values.append(float("nan"))
            self._codes.append(_CODES.index(value))
            self._before = -1.0
            return
        number = float(np.float16(value))
        # A reason cites the first maximum of a segment, and a segment that holds a frame holds every neighbour that is
        # at least as high: so a frame can be cited only where the value rises to it and does not rise after it. But
        # a segment may end at the border of a shot: there the value rises anew, and what was kept before it stays.
        if begins or number > self._before:
            index = len(self._values)
            if not begins:
                self.where.pop(index - 1, None)
            if evidence is not None and number >= EVIDENCE_FLOOR:
                self.where[index] = evidence
        self._values.append(number)
        self._codes.append(0)
        self._before = number

    def values(self) -> NDArray[np.float16]:
        return np.array(self._values, np.float32).astype(np.float16)

    def absences(self, known: dict[bytes, dict[int, Absence]]) -> dict[int, Absence]:
        codes = bytes(self._codes)
        if codes not in known:
            known[codes] = {i: absence for i, code in enumerate(codes) if (absence := _CODES[code]) is not None}
        return known[codes]
