"""How a video is looked at under a policy: what may be covered, what must not be, and when to stop."""

from __future__ import annotations

from safety import Action, Policy, Stage
from safety.frame import ScanOptions


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
