"""Words to tokens of the closed vocabulary. A word outside it has no token, so it cannot steer anything.

Small words have none either: they say nothing in this world, and without them a prompt is a handful of tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from generator.world.lexicon import SMALL_WORDS, vocabulary
from generator.world.parse import tokenize

PADDING, START = 0, 1  # every text starts with START, so that the empty one has something to attend to
LENGTH: Final = 24  # tokens


@cache
def words() -> tuple[str, ...]:
    """The words that have a token, in the order of their tokens. Weights carry this list and refuse another one."""
    return tuple(sorted(vocabulary() - SMALL_WORDS))


@cache
def _numbers() -> dict[str, int]:
    return {word: number for number, word in enumerate(words(), START + 1)}


def encode(texts: Sequence[str]) -> NDArray[np.int64]:
    """Texts to tokens, int64 (B, LENGTH); what does not fit is left out."""
    tokens = np.full((len(texts), LENGTH), PADDING, np.int64)  # (B, M)
    for row, text in enumerate(texts):
        known = [_numbers()[word] for word in tokenize(text) if word in _numbers()]
        line = [START, *known][:LENGTH]
        tokens[row, : len(line)] = line
    return tokens


def ignored(text: str) -> tuple[str, ...]:
    """The words of a text that have no influence: unknown ones, and those after the last token that fits."""
    spoken = [word for word in tokenize(text) if word not in SMALL_WORDS]
    known = [word for word in spoken if word in _numbers()]
    unknown = [word for word in spoken if word not in _numbers()]
    return tuple(dict.fromkeys(unknown + known[LENGTH - 1 :]))
