"""Asks a large guard only where the first classifier is uncertain, and lets the guard settle it there.

Uncertain is a category whose value lies in the band [low, high), or a text whose language the first could not read.
There the guard's answer stands in the place of the first's, both ways: that is what a second look is for. Two things
never get softer by a second look: `sexual/minors`, and what was found in so many words at `high` or above. Where the
guard does not answer, nobody did: the absence is the guard's, and the policy says what follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from safety.neutral import Mention, NamesReader
from safety.score import Absence, Item, Score
from safety.stages import PromptClassifier, source

NEVER_SOFTER = ("sexual/minors",)


@dataclass(frozen=True)
class Band:
    """Values that are uncertain: low <= value < high. The shipped policies review from 0.5 and block from 0.8."""

    low: float = 0.2
    high: float = 0.8

    def __post_init__(self) -> None:
        if not 0.0 <= self.low < self.high <= 1.0:
            raise ValueError(f"an uncertain band needs 0 <= low < high <= 1, not {self.low} and {self.high}")


class Cascade:
    """Two classifiers as one. Implements `safety.PromptClassifier`; its source names both."""

    def __init__(self, first: PromptClassifier, guard: PromptClassifier, band: Band | None = None) -> None:
        self._first, self._guard, self._band = first, guard, band or Band()
        self.name = f"{first.name}+{guard.name}"
        self.version = f"{first.version}+{guard.version}"
        self.categories: tuple[str, ...] = first.categories
        hashes = f"{first.weights_sha256}|{guard.weights_sha256}|{self._band}"
        self.weights_sha256: str | None = hashlib.sha256(hashes.encode()).hexdigest()
        self.runtime: str | None = "; ".join(part for part in (first.runtime, guard.runtime) if part) or None

    def score(self, item: Item, text: str) -> list[Score]:
        """The first's scores, with the guard's in place of the uncertain ones that it can answer for."""
        said = [replace(score, source=source(self)) for score in self._first.score(item, text)]
        doubtful = {score.category for score in said if self._uncertain(score)} & set(self._guard.categories)
        if not doubtful:
            return said
        second = self._ask(item, text)
        return [self._settled(score, second) if score.category in doubtful else score for score in said]

    def named(self, text: str) -> Sequence[Mention]:
        """The names that the first classifier found, where it can say; implements `safety.NamesReader`."""
        return self._first.named(text) if isinstance(self._first, NamesReader) else ()

    def _uncertain(self, score: Score) -> bool:
        if score.value is None:
            return score.absence is Absence.UNSUPPORTED
        return self._band.low <= score.value < self._band.high

    def _ask(self, item: Item, text: str) -> dict[str, Score]:
        try:
            answers: Sequence[Score] = self._guard.score(item, text)
        except Exception as error:  # noqa: BLE001 (a model may raise anything; then nobody answered)
            note = f"raised {type(error).__name__}: {error}"[:300]
            answers = [Score.absent(item, c, source(self._guard), Absence.FAILED, note) for c in self._guard.categories]
        return {answer.category: answer for answer in answers}

    def _settled(self, first: Score, second: dict[str, Score]) -> Score:
        answer = second.get(first.category)
        name = source(self._guard)
        if answer is None or answer.value is None:
            why = "left the category out" if answer is None else answer.note or "did not answer"
            kind = Absence.FAILED if answer is None or answer.absence is None else answer.absence
            return Score.absent(first.item, first.category, first.source, kind, f"uncertain, and {name}: {why}")
        if first.value is None:
            return replace(answer, source=first.source, note=f"{name}; {first.note or 'not readable'}")
        note = f"{name} said {answer.value:.2f}, {source(self._first)} {first.value:.2f}"
        if first.category in NEVER_SOFTER and first.value >= answer.value:
            return replace(first, note=note)
        return replace(first, value=answer.value, note="; ".join(part for part in (first.note, note) if part))
