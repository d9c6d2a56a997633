"""Several texts read together are read as each alone: dynamic batching changes no score."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from safety import Absence, Item, Score, Stage, examine_text, examine_texts
from safety.prompt import EmbeddedPromptClassifier
from safety.prompt.linear import MASK, features, features_of

KEYS = st.text(alphabet=f"ab cd;{MASK}éж漢字ﾊ", max_size=60)
TEXTS = [
    "a red kite over a grey beach at dawn", "", "  ", "🙂", "Mickey Mouse drinks a Coca-Cola", "ein Hund läuft",
    "g.o.r.y corpses in a h4llway", "二匹の犬が走る", "two dogs " * 200, "a soldier tortures a prisoner",
    "a red kite over a grey beach at dawn", "\x00\ud800", "a naked woman", "slow motion of rain on glass, macro",
]  # fmt: skip


@pytest.fixture(scope="module")
def classifier() -> EmbeddedPromptClassifier:
    return EmbeddedPromptClassifier()


def _asked(texts: Sequence[str]) -> list[tuple[Item, str]]:
    return [(Item.text(Stage.PROMPT, f"p{number}", text), text) for number, text in enumerate(texts)]


@settings(max_examples=150)
@given(st.lists(KEYS, min_size=1, max_size=6))
def test_features_do_not_depend_on_neighbours(texts: list[str]) -> None:
    """Whatever stands beside it, a text has the same buckets at the same places."""
    for alone, together in zip(map(features, texts), features_of(texts), strict=True):
        assert np.array_equal(alone.buckets, together.buckets)
        assert np.array_equal(alone.starts, together.starts)
        assert np.array_equal(alone.ends, together.ends)


def test_scores_do_not_depend_on_neighbours(classifier: EmbeddedPromptClassifier) -> None:
    """In any company and any order, every score, span and note of a text is what it is alone, bit for bit."""
    alone = {
        text: [score.to_json() for score in classifier.score(*asked)] for asked in _asked(TEXTS) for text in [asked[1]]
    }
    shuffled = TEXTS[:]
    random.Random(3).shuffle(shuffled)
    for some in (TEXTS, shuffled, shuffled[:5]):
        for (item, text), said in zip(_asked(some), classifier.score_all(_asked(some)), strict=True):
            assert [{**score.to_json(), "item": None} for score in said] == [
                {**one, "item": None} for one in alone[text]
            ]
            assert {score.item for score in said} == {item}


def test_nothing_asked_nothing_said(classifier: EmbeddedPromptClassifier) -> None:
    """No texts, no scores."""
    assert classifier.score_all([]) == []


def test_examinations_are_those_of_each_alone(classifier: EmbeddedPromptClassifier) -> None:
    """Items, scores and posture of a batch are those of the same texts one by one, each with its own categories."""
    asked = _asked(TEXTS[:5])
    wanted = [("hate", "sexual", "violence")[: 1 + number % 3] for number in range(5)]
    together = examine_texts(asked, [classifier], wanted)
    assert together == [examine_text(*one, [classifier], own) for one, own in zip(asked, wanted, strict=True)]


class _Fragile:
    name, version, weights_sha256, runtime, categories = "fragile", "1", None, None, ("hate",)

    def score(self, item: Item, text: str) -> list[Score]:
        if text == "bad":
            raise RuntimeError("it broke")
        return [Score(item, "hate", "fragile@1", 0.25)]

    def score_all(self, asked: Sequence[tuple[Item, str]]) -> list[list[Score]]:
        return [self.score(item, text) for item, text in asked]


def test_a_text_that_breaks_a_model_breaks_no_neighbour() -> None:
    """Where reading together fails each is read alone: one failure, and the others have their scores."""
    seen = examine_texts(_asked(["good", "bad", "also good"]), [_Fragile()], [("hate",)] * 3)
    assert [one.scores[0].value for one in seen if isinstance(one.scores[0], Score)] == [0.25, None, 0.25]
    assert isinstance(seen[1].scores[0], Score)
    assert seen[1].scores[0].absence is Absence.FAILED


class _Short(_Fragile):
    def score_all(self, asked: Sequence[tuple[Item, str]]) -> list[list[Score]]:
        return []


def test_a_model_that_leaves_texts_out_is_asked_again() -> None:
    """Fewer answers than texts are no answers: each text is asked about alone."""
    seen = examine_texts(_asked(["good", "also good"]), [_Short()], [("hate",)] * 2)
    assert [one.scores[0].value for one in seen if isinstance(one.scores[0], Score)] == [0.25, 0.25]
