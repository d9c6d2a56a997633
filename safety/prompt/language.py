"""The language gate: says whether a text is in a language whose operating point was measured. English only, so far.

A text in another language is "could not look", never a silent pass. Scripts are counted first; Latin text is English
where enough of its words are common English ones, because language identifiers guess wildly below ten words. The
identifier (py3langid) is asked only where words leave doubt, and to name the language.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

MEASURED = ("en",)
NO_WORDS = "zxx"  # ISO 639-2: no linguistic content
UNKNOWN = "und"

_OTHER_SCRIPT_MAX = 0.15  # of the letters; a name or a sign in another script is no other language
_KNOWN_MIN = 0.5  # of the words; measured on English captions and on short foreign ones
_DOUBT_MIN = 0.3  # between the two the identifier decides
_DENSE = {"CJK": 3.0, "HIRAGANA": 1.5, "KATAKANA": 1.5, "HANGUL": 2.5}  # letters of English that one stands for
_BY_SCRIPT = {
    "CJK": "zh",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "CYRILLIC": "ru",
    "ARABIC": "ar",
    "DEVANAGARI": "hi",
    "GREEK": "el",
    "HEBREW": "he",
    "THAI": "th",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "TELUGU": "te",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
}
_WORD = re.compile(r"[a-z]+")
# Function words of other languages that are no English words: two of them outweigh cognates.
_FOREIGN_WORDS = """
de la en y un le el los las una uno unos unas y que del por para con sobre muy pero como esta ese esa sus desde
hasta donde le les des une et du dans avec pour sur est sont qui par au aux ses cette ce ces vers chez sous der
das und ein eine einen einem einer mit von auf im am ist sind den dem des zu nicht wird wie bei nach vor il lo
gli della di che nel nella con per una sono dei delle degli alla um uma os em na nos nas com para seu sua ao
pelo pela mais het een van op met voor niet aan naar zijn w na z jest sie nie do og och av pa med ett bir ve bu
ile icin yang dan di ke dari untuk dengan
"""
_FOREIGN = frozenset(_FOREIGN_WORDS.split())


@dataclass(frozen=True)
class Language:
    """The language of a text (ISO 639), and whether its operating point was measured."""

    code: str
    measured: bool


@lru_cache(maxsize=16384)
def _script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0]


def language_of(text: str, original: str, common: frozenset[str], named: frozenset[str]) -> Language:
    """The language of a folded text; `named` are words of names, which have no language; `original` has the accents."""
    letters = [char for char in text if char.isalpha()]
    if not letters:
        pictures = any(unicodedata.category(char) in ("So", "Sk") for char in text)
        return Language(UNKNOWN, False) if pictures else Language(NO_WORDS, True)
    scripts = Counter(_script(char) for char in letters if not char.isascii())
    dense = {script: count * _DENSE.get(script, 1.0) for script, count in scripts.items() if script != "LATIN"}
    ascii_letters = sum(char.isascii() for char in letters)
    if sum(dense.values()) > _OTHER_SCRIPT_MAX * (sum(dense.values()) + ascii_letters):
        if dense.keys() & {"HIRAGANA", "KATAKANA"}:
            return Language("ja", False)
        script = max(sorted(dense), key=lambda name: dense[name])
        return Language(_BY_SCRIPT.get(script, UNKNOWN), False)
    return _latin(text, original, common, named)


def _latin(text: str, original: str, common: frozenset[str], named: frozenset[str]) -> Language:
    words = [word for word in _WORD.findall(text) if word not in named and (len(word) > 1 or word in "ai")]
    if not words:
        return Language("en", True)
    foreign = len(_FOREIGN.intersection(words))
    known = sum(word in common and word not in _FOREIGN for word in words)
    doubtful = foreign >= 2 and 4 * foreign >= known
    if known >= _KNOWN_MIN * len(words) and not doubtful:
        return Language("en", True)
    guess = _identified(original)
    if guess == "en":
        english = known >= _DOUBT_MIN * len(words)
        return Language("en" if english else UNKNOWN, english)
    return Language(guess if len(words) > 1 else UNKNOWN, False)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _identified(text: str) -> str:
    """The identifier's guess; it is fed no lone surrogates, which it cannot encode."""
    code, _ = _identifier().classify(text.encode("utf-8", "replace").decode())
    return UNKNOWN if code == NO_WORDS else str(code)
