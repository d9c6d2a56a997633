"""Prompts to tokens: what is read in a prompt, one place for each attribute, so what was not read steers nothing.

The phrases of the lexicon are the tokens ("a kitten" and "a cat" are one), and a small model need not learn to read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from generator.world.parse import Reading, read_prompt
from generator.world.scene import BACKDROPS, OWN, UNSAID, VALUES

BACKDROP: Final = "backdrop"  # which of its landscapes a background shows; no prompt says it, a seed does
SLOTS: Final = (*VALUES, BACKDROP)  # the attributes, each in its place


@cache
def words() -> tuple[str, ...]:
    """What has a token, as "attribute:value", in the order of the tokens, which begin with 1."""
    said = (f"{name}:{value}" for name, values in VALUES.items() for value in values if value not in (OWN, ""))
    return (*said, *(f"{BACKDROP}:{number}" for number in range(BACKDROPS)))


@cache
def _numbers() -> dict[str, int]:
    return {word: number for number, word in enumerate(words(), 1)}


def encode(readings: Sequence[dict[str, str]], known: Collection[str] | None = None) -> NDArray[np.int64]:
    """Attributes to tokens, int64 (B, SLOTS); what is not `known` (default: everything) is left out."""
    tokens = np.zeros((len(readings), len(SLOTS)), np.int64)  # (B, S)
    for row, attributes in enumerate(readings):
        for slot, name in enumerate(SLOTS):
            word = f"{name}:{attributes.get(name, '')}"
            if word in _numbers() and (known is None or word in known):
                tokens[row, slot] = _numbers()[word]
    return tokens


def prompt_words(prompt: str, known: Collection[str] | None = None) -> dict[str, str]:
    """What a prompt says, and what saying nothing means (`UNSAID`); nothing where nothing was read."""
    said = {name: value for name, value in read_prompt(prompt).attributes.items() if _is_known(name, value, known)}
    return {**UNSAID, **said} if said else {}


def ignored(prompt: str, known: Collection[str] | None = None) -> tuple[str, ...]:
    """The words of a prompt that have no influence: unknown ones, and what the weights were not trained on."""
    reading: Reading = read_prompt(prompt)
    foreign = [
        word
        for name, value in reading.attributes.items()
        if not _is_known(name, value, known)
        for word in reading.phrases[name]
    ]
    return tuple(dict.fromkeys((*reading.words_ignored, *foreign)))


def _is_known(name: str, value: str, known: Collection[str] | None) -> bool:
    return known is None or f"{name}:{value}" in known
