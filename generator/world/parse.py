"""Prompts read into scenes: the longest known phrase wins, the first of each attribute counts.

Nothing is guessed from a word that is not in the vocabulary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from generator.world.lexicon import SMALL_WORDS, phrase_table
from generator.world.scene import SPRITES

_WORD: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
# "moves slowly to the left": the small words are gone when phrases are looked for, so only these forms are mapped.
_PLURALS: Final = {"balls": "ball", "trees": "tree", "cats": "cat", "birds": "bird", "boats": "boat", "cars": "car"}
_ASIDE: Final = ("left", "right", "up", "down")


@dataclass(frozen=True)
class Reading:
    """What a prompt says of a scene: attribute -> value where it says anything, and the words without influence."""

    attributes: dict[str, str]
    words_ignored: tuple[str, ...]
    phrases: dict[str, tuple[str, ...]] = field(default_factory=dict)  # attribute -> the words that said it


def tokenize(text: str) -> list[str]:
    """The words of a text, lower case."""
    return [word.lower() for word in _WORD.findall(text)]


def read_prompt(prompt: str) -> Reading:
    """The attributes that a prompt names, and its words that are unknown or came second."""
    found, ignored = _phrases([w for w in (_PLURALS.get(w, w) for w in tokenize(prompt)) if w not in SMALL_WORDS])
    elsewhere = any(name == "background" and value != "night" for name, value, _ in found)
    said: dict[str, tuple[str, tuple[str, ...]]] = {}
    for attribute, value, key in found:
        name = attribute
        if name == "background" and value == "night" and elsewhere:
            name, value = "light", "dark"  # a city at night is a dark city; night and nothing else is a night sky
        if name == "kind" and value in SPRITES and said.get("kind", (value,))[0] != value:
            name = "second"
        if said.setdefault(name, (value, key))[0] != value:
            ignored += key  # a third subject, a second motion: this world has no more
    if said.get("motion", ("",))[0] == "meet" and "second" not in said:
        ignored += said.pop("motion")[1]
    # A lone direction ("a bird to the left") still says where the subject goes.
    for word in [w for w in ignored if w in _ASIDE and "motion" not in said]:
        said["motion"] = (word, (word,))
        ignored.remove(word)
    return Reading(
        {name: value for name, (value, _) in said.items()},
        tuple(dict.fromkeys(ignored)),
        {name: key for name, (_, key) in said.items()},
    )


def _phrases(words: list[str]) -> tuple[list[tuple[str, str, tuple[str, ...]]], list[str]]:
    """Attribute, value and words of each known phrase, the longest first at each place; and the other words."""
    table = phrase_table()
    longest = max(len(key) for key in table)
    found, ignored, at = [], [], 0
    while at < len(words):
        keys = (tuple(words[at : at + length]) for length in range(min(longest, len(words) - at), 0, -1))
        key = next((key for key in keys if key in table), None)
        if key is None:
            ignored.append(words[at])  # unknown, or known only inside a longer phrase
        else:
            found.append((*table[key], key))
        at += len(key or " ")
    return found, ignored
