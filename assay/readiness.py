"""What the policy asks for and nobody here evaluates: what makes an installation unfit, and what costs people time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from safety import Absence, Action, Examiner, FrameClassifier, Policy, Stage
from safety.frame.gate import PICTURE
from safety.frame.traits import evidence_of, schedule_of

_SHOWN = (Stage.INPUT_IMAGE, Stage.INPUT_VIDEO, Stage.FRAME)


def gaps(
    policy: Policy, texts: Sequence[Examiner], pictures: Sequence[FrameClassifier], backend: str | None
) -> dict[str, dict[str, list[str]]]:
    """By action (review, block) and stage, the categories that no model evaluates and no waiver lets go.

    A block means that nothing can ever pass: such an installation is not ready. A review means that a person is asked
    every time. Stages of what a client may bring along count only where they would block everything by themselves.
    """
    found: dict[str, dict[str, list[str]]] = {"review": {}, "block": {}}
    today = datetime.now(UTC).date()
    for stage in (Stage.PROMPT, Stage.NEGATIVE_PROMPT, *_SHOWN):
        offered = _offered(stage, texts, pictures)
        for rule in policy.rules_for(stage):
            answer = rule.answer_to(Absence.NOT_CONFIGURED)
            missing = rule.category not in offered and rule.action is not Action.ALLOW
            if missing and policy.waiver_for(stage, rule.category, backend, today) is None:
                names = found[answer.word].setdefault(stage.value, [])
                if rule.category not in names:
                    names.append(rule.category)
    return found


def _offered(stage: Stage, texts: Sequence[Examiner], pictures: Sequence[FrameClassifier]) -> set[str]:
    if stage not in _SHOWN:
        return {category for one in texts for category in one.categories}
    lookers = [one for one in pictures if evidence_of(one) == PICTURE]
    every = [one for one in lookers if stage is Stage.INPUT_IMAGE or schedule_of(one) is None]
    banks = {category for one in pictures for category in one.categories if category.startswith("bank/")}
    return {category for one in every for category in one.categories} | banks


def models(examiners: Sequence[Examiner]) -> list[dict[str, Any]]:
    """Name, version, weights and runtime of each, as loaded."""
    names = ("name", "version", "weights_sha256", "runtime")
    return [{name: getattr(one, name) for name in names} for one in examiners]
