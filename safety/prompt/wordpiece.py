"""WordPiece as BERT cuts text, in plain Python: no tokenizer library at run time.

A text is cleaned, its accents fall off, it is cut at spaces, punctuation and CJK characters, and every word is cut
into the longest pieces that the vocabulary has. Each piece knows the characters of the text that it came from. Words
are remembered, so that the usual prompt costs a few dictionary look-ups. Algorithm: Wu et al. 2016, Devlin et al. 2019.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

WORD_MAX = 100  # characters; a longer word is one unknown piece, as in BERT
_WORDS_KEPT = 50_000  # words remembered, about 10 MB

_DROP, _SPACE, _ALONE, _WORD = range(4)
_CJK = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


@lru_cache(maxsize=65536)
def _kind(char: str) -> tuple[int, str]:
    """What a character does to a word, and what is left of it without accents, in lower case."""
    category = unicodedata.category(char)
    if char in "\t\n\r" or category == "Zs" or char.isspace():
        return (_SPACE, "") if category != "Cc" or char in "\t\n\r" else (_DROP, "")
    if char in "\x00\ufffd" or category in ("Cc", "Cf", "Co", "Cs"):
        return _DROP, ""
    if any(low <= ord(char) <= high for low, high in _CJK):
        return _ALONE, char
    bare = "".join(c for c in unicodedata.normalize("NFD", char) if unicodedata.category(c) != "Mn").lower()
    ascii_sign = "!" <= char <= "~" and not char.isalnum()
    return (_ALONE if ascii_sign or category[0] == "P" else _WORD), bare


@dataclass(frozen=True)
class Pieces:
    """The vocabulary numbers of a text, and the characters [starts, ends) that each stands for; no special pieces."""

    ids: Sequence[int]
    starts: Sequence[int]
    ends: Sequence[int]


class WordPiece:
    """Cuts texts with one vocabulary: a piece a line, `##` before those that continue a word."""

    def __init__(self, vocabulary: str) -> None:
        self._numbers = {piece: number for number, piece in enumerate(vocabulary.splitlines())}
        self.first, self.last = self._numbers["[CLS]"], self._numbers["[SEP]"]
        self.pad, self._unknown = self._numbers["[PAD]"], self._numbers["[UNK]"]
        self._cut = lru_cache(maxsize=_WORDS_KEPT)(self._cut_word)

    def pieces(self, text: str) -> Pieces:
        """The pieces of a text, in order; time is linear in its length."""
        ids: list[int] = []
        starts: list[int] = []
        ends: list[int] = []
        word: list[str] = []
        at: list[int] = []  # where each character of the word stands

        def finish() -> None:
            for number, begin, end in self._cut("".join(word)) if len(word) <= WORD_MAX else ((self._unknown, 0, -1),):
                ids.append(number)
                starts.append(at[begin])
                ends.append(at[end - 1] + 1 if end > 0 else at[-1] + 1)
            word.clear()
            at.clear()

        for index, char in enumerate(text):
            kind, bare = (_WORD, char) if "a" <= char <= "z" else _kind(char)
            if kind == _WORD:
                word.extend(bare)
                at.extend([index] * len(bare))
                continue
            if kind == _DROP:
                continue
            if word:
                finish()
            if kind == _ALONE and bare:
                word.extend(bare)
                at.extend([index] * len(bare))
                finish()
        if word:
            finish()
        return Pieces(ids, starts, ends)

    def _cut_word(self, word: str) -> tuple[tuple[int, int, int], ...]:
        """(number, start, end) of the pieces of a word; one unknown piece where it cannot be cut."""
        out: list[tuple[int, int, int]] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            for end in range(len(word), start, -1):
                number = self._numbers.get(mark + word[start:end])
                if number is not None:
                    out.append((number, start, end))
                    start = end
                    break
            else:
                return ((self._unknown, 0, len(word)),)
        return tuple(out)
