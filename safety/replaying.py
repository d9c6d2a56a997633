"""Decides again from what was recorded, without a model; and refuses where that would mislead."""

from __future__ import annotations

from dataclasses import dataclass

from safety.deciding import decide
from safety.decision import Circumstances, Decision
from safety.errors import ReplayRefused
from safety.item import Item
from safety.policy import Policy
from safety.score import Score, Track


@dataclass(frozen=True)
class Recording:
    """What was recorded of the items of one stage: enough to decide again, bit for bit.

    scoring_digest  hash of what the scores depend on (models, weights, gazetteer, zero-shot texts, scan settings)
    partial         why some of the material was not scored, in words, where a scan stopped early; None where all was
    """

    items: tuple[Item, ...]
    scores: tuple[Score | Track, ...]
    circumstances: Circumstances
    scoring_digest: str
    partial: str | None = None


def replay(policy: Policy, recording: Recording, scoring_digest: str) -> Decision:
    """The decision of `policy` from recorded scores; under the policy of that day, the decision of that day.

    scoring_digest: how scores would be made for this policy. Raises ReplayRefused where the recorded scores were made
    otherwise, or do not cover everything: another policy might then have seen what this one cannot.
    """
    if recording.partial is not None:
        raise ReplayRefused(f"the scan stopped early ({recording.partial}); scan the file again without an early stop")
    if recording.scoring_digest != scoring_digest:
        raise ReplayRefused(
            f"the scores were made under {recording.scoring_digest[:12]}, but {policy.id}@{policy.version} asks for "
            f"{scoring_digest[:12]} (other models, weights, gazetteer, zero-shot texts or settings); score them again"
        )
    return decide(policy, recording.items, recording.scores, recording.circumstances)
