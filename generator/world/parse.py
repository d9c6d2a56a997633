"""Prompts read into scenes: the longest known phrase wins, the first of each attribute counts.

Nothing is guessed from a word that is not in the vocabulary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from generator.world.lexicon import SMALL_WORDS, phrase_table, vocabulary

_WORD: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
# "moves slowly to the left": the small words are gone when phrases are looked for, so only these forms are mapped.
_PLURALS: Final = {"balls": "ball", "trees": "tree", "cats": "cat", "birds": "bird", "boats": "boat", "cars": "car"}


@dataclass(frozen=True)
class Reading:
    """What a prompt says of a scene: attribute -> value where it says anything, and the words without influence."""

    attributes: dict[str, str]
    words_ignored: tuple[str, ...]


def tokenize(text: str) -> list[str]:
    """The words of a text, lower case."""
    return [word.lower() for word in _WORD.findall(text)]


def read_prompt(prompt: str) -> Reading:
    """The attributes that a prompt names, and its words that are unknown or came second."""
    table, known = phrase_table(), vocabulary()
    words = [w for w in (_PLURALS.get(w, w) for w in tokenize(prompt)) if w not in SMALL_WORDS]
    longest = max(len(key) for key in table)
    attributes: dict[str, str] = {}
    ignored: list[str] = []
    at = 0
    while at < len(words):
        for length in range(min(longest, len(words) - at), 0, -1):
            key = tuple(words[at : at + length])
            if key in table:
                break
        else:
            ignored.append(words[at])  # unknown, or known only inside a longer phrase
            at += 1
            continue
        attribute, value = table[key]
        if attributes.setdefault(attribute, value) != value:
            ignored += key  # a second subject, a second place: this world has one of each
        at += length
    # A lone direction ("a bird to the left") still says where the subject goes.
    for word in [w for w in ignored if w in known]:
        if word in ("left", "right", "up", "down") and "motion" not in attributes:
            attributes["motion"] = word
            ignored.remove(word)
    return Reading(attributes, tuple(dict.fromkeys(ignored)))
