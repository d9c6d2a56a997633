"""The rule `sexual/minors`: a sexual signal AND a cue of a minor, with no tolerance.

The two cues are found apart from each other and joined by `conjunction`, so that each can be tested alone. Ages of
eighteen and more are no cue; words for grown persons exempt only the weak cues (girl, boy), never the strong ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from importlib import resources

from safety.errors import PolicyError
from safety.prompt.lexicon import written_out
from safety.prompt.listing import read_yaml
from safety.prompt.phrases import Hit, Key


class Level(IntEnum):
    """How strongly a cue speaks."""

    NONE = 0
    WEAK = 1
    STRONG = 2


@dataclass(frozen=True)
class Cue:
    """What a phrase stands for: a minor, a grown person, a suggestive word, or (exempt) none of these."""

    level: Level
    adult: bool = False
    suggestive: bool = False
    exempt: bool = False


_FIELDS = {"id", "version", "strong", "weak", "adult", "suggestive", "exempt"}
_TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen")
_UNITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", *_TEENS)
_NUMBER = rf"(?P<n>\d{{1,3}}|{'|'.join(_UNITS)})"
_AGE = re.compile(rf"(?<![^ ;]){_NUMBER} ?(?:year|years|yr|yrs|y|month|months|week|weeks) ?(?:old|o)s?(?![^ ;])")
_AGE_WORDS = "yo|y o|yrs|sai|anos|años|ans|jahre alt|jahrig(?:e[nrs]?)?|anni|лет|год(?:а|у)?|سنه|سنوات|عام|عاما|साल|वर्ष"
_AGE_SHORT = re.compile(rf"(?<![^ ;])(?P<n>\d{{1,2}}) ?(?:{_AGE_WORDS})(?![^ ;])")
# Chinese and Japanese put no space around an age, and may write it in their own digits.
_DIGITS = "一二三四五六七八九"
_AGE_DENSE = re.compile(rf"(?<![\d{_DIGITS}十])(?P<n>\d{{1,2}}|十[{_DIGITS}]?|[{_DIGITS}]) ?(?:岁|歲|歳|才)")
_AGED = re.compile(rf"(?<![^ ;])(?:aged|age|age of|is only|barely|turned|turning){'[ ;]'}{_NUMBER}(?![^ ;])")
_MONTHS = re.compile(r"month|week")
_THINGS = re.compile(
    r" (?:\w+ )?(?:whisky|whiskey|bourbon|brandy|wine|scotch|rum|cheese|bottle|car|truck|house|building|bridge|company|"
    r"recording|photo|painting|laptop|computer|tree|oak|bonsai|dog|puppy|cat|kitten|horse|mare|stallion|turtle|tortoise|"
    r"parrot)s?\b"
)


@dataclass(frozen=True)
class Cues:
    """The cue phrases of `minors.yaml` in key form with what they stand for."""

    version: str
    sha256: str
    phrases: tuple[tuple[str, Cue], ...]

    @classmethod
    def load(cls, raw: bytes | None = None) -> Cues:
        """The shipped cues, or those from the bytes of a file; raises PolicyError that names the field."""
        if raw is None:
            raw = (resources.files("safety.prompt") / "minors.yaml").read_bytes()
        document = read_yaml("minors", raw)
        if set(document) != _FIELDS:
            raise PolicyError(f"minors: the fields are {', '.join(sorted(_FIELDS))}, no others")
        meanings = {
            "strong": Cue(Level.STRONG),
            "weak": Cue(Level.WEAK),
            "adult": Cue(Level.NONE, adult=True),
            "suggestive": Cue(Level.NONE, suggestive=True),
            "exempt": Cue(Level.NONE, exempt=True),
        }
        lines = ((str(line), cue) for field, cue in meanings.items() for line in document[field])
        phrases = tuple((phrase, cue) for line, cue in lines for phrase in written_out(line))
        return cls(str(document["version"]), hashlib.sha256(raw).hexdigest(), phrases)


@dataclass(frozen=True)
class MinorCue:
    """The strongest cue of a minor, where it stands in the key, and whether grown persons are spoken of."""

    level: Level
    start: int = 0
    end: int = 0
    adult_context: bool = False


def minor_cue(key: Key, hits: Sequence[Hit]) -> MinorCue:
    """The cue of a minor in a text: words for minors, and ages under eighteen."""
    mine = [hit for hit in hits if isinstance(hit.meaning, Cue)]
    exempt = [hit for hit in mine if hit.meaning.exempt]
    mine = [hit for hit in mine if not any(e.start <= hit.start and hit.end <= e.end for e in exempt)]
    adult = any(hit.meaning.adult for hit in mine)
    best = MinorCue(Level.NONE)
    for hit in mine:
        if hit.meaning.level > best.level:
            best = MinorCue(hit.meaning.level, hit.start, hit.end)
    for start, end, age in _ages(key.text):
        if age >= 18:
            adult = True
        elif best.level < Level.STRONG:
            best = MinorCue(Level.STRONG, start, end)
    return MinorCue(best.level, best.start, best.end, adult)


def _ages(text: str) -> list[tuple[int, int, int]]:
    ages = []
    for pattern in (_AGE, _AGE_SHORT, _AGE_DENSE, _AGED):
        for match in pattern.finditer(text):
            number = match["n"]
            years = _years(number)
            if pattern is _AGE and _MONTHS.search(match.group()):
                years = 1
            if not (pattern is _AGE and _THINGS.match(text, match.end())):
                ages.append((match.start(), match.end(), years))
    return ages


def _years(number: str) -> int:
    if number in _UNITS:
        return _UNITS.index(number) + 1
    if number.isdecimal():
        return int(number)
    ones = number.removeprefix("十")
    return 10 * number.startswith("十") + (_DIGITS.index(ones) + 1 if ones else 0)


def sexual_level(value: float, hits: Sequence[Hit]) -> Level:
    """How sexual a text is for this rule; one suggestive word is enough to be weakly so."""
    if value >= 0.8:
        return Level.STRONG
    suggestive = any(isinstance(hit.meaning, Cue) and hit.meaning.suggestive for hit in hits)
    return Level.WEAK if value >= 0.5 or suggestive else Level.NONE


def conjunction(sexual: Level, minor: Level, adult_context: bool) -> float:
    """The score of the rule: 0 unless both cues are there; weak cues of a minor need a strong sexual one."""
    if sexual is Level.NONE or minor is Level.NONE:
        return 0.0
    if minor is Level.STRONG:
        return 1.0
    return 0.5 if sexual is Level.STRONG and not adult_context else 0.0
