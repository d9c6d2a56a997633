"""How videos and pictures are looked at: what may be covered, what must not be, and when to stop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from media import Frame, MediaError, UsageError, probe, read_image
from safety import Action, Policy, Stage
from safety.frame import ScanOptions

MOST_LOOKS = 32  # at one file of a picture: the pictures of an animation, and what transparency shows and hides


def every_look(path: Path) -> Iterator[Frame]:
    """Everything that somebody who is given a picture's file can see in it.

    Raises MediaError where any of it does not decode, and UsageError for an animation of more pictures.
    """
    read_image(path)  # a picture, and nothing else
    for number, look in enumerate(probe(path).frames()):
        if not isinstance(look, Frame):
            raise MediaError(f"{path}: a picture of it does not decode: {look.reason}")
        if number >= MOST_LOOKS:
            raise UsageError(f"an animation of more than {MOST_LOOKS} pictures is a video; send it to /v1/scans")
        yield look


def scan_options(policy: Policy, stage: Stage, *, epsilon: float, early_stop: bool) -> ScanOptions:
    """The options of a walk.

    Near every threshold of the policy nothing but identical frames is covered. With `early_stop`, a walk ends at the
    first frame that is by itself a block, whatever follows: what it did not reach is then not known, and a replay of
    the decision under another policy refuses.
    """
    rules = policy.rules_for(stage)
    alarms: dict[str, set[float]] = {}
    certain: dict[str, float] = {}
    for rule in rules:
        limits = {rule.threshold, rule.threshold * rule.temporal.close}
        limits |= {rule.temporal.instant} if rule.temporal.instant is not None else set()
        alarms.setdefault(rule.category, set()).update(limits)
        alone = rule.temporal.alone(rule.threshold)
        if early_stop and rule.action is Action.BLOCK and rule.source == "*" and alone is not None:
            certain[rule.category] = min(alone, certain.get(rule.category, alone))
    ordered = {category: tuple(sorted(limits)) for category, limits in sorted(alarms.items())}
    return ScanOptions(epsilon=epsilon, alarms=ordered, certain=certain)
