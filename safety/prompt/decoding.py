"""Text that is written in another form: base64, rot13, backwards, and emoji that stand for words.

A form is undone only where words come out that the text did not have. Each step takes a text and returns the new text,
the pieces (start, end, length) that it is made of, and the names of what was undone, as those of `unmask` do.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

from safety.prompt.unmask import Step, edited
from safety.prompt.words import Vocabulary

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{12,}={0,2}(?![A-Za-z0-9+/=])")
_LETTERS = re.compile(r"[a-z]{3,}")
_WORD = re.compile(r"[a-z]+")
_ARTICLES = frozenset(("a", "an", "the"))
_SMALL = _ARTICLES | frozenset(("of", "in", "on", "to", "with", "at", "and", "from", "into", "by", "for", "is"))
_WORDS_READ = 60  # words of a text that decide whether it is in another form
_READABLE = 0.6  # share of words that must be known after decoding
_UNREADABLE = 0.35  # share of known words up to which a text may be in another form

# Emoji that people write for other words than their names; the first that matches counts.
_SLANG = {
    "🍆💦": "penis ejaculation",
    "🍆🍑": "penis in ass, sex",
    "🍑🍆": "penis in ass, sex",
    "👉👌": "having sex",
    "🔪": "knife",
    "🔫": "gun",
    "🩸": "blood",
    "💣": "bomb",
    "🧨": "dynamite",
    "💀": "skull",
    "☠": "skull and bones",
    "⚰": "coffin",
    "🪦": "grave",
    "💉": "syringe",
    "💊": "pill",
    "🔞": "adults only",
    "🖕": "middle finger",
    "💩": "shit",
    "🪓": "axe",
    "🗡": "dagger",
    "⚔": "swords",
    "🏴\u200d☠": "pirate flag",
    "卐": "swastika",
    "卍": "swastika",
}
_LONGEST = max(map(len, _SLANG))
_DULL = frozenset(("black", "white", "heavy", "symbol", "sign", "with", "emoji", "face", "of", "and", "the"))


def decoded(original: str, vocabulary: Vocabulary) -> Step:
    """Base64 that decodes to words; works on the text as it was written, since case matters."""
    edits: list[tuple[int, int, str]] = []
    for match in _BASE64.finditer(original):
        words = _from_base64(match.group())
        if words and _known(words, vocabulary) >= _READABLE:
            edits.append((match.start(), match.end(), words))
    return edited(original, edits, ["encoded"] if edits else [])


def _from_base64(token: str) -> str:
    """The printable text that a token stands for, in one case and on one line; empty where it is none."""
    body = token.rstrip("=").replace("-", "+").replace("_", "/")
    if len(body) % 4 == 1:
        return ""
    try:
        text = base64.b64decode(body + "=" * (-len(body) % 4), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    text = " ".join(text.split())
    return text.lower() if text.isprintable() else ""


def turned(text: str, vocabulary: Vocabulary) -> Step:
    """Rot13, words written backwards, and a text written backwards: where only that gives words."""
    if not _LETTERS.search(text) or _known(text, vocabulary) > _UNREADABLE:
        return text, [], []
    rotated = codecs.encode(text, "rot13")
    if _known(rotated, vocabulary) >= _READABLE:
        return edited(
            text, [(m.start(), m.end(), rotated[m.start() : m.end()]) for m in _WORD.finditer(text)], ["encoded"]
        )
    if _known(text[::-1], vocabulary) >= _READABLE:
        whole = text[::-1]
        if _ordered(whole) >= _ordered(" ".join(word[::-1] for word in text.split())):
            return edited(text, [(0, len(text), whole)], ["encoded"])
        return edited(text, [(m.start(), m.end(), m.group()[::-1]) for m in _WORD.finditer(text)], ["encoded"])
    return text, [], []


def _ordered(text: str) -> int:
    """How often small words stand where English puts them: before another word, and the article last of them."""
    words = _WORD.findall(text)
    pairs = list(pairwise(words))
    before = sum(a in _ARTICLES and b not in _SMALL for a, b in pairs) + sum(
        a in _SMALL and b in _ARTICLES for a, b in pairs
    )
    return before - sum(a in _ARTICLES and b in _SMALL for a, b in pairs) - (words[-1:] != [] and words[-1] in _SMALL)


def _known(text: str, vocabulary: Vocabulary) -> float:
    """The share of the words of three letters or more that are known; 0 where there are fewer than two."""
    words = _LETTERS.findall(text)[:_WORDS_READ]
    if len(words) < 2 and not (words and words[0] in vocabulary.listed):
        return 0.0
    return sum(vocabulary.knows(word) for word in words) / len(words)


def spelled(text: str, vocabulary: Vocabulary) -> Step:
    """Emoji as the words that they stand for, so that a picture of a knife is read as a knife."""
    edits: list[tuple[int, int, str]] = []
    index = 0
    while index < len(text):
        if text[index] < "\u2600":
            index += 1
            continue
        for length in range(min(_LONGEST, len(text) - index), 0, -1):
            words = _SLANG.get(text[index : index + length]) or (_emoji(text[index]) if length == 1 else "")
            if words:
                edits.append((index, index + length, f" {words} "))
                index += length - 1
                break
        index += 1
    return edited(text, edits, [])


@lru_cache(maxsize=4096)
def _emoji(char: str) -> str:
    """The words of a pictograph's name; empty for any other character."""
    if unicodedata.category(char) != "So" or not ("\u2600" <= char <= "\u27bf" or char >= "\U0001f000"):
        return ""
    return " ".join(word for word in unicodedata.name(char, "").lower().split() if word not in _DULL)
