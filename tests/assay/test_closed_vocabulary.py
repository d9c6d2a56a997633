"""What the default policy's waiver says of the embedded and procedural back-ends, proved word by word."""

from __future__ import annotations

import numpy as np
import pytest

from generator import GenerationRequest, ProceduralGenerator, vocabulary
from generator.world.captions import caption
from generator.world.scene import draw_scene
from safety import Action, Item, Policy, Stage, decide, examine_text
from safety.prompt import EmbeddedPromptClassifier

POLICY = Policy.load("default")
CLASSIFIER = EmbeddedPromptClassifier()
WANTED = POLICY.categories_for(Stage.PROMPT)


def judged(text: str) -> Action:
    item = Item.text(Stage.PROMPT, "prompt", text)
    return decide(POLICY, [item], examine_text(item, text, [CLASSIFIER], WANTED).scores).action


@pytest.mark.parametrize("word", sorted(vocabulary()))
def test_every_word_that_draws_passes_the_gate(word: str) -> None:
    """Whatever a back-end can be told to draw is a word that the default policy allows, in the plainest sentence."""
    assert judged(f"a picture of {word} in a meadow") is Action.ALLOW


def test_captions_pass_the_gate() -> None:
    """Sentences that the world's grammar writes are allowed."""
    dice = np.random.default_rng(11)
    captions = [caption(draw_scene(dice), dice) for _ in range(300)]
    assert [text for text in captions if judged(text) is not Action.ALLOW] == []


def test_words_outside_the_vocabulary_change_no_pixel() -> None:
    """A word that is not in the vocabulary is ignored, and the record says so."""
    plain, more = (
        list(ProceduralGenerator().generate(GenerationRequest(text, size=(96, 64), seconds=0.25)))
        for text in ("a red ball on a meadow", "a red ball xylograph on a meadow")
    )
    assert "xylograph" in more[-1].record.words_ignored
    assert "xylograph" not in vocabulary()
    frames = [[event.pixels.tobytes() for event in events if hasattr(event, "pixels")] for events in (plain, more)]
    assert frames[0] == frames[1]
