"""Finds thousands of phrases in one pass over a text, at word boundaries, in any script.

A text is first reduced to its *key*: words with one space between them, a semicolon where a sentence or a list breaks,
so that "Coca-Cola" and "coca cola" are one phrase and "Jack. Black" is none. Phrases are reduced the same way.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from safety.prompt.views import View

_WORD = re.compile(r"[^\W_]+(?:[\u0300-\u036f\u0900-\u097f\u0b80-\u0dff]+[^\W_]*)*")
# What may stand between two words of one phrase; a full stop only inside a name (j.k., st. ives).
_JOINT = re.compile(r"[ \-_'’`´·・‧&+]{1,3}\Z|[.\-_]{1,3}\Z|\Z")
_TITLES = frozenset(("mr", "mrs", "ms", "dr", "st", "prof"))  # a stop after these ends no sentence
_BOUNDLESS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "KATAKANA-HIRAGANA")


@dataclass(frozen=True)
class Key:
    """A view reduced to words; character i stands for character at[i] of the view."""

    view: View
    text: str
    at: array[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The user's own code points for key characters [start, end)."""
        return self.view.span(self.at[start], self.at[end - 1] + 1)


@dataclass(frozen=True)
class Hit:
    """A phrase found: where in the key, and what the phrase stands for."""

    start: int
    end: int
    phrase: str
    meaning: Any

    def within(self, other: Hit) -> bool:
        """True where the other hit covers this one and is longer."""
        return other.start <= self.start and self.end <= other.end and other.end - other.start > self.end - self.start


def key_of(view: View) -> Key:
    """The key of a view."""
    pieces: list[str] = []
    at = array("I")
    before = 0
    for match in _WORD.finditer(view.text):
        start, end = match.span()
        if pieces:
            gap = view.text[before:start]
            initial = gap == ". " and (len(pieces[-1]) == 1 or pieces[-1] in _TITLES)
            if gap:
                pieces.append(" " if initial or _JOINT.match(gap) else ";")
                at.append(before)
        pieces.append(match.group())
        at.extend(range(start, end))
        before = end
    return Key(view, "".join(pieces), at)


def phrase_key(phrase: str) -> str:
    """A phrase as it appears in a key; the phrase must already be in folded case."""
    return " ".join(_WORD.findall(phrase))


class PhraseIndex:
    """An Aho-Corasick automaton over phrases in key form, each with any number of meanings."""

    def __init__(self, phrases: Iterable[tuple[str, Any]]) -> None:
        import ahocorasick

        meanings: dict[str, list[Any]] = {}
        for phrase, meaning in phrases:
            if phrase:
                meanings.setdefault(phrase, []).append(meaning)
        self._automaton = ahocorasick.Automaton()
        for phrase, some in meanings.items():
            self._automaton.add_word(phrase, (phrase, tuple(some)))
        self._automaton.make_automaton()
        self.words = frozenset(word for phrase in meanings for word in phrase.split())

    def find(self, key: Key) -> Iterator[Hit]:
        """Every hit at word boundaries, overlapping ones as well."""
        text = key.text
        for last, (phrase, some) in self._automaton.iter(text):
            start, end = last + 1 - len(phrase), last + 1
            if not _starts_word(text, start):
                continue
            end = _word_end(text, end, phrase)
            if end:
                for meaning in some:
                    yield Hit(start, end, phrase, meaning)


@lru_cache(maxsize=8192)
def _script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0]


def _is_boundless(char: str) -> bool:
    return char > "\u0dff" and _script(char) in _BOUNDLESS


def _starts_word(text: str, start: int) -> bool:
    if start == 0 or text[start - 1] in " ;" or _is_boundless(text[start]) or _is_boundless(text[start - 1]):
        return True
    # Arabic writes "and", "by", "the" onto the next word.
    word_start = (
        max(text.rfind(" ", 0, start), text.rfind(";", 0, start)) + 1 if _script(text[start]) == "ARABIC" else start
    )
    return 0 < start - word_start <= 3 and text[word_start:start] in ("و", "ب", "ل", "ال", "وال", "بال", "لل", "ف")


def _word_end(text: str, end: int, phrase: str) -> int:
    """Where the word ends that the phrase ends in, or 0 where the phrase ends inside another word."""
    if end == len(text) or text[end] in " ;" or _is_boundless(text[end]) or _is_boundless(phrase[-1]):
        return end
    script = _script(phrase[-1])
    if script == "HANGUL":  # particles are written onto the word
        return end
    if script == "CYRILLIC" and len(phrase) >= 5:  # case endings
        stop = next((i for i in range(end, min(len(text), end + 4)) if text[i] in " ;"), min(len(text), end + 4))
        return stop if stop - end <= 3 and (stop == len(text) or text[stop] in " ;") else 0
    return 0
