"""Re-captioning: a short prompt written out, since a generator draws best what it was told in full.

The spine judges both texts and keeps both. What a user wrote is never taken away, only added to.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from generator.world.captions import caption
from generator.world.parse import read_prompt
from generator.world.scene import planned


class Recaptioner(Protocol):
    """Writes a prompt out. Implementations name themselves, so that the record can."""

    @property
    def name(self) -> str:
        """Who wrote the text, e.g. `grammar@1`."""
        ...

    def expand(self, prompt: str, seed: int) -> str:
        """The detailed prompt; the same seed gives the same words where the implementation can promise it."""
        ...


class GrammarRecaptioner:
    """For the embedded and the procedural back-end: what the prompt leaves open is drawn by the seed, and said.

    Nothing that the prompt says of the scene is changed. A subject that stands still and a camera that stands are what
    a silent prompt means, so only the background is drawn, and the colour of a plain shape. A prompt without
    a subject is left as it is.
    """

    name = "grammar@1"

    def expand(self, prompt: str, seed: int) -> str:
        """The detailed caption of the scene that the prompt begins."""
        said = read_prompt(prompt).attributes
        if "kind" not in said:
            return prompt
        rng = np.random.default_rng(seed)
        return caption(planned(said, seed), rng, "detailed")
