"""The language gate: names the language of a text, and says whether its operating point was measured.

A text in a language without a measured point is "could not look", never a silent pass. The points stand in
`lexicons/points.json`, written by `scripts/measure-languages`: a language counts as measured where it reaches
RECALL_MIN at no more than FPR_MAX false positives on held-out prompts. Scripts are counted first; Latin text is English
where enough of its words are common English ones, or the language whose known words it is made of
(`lexicons/CODE.txt`), because language identifiers guess wildly below ten words. The identifier (py3langid) is asked
only where words leave doubt.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

NO_WORDS = "zxx"  # ISO 639-2: no linguistic content
UNKNOWN = "und"
RECALL_MIN, FPR_MAX = 0.5, 0.03

_OTHER_SCRIPT_MAX = 0.15  # of the letters; a name or a sign in another script is no other language
_FEW_WORDS = 2  # that say nothing of their language: "molecule"
_KNOWN_MIN = 0.5  # of the words; measured on English captions and on short foreign ones
_DOUBT_MIN = 0.3  # between the two the identifier decides
# Languages with enough speakers and unlike enough that the identifier is believed where few words are known.
_APART = frozenset(
    [
        "nl",
        "af",
        "sv",
        "da",
        "no",
        "nb",
        "nn",
        "fi",
        "pl",
        "cs",
        "sk",
        "hu",
        "ro",
        "tr",
        "az",
        "id",
        "ms",
        "vi",
        "hr",
        "bs",
        "sl",
        "et",
        "lv",
        "lt",
        "sq",
        "eu",
        "cy",
        "is",
        "sw",
        "tl",
    ]
)
_SURE, _LIKELY = 0.36, 0.12  # share of known words of a language: alone enough; enough where the identifier agrees
_CERTAIN = 0.5  # enough even where the identifier names a language of _APART
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
_LATIN = ("es", "fr", "de", "pt", "it")
# Letters that the best-known language of a script does without, and the language that they speak for.
_STRANGE = {
    "ru": {"uk": "іїєґ", "be": "ў", "sr": "ђјљњћџ", "mk": "ѓќѕ", "kk": "әғқңұүһө"},
    "ar": {"fa": "پچژگکی", "ur": "ےںہھٹڈڑ"},
}
_STRANGE_MAX = 0.02
_WORD = re.compile(r"[^\W\d_]+(?:[\u0900-\u097f]+[^\W\d_]*)*")
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


@cache
def measured() -> tuple[str, ...]:
    """The languages with a measured operating point; English first."""
    raw = (resources.files("safety.prompt") / "lexicons" / "points.json").read_bytes()
    return ("en", *passing(json.loads(raw)))


def passing(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The languages of a points file that were measured on held-out prompts and are good enough, sorted."""
    points = document["languages"]
    good = (c for c, p in points.items() if p["held_out"] and p["recall"] >= RECALL_MIN and p["fpr"] <= FPR_MAX)
    return tuple(sorted(good))


def language_of(text: str, original: str, common: frozenset[str], named: frozenset[str]) -> Language:
    """The language of a folded text; `named` are words of names, which have no language; `original` has the accents."""
    letters = [char for char in text if char.isalpha()]
    if not letters:
        pictures = any(unicodedata.category(char) in ("So", "Sk") for char in text)
        return Language(UNKNOWN, False) if pictures else Language(NO_WORDS, True)
    dense = _other_scripts(letters)
    ascii_letters = sum(char.isascii() for char in letters)
    if sum(dense.values()) > _OTHER_SCRIPT_MAX * (sum(dense.values()) + ascii_letters):
        if dense.keys() & {"HIRAGANA", "KATAKANA"}:
            return _judged("ja")
        script = max(sorted(dense), key=lambda name: dense[name])
        return _judged(_of_script(_BY_SCRIPT.get(script, UNKNOWN), text, original))
    return _latin(text, original, common, named)


def also_in(text: str) -> tuple[str, ...]:
    """The languages that words in another script may belong to, however few they are."""
    if text.isascii():
        return ()
    codes = {_BY_SCRIPT.get(script, UNKNOWN) for script in _other_scripts([char for char in text if char.isalpha()])}
    return tuple(sorted(codes - {UNKNOWN}))


def is_english_word(words: Sequence[str], dictionary: frozenset[str]) -> bool:
    """Whether a text that leaves its language open is a word or two of an English dictionary, and of no other list."""
    return 0 < len(words) <= _FEW_WORDS and all(
        word in dictionary and not any(word in _words(code) for code in _LATIN) for word in words
    )


def _other_scripts(letters: Sequence[str]) -> dict[str, float]:
    scripts = Counter(_script(char) for char in letters if not char.isascii())
    return {script: count * _DENSE.get(script, 1.0) for script, count in scripts.items() if script != "LATIN"}


@lru_cache(maxsize=16384)
def _script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0]


def _judged(code: str) -> Language:
    return Language(code, code in measured())


def _of_script(code: str, text: str, original: str) -> str:
    """The language of a text whose script has several: Russian or Ukrainian, Arabic or Persian, Hindi or Marathi."""
    letters = sum(char.isalpha() for char in text)
    for other, strange in _STRANGE.get(code, {}).items():
        if sum(char in strange for char in text) > _STRANGE_MAX * letters:
            return other
    if code not in ("ru", "ar", "hi") or _share(_WORD.findall(text), code) >= _LIKELY:
        return code
    guess = _identified(original)
    if code == "ru":  # of the languages without letters of their own, Bulgarian alone is likely
        return "bg" if guess == "bg" and len(_BULGARIAN.intersection(_WORD.findall(text))) >= 2 else "ru"
    return guess if guess in _COUSINS[code] else code


_COUSINS = {"ar": ("fa", "ur", "ps"), "hi": ("mr", "ne")}
_BULGARIAN = frozenset(["се", "са", "да", "е", "ще", "със", "това", "като", "към", "през", "си", "бе", "му"])


def _latin(text: str, original: str, common: frozenset[str], named: frozenset[str]) -> Language:
    words = [word for word in _WORD.findall(text) if word not in named and (len(word) > 1 or word in "ai")]
    if not words:
        return Language("en", True)
    foreign = len(_FOREIGN.intersection(words))
    known = sum(word in common and word not in _FOREIGN for word in words)
    shares = {code: _share(words, code) for code in _LATIN}
    best = max(_LATIN, key=lambda code: shares[code])
    doubtful = foreign >= 2 and 4 * foreign >= known
    foreign_words = len(words) > 1 and shares[best] * len(words) > known + 1
    if known >= _KNOWN_MIN * len(words) and not doubtful and not foreign_words:
        return Language("en", True)
    guess = _identified(original)
    if guess == "en" and shares[best] * len(words) <= known:
        english = known >= _DOUBT_MIN * len(words)
        return Language("en" if english else UNKNOWN, english)
    if guess in _LATIN and shares[guess] >= max(shares[best] - 0.1, _LIKELY):
        return _judged(guess)
    if shares[best] >= (_CERTAIN if guess in _APART else _SURE):
        return _judged(best)
    return Language(guess if len(words) > 1 and guess != "en" else UNKNOWN, False)


def _share(words: Sequence[str], code: str) -> float:
    """The share of words that a language is known to have."""
    return sum(word in _words(code) for word in words) / len(words) if words else 0.0


@cache
def _words(code: str) -> frozenset[str]:
    return frozenset((resources.files("safety.prompt") / "lexicons" / f"{code}.txt").read_text("utf-8").split())


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _identified(text: str) -> str:
    """The identifier's guess; it is fed no lone surrogates, which it cannot encode."""
    code, _ = _identifier().classify(text.encode("utf-8", "replace").decode())
    return UNKNOWN if code == NO_WORDS else str(code)
