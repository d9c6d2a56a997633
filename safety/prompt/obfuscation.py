"""Disguises of text, as people use them to slip past filters: for training and for tests, never for prompts.

Each takes a text and a seeded random generator; the same seed gives the same disguise.
"""

from __future__ import annotations

import random
from collections.abc import Callable

_LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "b": "8"}
_HOMOGLYPHS = {
    "a": "а",
    "c": "с",
    "e": "е",
    "i": "і",
    "o": "о",
    "p": "р",
    "s": "ѕ",
    "x": "х",
    "y": "у",
    "h": "һ",
    "d": "ԁ",
}
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"


def zero_width(text: str, rng: random.Random) -> str:
    """Invisible characters inside words."""
    return "".join(c + (rng.choice(_INVISIBLE) if c.isalpha() and rng.random() < 0.4 else "") for c in text)


def homoglyphs(text: str, rng: random.Random) -> str:
    """Latin letters replaced by Cyrillic ones that are drawn alike."""
    return "".join(_HOMOGLYPHS[c] if c in _HOMOGLYPHS and rng.random() < 0.5 else c for c in text)


def leetspeak(text: str, rng: random.Random) -> str:
    """Letters replaced by digits and signs that are drawn alike."""
    return "".join(rng.choice(_LEET[c]) if c in _LEET and rng.random() < 0.5 else c for c in text)


def spaced(text: str, rng: random.Random) -> str:
    """Every letter set apart, words parted by wider gaps."""
    gap = rng.choice(" .-")
    return ("  " if gap == " " else " ").join(gap.join(word) for word in text.split())


def fullwidth(text: str, rng: random.Random) -> str:
    """ASCII replaced by its full-width forms."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


DISGUISES: dict[str, Callable[[str, random.Random], str]] = {
    "zero-width": zero_width,
    "homoglyphs": homoglyphs,
    "leetspeak": leetspeak,
    "spaced": spaced,
    "fullwidth": fullwidth,
}
