"""Descriptions without a name: how much a text says of what a person, character, mark or manner is known for.

`descriptions.txt` lists what each is known for. Words that are rare in ordinary prompts count, and two of them near
each other more: "lightning" is in many captions, "lightning" beside "scar" in none. This is a search, not a judgement,
since look-alikes share words on purpose: it is one of two voices of the mix that `calibration.json` holds, beside the
encoder. How rare a word is was counted on public captions (`weights/rarity.json`).
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

from safety.errors import ModelUnavailable

_ALONE = "!"  # before a phrase that only one of them has
_WORD = re.compile(r"[a-z0-9]+")
_NEAR, _NEAR_IN_PHRASE = 8, 4  # words within which two count as a pair: in a text, in a phrase of the list
_SHARED, _SINGLE, _WITH_BASE = 0.6, 0.5, 0.35  # of a phrase that others have too; of one word; of a word with the base
_WINDOW, _STEP = 60, 30  # words that are judged together: a description is no longer
_UNIT, _MOST = 20.0, 3.0  # what sums to 1.0, and what the signal is cut at
_COMMON = """
a an the of in on at with and or to his her its their who that which is are was be by from for as into up out over under
it he she they all one two so like than then not no before after beside behind next very big small man woman boy girl
people person video clip show make scene
"""

Gram = str | tuple[str, str]


@dataclass(frozen=True)
class Known:
    """One line: what it is called in a prompt, an innocent stand-in, phrases that tell it, phrases that many share."""

    category: str
    base: str
    innocent: str
    telling: tuple[str, ...]
    shared: tuple[str, ...]


def known() -> Iterator[Known]:
    """Every line of `descriptions.txt`, in order."""
    category = ""
    for line in (resources.files("safety.prompt") / "descriptions.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            category = line.strip("[] ")
        elif line.strip() and not line.startswith("#"):
            bases, _, phrases = line.partition("::")
            base, _, innocent = (part.strip() for part in bases.partition("~"))
            each = [phrase.strip() for phrase in phrases.split(";")]
            telling = tuple(phrase.removeprefix(_ALONE) for phrase in each if phrase.startswith(_ALONE))
            shared = tuple(phrase for phrase in each if not phrase.startswith(_ALONE))
            yield Known(category, base, innocent, telling, shared)


def content_words(text: str) -> list[str]:
    """The words of a text in folded case that may tell something, without their commonest endings."""
    return [_stem(word) for word in _WORD.findall(text) if word not in _common_words()]


@cache
def _common_words() -> frozenset[str]:
    return frozenset(_COMMON.split())


@lru_cache(maxsize=32768)
def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word.removesuffix(ending)
    return word


class Descriptions:
    """Looks for descriptions; deterministic, and safe to share between threads."""

    def __init__(self, lines: Sequence[Known], rarity: bytes) -> None:
        """`rarity`: JSON {"texts": number of captions, "words": {word: in how many of them}}."""
        counted = json.loads(rarity)
        self._texts, self._words = int(counted["texts"]), counted["words"]
        self._rare: dict[str, float] = {}
        self._categories = [one.category for one in lines]
        self._index: dict[Gram, list[tuple[int, float]]] = defaultdict(list)
        for number, one in enumerate(lines):
            for gram, weight in self._grams(one).items():
                self._index[gram].append((number, weight))

    @classmethod
    def load(cls, rarity: bytes) -> Descriptions:
        """The shipped list; raises ModelUnavailable where `rarity` is no such table."""
        try:
            return cls(list(known()), rarity)
        except (ValueError, KeyError, TypeError) as error:
            raise ModelUnavailable(f"rarity.json: cannot be read ({error}); reinstall Assay") from error

    def signals(self, text: str) -> Mapping[str, float]:
        """By category, what is said of the one that most is said of: 0 to 3, where about 1 is a description."""
        words = content_words(text)
        best: dict[str, float] = {}
        for start in range(0, max(1, len(words) - _STEP), _STEP):
            for number, total in self._found(words[start : start + _WINDOW]).items():
                category = self._categories[number]
                best[category] = max(best.get(category, 0.0), min(total / _UNIT, _MOST))
        return best

    def _found(self, words: Sequence[str]) -> Mapping[int, float]:
        totals: dict[int, float] = defaultdict(float)
        seen: set[Gram] = set(words)
        for place, first in enumerate(words):
            seen.update(_pair(first, second) for second in words[place + 1 : place + _NEAR] if first != second)
        for gram in seen:
            for number, weight in self._index.get(gram, ()):
                totals[number] += weight
        return totals

    def _rarity(self, word: str) -> float:
        if word not in self._rare:  # a description says its words again and again
            self._rare[word] = math.log((self._texts + 1) / (self._words.get(word, 0) + 1))
        return self._rare[word]

    def _grams(self, one: Known) -> Mapping[Gram, float]:
        """What counts for one line: its rare words, two of a phrase, and one of a phrase with what it is called."""
        base = content_words(one.base.casefold())
        grams: dict[Gram, float] = {word: _SINGLE * self._rarity(word) for word in base}
        for phrases, part in ((one.telling, 1.0), (one.shared, _SHARED)):
            for phrase in phrases:
                for gram, weight in self._grams_of(content_words(phrase.casefold()), base).items():
                    grams[gram] = max(grams.get(gram, 0.0), part * weight)
        return grams

    def _grams_of(self, words: Sequence[str], base: Sequence[str]) -> Mapping[Gram, float]:
        grams: dict[Gram, float] = {}
        for place, word in enumerate(words):
            rare = self._rarity(word)
            grams[word] = _SINGLE * rare
            for other in words[place + 1 : place + _NEAR_IN_PHRASE]:
                if other != word:
                    grams[_pair(word, other)] = _SINGLE * (rare + self._rarity(other))
            for other in base:
                if other != word:
                    pair = _pair(word, other)
                    grams[pair] = max(grams.get(pair, 0.0), _WITH_BASE * (rare + self._rarity(other)))
        return grams


def _pair(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first < second else (second, first)
