"""The words that disguised text may be folded into, and the words that say that a text is English."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WORD_MAX = 24  # characters; longer words are never joined or unmasked


@dataclass(frozen=True)
class Vocabulary:
    """Sets of lower-case words: those of the lexicon and gazetteer, common English ones, and a larger dictionary.

    The dictionary counts only where digits or signs stand for letters: there innocent words must be read as well as
    listed ones, or what is left between the listed ones says nothing.
    """

    listed: frozenset[str]
    common: frozenset[str]
    dictionary: frozenset[str] = frozenset()

    @classmethod
    def of(cls, listed: Iterable[str], common: Iterable[str], dictionary: Iterable[str] = ()) -> Vocabulary:
        """From any words; those shorter than three letters are dropped from the listed ones."""
        return cls(
            frozenset(word for word in listed if 3 <= len(word) <= WORD_MAX),
            frozenset(common),
            frozenset(word for word in dictionary if 3 <= len(word) <= WORD_MAX and word.isalpha()),
        )

    def knows(self, word: str) -> bool:
        """True for a listed or a common word of at least three letters."""
        return len(word) >= 3 and (word in self.listed or word in self.common)

    def has(self, word: str) -> bool:
        """True for a common word or one of the dictionary."""
        return word in self.common or word in self.dictionary
