"""Terms that signal a category, and innocent phrases that look alike, from `lexicon.yaml`.

`{a,b}` in a term writes out alternatives, `word~` adds regular endings. Terms are strong, medium or weak; what they
weigh and how weights combine stands in the file and in `strength`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from safety.errors import PolicyError
from safety.prompt.listing import fold_phrase, read_yaml
from safety.prompt.phrases import Hit

WEIGHTS: Mapping[str, float] = {"strong": 0.9, "medium": 0.55, "weak": 0.2}
WEAK_LIMIT = 0.49  # weak terms alone never reach the review threshold
_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Term:
    """One term of one category; `strength` is strong, medium or weak."""

    category: str
    strength: str


class Benign:
    """What an innocent phrase stands for."""


@dataclass(frozen=True)
class Lexicon:
    """All terms with what they stand for, in key form."""

    version: str
    sha256: str
    terms: tuple[tuple[str, Term | Benign], ...]

    @classmethod
    def load(cls, raw: bytes | None = None) -> Lexicon:
        """The shipped lexicon, or one from the bytes of a file; raises PolicyError that names the field."""
        if raw is None:
            raw = (resources.files("safety.prompt") / "lexicon.yaml").read_bytes()
        document = read_yaml("lexicon", raw)
        if set(document) != {"id", "version", "categories", "benign"}:
            raise PolicyError("lexicon: the fields are id, version, categories and benign, no others")
        return cls(str(document["version"]), hashlib.sha256(raw).hexdigest(), tuple(_terms(document)))


@dataclass(frozen=True)
class Signal:
    """What the terms of one category add up to, and the hit that counts most."""

    value: float
    strongest: Hit


def signals(hits: Sequence[Hit]) -> dict[str, Signal]:
    """The signal of every category that has a term among the hits; innocent phrases take away what they cover."""
    mine = [hit for hit in hits if isinstance(hit.meaning, (Term, Benign))]
    innocent = [hit for hit in mine if isinstance(hit.meaning, Benign)]
    by_category: dict[str, dict[str, Hit]] = {}
    for hit in mine:
        if isinstance(hit.meaning, Term) and not any(i.start <= hit.start and hit.end <= i.end for i in innocent):
            by_category.setdefault(hit.meaning.category, {}).setdefault(hit.phrase, hit)
    return {category: _signal(list(found.values())) for category, found in by_category.items()}


def _signal(hits: list[Hit]) -> Signal:
    # "have sex" is one term, not "have sex" and "sex"
    alone = [hit for hit in hits if not any(hit.within(other) for other in hits)]
    silence = dict.fromkeys(WEIGHTS, 1.0)
    for hit in alone:
        silence[hit.meaning.strength] *= 1.0 - WEIGHTS[hit.meaning.strength]
    weak = min(1.0 - silence["weak"], WEAK_LIMIT)
    value = 1.0 - silence["strong"] * silence["medium"] * (1.0 - weak)
    if silence["strong"] == silence["medium"] == 1.0:
        value = weak
    strongest = max(alone, key=lambda hit: (WEIGHTS[hit.meaning.strength], hit.end - hit.start, -hit.start))
    return Signal(value, strongest)


def _terms(document: Mapping[str, Any]) -> Iterator[tuple[str, Term | Benign]]:
    for category, strengths in document["categories"].items():
        if not isinstance(strengths, dict) or not set(strengths) <= set(WEIGHTS):
            raise PolicyError(f"lexicon: categories.{category}: the strengths are {', '.join(WEIGHTS)}")
        for strength, lines in strengths.items():
            for line in lines:
                for phrase in written_out(str(line)):
                    yield phrase, Term(category, strength)
    for line in document["benign"]:
        for phrase in written_out(str(line)):
            yield phrase, Benign()


def written_out(line: str) -> list[str]:
    """Every phrase that a line with braces and `~` stands for, in key form."""
    lines = [line]
    while any("{" in some for some in lines):
        lines = [some[: m.start()] + option + some[m.end() :] for some in lines for m, option in _options(some)]
    phrases = [phrase for some in lines for phrase in _endings(some)]
    return list(dict.fromkeys(folded for phrase in phrases if (folded := fold_phrase(phrase))))


def _options(line: str) -> Iterator[tuple[re.Match[str], str]]:
    match = _BRACES.search(line)
    if match is None:
        if "{" in line:
            raise PolicyError(f"lexicon: {line!r}: a brace is not closed")
        return
    yield from ((match, option) for option in match.group(1).split(","))


def _endings(phrase: str) -> list[str]:
    words = phrase.split()
    for index, word in enumerate(words):
        if word.endswith("~"):
            return [" ".join([*words[:index], form, *words[index + 1 :]]) for form in inflected(word[:-1])]
    return [phrase]


def inflected(word: str) -> list[str]:
    """A word with its regular endings: -s, -ed, -ing, with the usual changes of spelling."""
    if word.endswith("e"):
        return [word, word + "s", word + "d", word[:-1] + "ing"]
    if word.endswith(("ch", "sh", "s", "x")):
        return [word, word + "es", word + "ed", word + "ing"]
    if word.endswith("y") and word[-2] not in "aeiou":
        return [word, word[:-1] + "ies", word[:-1] + "ied", word + "ing"]
    doubled = word + word[-1]
    forms = [word, word + "s", word + "ed", word + "ing"]
    if re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", word) or word == "kidnap":
        forms += [doubled + "ed", doubled + "ing"]
    return forms
