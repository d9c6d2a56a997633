"""The whole request is judged: every prompt, the prompts together, rewritten ones, text in pictures, what to avoid."""

from __future__ import annotations

from collections.abc import Sequence

from assay.prompting import PromptStage, Texts, joined
from safety import Item, Policy, Score, Stage


class _Together:
    """A toy that objects only where two words meet in one text."""

    name, version, weights_sha256, runtime = "together", "1", None, None
    categories: tuple[str, ...] = ("violence/graphic",)

    def score(self, item: Item, text: str) -> Sequence[Score]:
        met = "axe" in text and "falls" in text
        return [Score(item, "violence/graphic", "together@1", 0.9 if met else 0.0)]


def stage() -> PromptStage:
    return PromptStage(Policy.load("default"), [_Together()])  # type: ignore[list-item]  # a list would do as well


def values(texts: Texts) -> dict[tuple[Stage, str], float]:
    seen = stage().read_texts(texts)
    return {
        (score.item.stage, score.item.id): score.value or 0.0
        for score in seen.scores
        if isinstance(score, Score) and score.category == "violence/graphic"
    }


def test_steps_that_are_innocent_alone_are_judged_together() -> None:
    """Two prompts of one request that violate only together are found, as the item that says so."""
    found = values(Texts(("a man lifts an axe", "a head falls")))
    assert found[Stage.PROMPT, "prompt-1"] == found[Stage.PROMPT, "prompt-2"] == 0.0
    assert found[Stage.PROMPT, "prompts-together"] == 0.9


def test_every_text_of_a_request_is_an_item() -> None:
    """Rewritten prompts and text read in pictures are judged as prompts; what to avoid at a stage of its own."""
    texts = Texts(("a cat",), negative="axe falls", rewritten=("an axe falls",), shown=("axe falls", "  "))
    found = values(texts)
    assert found[Stage.PROMPT, "prompt"] == 0.0
    assert found[Stage.PROMPT, "rewritten-prompt"] == 0.9
    assert found[Stage.PROMPT, "text-in-image-1"] == 0.9
    assert (Stage.PROMPT, "text-in-image-2") not in found
    assert (Stage.PROMPT, "prompts-together") not in found
    items = {item.id: item.stage for item, _ in texts.items()}
    assert items["negative-prompt"] is Stage.NEGATIVE_PROMPT


def test_joined_prompts_are_sentences_of_bounded_length() -> None:
    """Prompts are joined as sentences, so that no name arises from two of them; long ones are cut alike."""
    assert joined(["Jack", "black cat.", " "]) == "Jack. black cat."
    whole = joined(["a" * 50_000, "b" * 50_000])
    assert len(whole) <= 20_010
    assert whole.count("a") == whole.count("b")
