"""Ordinary people: names that no list of known ones has.

The heads for descriptions take any name for that of somebody known. A text that names a person whom no list has is no
description of a known one, so there they are silent; the lists alone speak of names.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from safety.prompt.gazetteer import AMBIGUOUS
from safety.prompt.reading import ReadView
from safety.prompt.words import Vocabulary

DESCRIBES_PEOPLE = ("likeness/public-figure", "ip/character", "ip/style")

_WORD = re.compile(r"[^\W\d_]+")
# Two words in capitals of which neither begins the sentence; at least one is no English word: Milo Achterberg.
_CAPITALS = re.compile(r"(?<![.!?:;\"“(]\s)(?<!^)(?<![.!?:;\"“(])\b[A-ZÀ-Þ][a-zà-ÿ]+(?:\s+[A-ZÀ-Þ][a-zà-ÿ]+)+")

_TITLED = re.compile(
    r"\b(?:[Cc]aptain|[Pp]rofessor|[Dd]octor|[Aa]unt|[Uu]ncle|[Gg]randma|[Gg]randpa|[Mm]iss|[Mm]rs?\.?)\s+[A-Z][a-z]+"
)


@cache
def given_names() -> frozenset[str]:
    """The shipped given names, in key form."""
    text = (resources.files("safety.prompt") / "given_names.txt").read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(word for line in lines for word in line.split())


def names_a_stranger(text: str, view: ReadView, vocabulary: Vocabulary) -> bool:
    """True where a given name, or a name in capitals, stands in a text outside every name that the lists know."""
    key = view.key.text
    known = [(name.hit.start, name.hit.end) for name in view.names if name.value > AMBIGUOUS]
    for match in _WORD.finditer(key):
        inside = any(start <= match.start() and match.end() <= end for start, end in known)
        if not inside and match.group() in given_names():
            return True
    names = [m.span() for m in _CAPITALS.finditer(text) if not all(map(vocabulary.has, m.group().lower().split()))]
    names += [match.span() for match in _TITLED.finditer(text)]
    listed = [view.key.span(start, end) for start, end in known]
    return any(not any(a < stop and start < b for a, b in listed) for start, stop in names)
