"""Running the examples that a policy carries."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from safety import Absence, Action, Item, Policy, Score, Where, run_examples, shipped_policies
from safety.prompt import EmbeddedPromptClassifier
from tests.safety.worlds import BANNED, document

TEXT = {"definition": "what it means, in words", "violates": ["this"], "allows": ["that"]}


@dataclass
class Reader:
    """A classifier that knows one word per category."""

    words: dict[str, str]
    categories: tuple[str, ...] = BANNED
    fault: str | None = None
    name: str = "reader"
    version: str = "1"
    weights_sha256: str | None = None
    runtime: str | None = None

    def score(self, item: Item, text: str) -> list[Score]:
        if self.fault is not None and self.fault in text:
            raise RuntimeError("out of order")
        return [
            Score(item, name, "reader@1", float(self.words.get(name, "\0") in text), where=Where(text=text))
            for name in self.categories
        ]


def with_examples(**examples: list[dict[str, str]]) -> Policy:
    """The smallest policy with examples by category."""
    negative = {
        "negative prompt": {"when_failed": "block", "when_unsupported": "block", "when_not_configured": "block"}
    }
    whole = document(categories={name: {**TEXT, "examples": some} for name, some in examples.items()})
    line = {"id": "negative", "stage": "negative prompt", "category": "sexual", "threshold": 0.8, "action": "block"}
    return Policy.model_validate({**whole, "stages": whole["stages"] | negative, "rules": [*whole["rules"], line]})


def test_each_example_is_told_with_what_was_expected_and_what_was_done():
    """An example that is met and one that is not, in the document's order, with the reasons."""
    some = [
        {"text": "a rat", "action": "allow"},
        {"text": "vermin", "action": "block"},
        {"text": "a fox", "action": "block"},
    ]
    outcomes = run_examples(with_examples(hate=some), Reader({"hate": "vermin"}))
    assert [(one.example.text, one.met) for one in outcomes] == [("a rat", True), ("vermin", True), ("a fox", False)]
    line = outcomes[1].to_json()
    assert (line["category"], line["stage"], line["expected"], line["got"], line["met"]) == (
        "hate", "prompt", "block", "block", True,
    )  # fmt: skip
    assert [reason["rule"] for reason in line["reasons"]] == ["prompt-hate"]


def test_a_look_alike_that_another_category_refuses_is_refused():
    """All rules of the stage apply to an example, not only those of its category."""
    policy = with_examples(hate=[{"text": "a naked rat", "action": "allow"}])
    (outcome,) = run_examples(policy, Reader({"sexual": "naked"}))
    assert (outcome.decision.action, outcome.met) == (Action.BLOCK, False)


def test_an_example_of_a_negative_prompt_meets_the_rules_for_those():
    """The same word is allowed or not by the stage that the example names."""
    some = [{"text": "hate", "action": "allow", "stage": "negative prompt"}, {"text": "hate", "action": "block"}]
    assert all(one.met for one in run_examples(with_examples(hate=some), Reader({"hate": "hate"})))


@pytest.mark.parametrize(
    ("reader", "kind"),
    [
        (Reader({}, fault="fox"), Absence.FAILED),
        (Reader({}, categories=BANNED[1:]), Absence.NOT_CONFIGURED),
    ],
)
def test_an_example_is_not_met_by_silence(reader, kind):
    """A classifier that raises, or a category that nobody scores, is not an allow."""
    (outcome,) = run_examples(with_examples(hate=[{"text": "a fox", "action": "allow"}]), reader)
    assert not outcome.met
    assert kind in {reason.absence for reason in outcome.decision.reasons}


def test_several_classifiers_judge_together():
    """What any of them refuses is refused."""
    policy = with_examples(hate=[{"text": "vermin", "action": "block"}])
    (outcome,) = run_examples(policy, Reader({}), Reader({"hate": "vermin"}, name="second"))
    assert outcome.met


@pytest.mark.parametrize("name", shipped_policies())
def test_the_embedded_classifier_meets_the_examples_that_ship(name):
    """Every example of a shipped policy fares as it is written there: banned texts blocked, look-alikes allowed."""
    outcomes = run_examples(Policy.load(name), EmbeddedPromptClassifier())
    assert [one.to_json() for one in outcomes if not one.met] == []
