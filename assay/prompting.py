"""The prompt stage: the policy, the classifiers of texts, and every text of a request. `assay prompt` needs no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.request import Request
from safety import Examination, Item, Policy, PromptClassifier, Stage, examine_text


@dataclass(frozen=True)
class PromptStage:
    """The policy, and who reads texts for it."""

    policy: Policy
    classifiers: Sequence[PromptClassifier]

    def read_text(self, item: Item, text: str) -> Examination:
        """One text, judged for the categories that the policy speaks of at its stage."""
        return examine_text(item, text, self.classifiers, self.policy.categories_for(item.stage))

    def read(self, request: Request) -> Examination:
        """Every text of the request, judged: the prompt, and the negative prompt by rules of its own."""
        seen = self.read_text(Item.text(Stage.PROMPT, "prompt", request.prompt), request.prompt)
        if request.negative_prompt:
            item = Item.text(Stage.NEGATIVE_PROMPT, "negative-prompt", request.negative_prompt)
            seen += self.read_text(item, request.negative_prompt)
        return seen
