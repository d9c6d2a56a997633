"""A policy carries its own tests: texts, and what must be done with them. This runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from safety.deciding import decide
from safety.decision import Circumstances, Decision
from safety.examine import examine_text
from safety.item import Item
from safety.policy import Example, Policy
from safety.stages import PromptClassifier


@dataclass(frozen=True)
class ExampleOutcome:
    """What became of one example of a policy."""

    category: str
    example: Example
    decision: Decision

    @property
    def met(self) -> bool:
        """True where the policy did what the example expects."""
        return self.decision.action is self.example.action

    def to_json(self) -> dict[str, Any]:
        """As a line of `assay policy test --json`."""
        return {
            "category": self.category,
            "stage": self.example.stage.value,
            "text": self.example.text,
            "expected": self.example.action.word,
            "got": self.decision.action.word,
            "met": self.met,
            "reasons": [reason.to_json() for reason in self.decision.reasons],
        }


def run_examples(policy: Policy, *classifiers: PromptClassifier) -> list[ExampleOutcome]:
    """Every example of the policy as a whole request would fare, in the document's order.

    All rules of the stage apply, not only those of the example's category: a benign look-alike that another category
    refuses is refused. A classifier that fails, or a category that none of them scores, counts as it does in use.
    """
    outcomes = []
    for category, text in policy.categories.items():
        for number, example in enumerate(text.examples):
            item = Item.text(example.stage, f"{category}-{number}", example.text)
            seen = examine_text(item, example.text, classifiers, policy.categories_for(example.stage))
            decision = decide(policy, seen.items, seen.scores, Circumstances())
            outcomes.append(ExampleOutcome(category, example, decision))
    return outcomes
