"""Neutralising: a text with names of people, characters, brands and living artists put into plain words.

Only an offer. Which categories it may touch stands in the policy (`neutralise`), the new text is judged like any other,
and the user sees every change before anything is made from it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Mention:
    """A name found in a text; span in code points of the text as it was given."""

    category: str
    kind: str
    name: str
    span: tuple[int, int]


@runtime_checkable
class NamesReader(Protocol):
    """A prompt classifier that can also say which names it found, and where."""

    def named(self, text: str) -> Sequence[Mention]:
        """The names that count against a text, in the order in which they stand, none overlapping."""
        ...


@dataclass(frozen=True)
class Change:
    """One replacement; span in code points of the original text."""

    span: tuple[int, int]
    was: str
    now: str
    category: str

    def to_json(self) -> dict[str, Any]:
        """For the command line and the ledger."""
        return {"span": list(self.span), "was": self.was, "now": self.now, "category": self.category}


@dataclass(frozen=True)
class Neutral:
    """The new text and what was changed to get it."""

    text: str
    changes: tuple[Change, ...]


# Kinds of the gazetteer -> what an unnamed one is called. A kind that is not listed gets its category's words.
_PLAIN = {
    "politician": "a politician", "business": "a business leader", "musician": "a musician", "screen": "an actor",
    "sport": "an athlete", "internet": "a video creator",
    "animation": "an original cartoon character", "anime": "an original anime character",
    "comics-film": "an original hero", "game": "an original game character", "camera": "a camera",
    "likeness/public-figure": "a person", "ip/character": "an original character", "ip/logo": "an unbranded product",
    "ip/style": "an original style",
}  # fmt: skip
_STYLE_BEFORE = re.compile(
    r"(?:,\s*)?(?:\b(?:in|with|using)\s+)?(?:\b(?:the|a)\s+)?"
    r"\b(?:(?:style|manner|spirit)\s+of|(?:art(?:work)?|painted|drawn|directed|illustrated|designed|photographed)?\s*by|"
    r"inspired\s+by|like|and|&)\s*$|,\s*$",
    re.IGNORECASE,
)
_STYLE_AFTER = re.compile(r"(?:['\u2019]s?)?(?:[\s-]+(?:style|inspired|esque))?\b", re.IGNORECASE)
_ARTICLE = re.compile(r"\b(an?|the|my|your|his|her|its|our|their|this|that)\s+$", re.IGNORECASE)
_NOUN_FOLLOWS = re.compile(
    r"\s+(?!(?:and|or|with|in|on|at|of|is|to|by|for|from|while|near|under|over|as|beside)\b)[^\W\d_]"
)


def neutralise(text: str, mentions: Sequence[Mention], categories: Collection[str]) -> Neutral | None:
    """The text with the mentions of these categories put into plain words; None where there are none.

    A public figure becomes somebody of the same occupation, a character an original one, a brand unbranded; the style
    of a living artist goes, with the words that ask for it.
    """
    changes: list[Change] = []
    pieces: list[str] = []
    done = 0
    for mention in sorted(mentions, key=lambda one: one.span):
        if mention.category not in categories or mention.span[0] < done:
            continue
        (start, end), now = _replacement(text, mention, changes[-1] if changes else None)
        start = max(start, done)
        pieces += [text[done:start], now]
        changes.append(Change((start, end), text[start:end], now, mention.category))
        done = end
    if not changes:
        return None
    return Neutral("".join([*pieces, text[done:]]), tuple(changes))


def _replacement(text: str, mention: Mention, before: Change | None) -> tuple[tuple[int, int], str]:
    """Where the replacement goes and what it says."""
    start, end = mention.span
    if mention.category == "ip/style":
        return _style(text, start, end, before)
    plain = _PLAIN.get(mention.kind) or _PLAIN.get(mention.category, "something original")
    if mention.category == "ip/logo" and mention.kind != "camera" and _NOUN_FOLLOWS.match(text, end):
        plain = "an unbranded"
    article = _ARTICLE.search(text, 0, start)
    if article is None:
        return (start, end), plain if mention.category != "ip/logo" or plain != "an unbranded" else "unbranded"
    own, noun = plain.split(" ", 1)
    if article[1].lower() in ("a", "an"):  # the article must fit the new word
        said = own if article[1].islower() else own.capitalize()
        return (article.start(1), end), f"{said} {noun}"
    return (start, end), noun


def _style(text: str, start: int, end: int, before: Change | None) -> tuple[tuple[int, int], str]:
    """A living artist's style, with the words that ask for it; the second of a list of artists goes without a word."""
    asking = _STYLE_BEFORE.search(text, 0, start)
    after = _STYLE_AFTER.match(text, end)
    stop = after.end() if after else end
    first = asking.start() if asking else start
    if before is not None and before.category == "ip/style" and first <= before.span[1] + 1:
        return (before.span[1], stop), ""
    lead = "" if first == 0 or text[first - 1].isspace() else " "
    comma = asking is not None and asking[0].lstrip().startswith(",")
    return (first, stop), f"{', ' if comma else lead}in an original style"
