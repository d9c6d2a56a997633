"""The words that disguised text may be folded into, and the words that say that a text is English."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WORD_MAX = 24  # characters; longer words are never joined or unmasked


@dataclass(frozen=True)
class Vocabulary:
    """Two sets of lower-case words: those of the lexicon and gazetteer, and common English ones."""

    listed: frozenset[str]
    common: frozenset[str]

    @classmethod
    def of(cls, listed: Iterable[str], common: Iterable[str]) -> Vocabulary:
        """From any words; those shorter than three letters are dropped from the listed ones."""
        return cls(frozenset(word for word in listed if 3 <= len(word) <= WORD_MAX), frozenset(common))

    def knows(self, word: str) -> bool:
        """True for a listed or a common word of at least three letters."""
        return len(word) >= 3 and (word in self.listed or word in self.common)
