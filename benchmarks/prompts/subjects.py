"""Who is measured: the shipped classifier, its parts alone, and the peers that pip installs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from safety import Item, Stage
from safety.prompt import EmbeddedPromptClassifier

Scores = Mapping[str, float]  # category -> value; `any` for those who know no categories; no entry: not evaluated
Subject = Callable[[str], Scores]


def assay(*, remember: bool = False) -> Subject:
    """The classifier as it ships; `remember` where several tables ask for the same texts, never where time is taken."""
    judge = _judge(EmbeddedPromptClassifier())
    return cache(judge) if remember else judge


def assay_without_names() -> Subject:
    """The classifier with an empty gazetteer: what the learned judges know of names and descriptions."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "none.yaml").write_text("{id: none, version: '0', category: ip/logo, groups: []}")
        return _judge(EmbeddedPromptClassifier(gazetteer=Path(folder)))


def _judge(classifier: EmbeddedPromptClassifier) -> Subject:
    def judge(text: str) -> Scores:
        scores = classifier.score(Item.text(Stage.PROMPT, "p", text), text)
        return {score.category: score.value for score in scores if score.value is not None}

    return judge


def better_profanity() -> Subject:
    """A list of words: 1 where one stands in the text."""
    from better_profanity import profanity

    profanity.load_censor_words()
    return lambda text: {"any": float(profanity.contains_profanity(text))}


def alt_profanity_check() -> Subject:
    """A linear model of profane and abusive posts."""
    from profanity_check import predict_prob

    return lambda text: {"any": float(predict_prob([text])[0])}


PEERS: Mapping[str, Callable[[], Subject]] = {
    "better-profanity": better_profanity,
    "alt-profanity-check": alt_profanity_check,
}
