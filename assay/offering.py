"""After a refusal: the prompt in plain words, where the policy offers that and the new text would be allowed."""

from __future__ import annotations

from typing import Any

from assay.prompting import PromptStage
from safety import Action, Circumstances, Decision, Item, NamesReader, Stage, decide, neutralise


def neutralised(stage: PromptStage, text: str, decision: Decision, on: Circumstances) -> dict[str, Any] | None:
    """The new text, every change and the decision that it would get; None where there is nothing to offer.

    Offered only where all that speaks against the prompt are categories that the policy lets be put into plain words,
    and only a text that the same stage allows. Nothing is made from it: that is for the user to ask for.
    """
    offered = stage.policy.neutralise
    against = {reason.category for reason in decision.reasons if reason.action > Action.ALLOW}
    if decision.action is Action.ALLOW or not against or not against.issubset(offered):
        return None
    reader = next((one for one in stage.classifiers if isinstance(one, NamesReader)), None)
    new = neutralise(text, reader.named(text), offered) if reader else None
    if new is None:
        return None
    item = Item.text(Stage.PROMPT, "neutralised", new.text)
    judged = decide(stage.policy, [item], stage.read_text(item, new.text).scores, on)
    if judged.action is not Action.ALLOW:
        return None
    return {"text": new.text, "changes": [change.to_json() for change in new.changes], "decision": judged.id}
