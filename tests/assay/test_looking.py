"""From a policy to the options of a walk."""

from __future__ import annotations

import pytest

from assay.looking import scan_options
from assay.settings import Scan, Settings
from safety import Policy, Stage
from safety.frame import EPSILONS


def test_alarms_are_every_limit_of_the_stage_and_nothing_is_certain_by_default() -> None:
    """Thresholds, closing levels and instants of a category are all kept away from; the whole file is walked."""
    policy = Policy.load("default")
    options = scan_options(policy, Stage.FRAME, epsilon=1.0, early_stop=False)
    assert options.certain == {}
    assert options.epsilon == 1.0
    for rule in policy.rules_for(Stage.FRAME):
        limits = options.alarms[rule.category]
        assert rule.threshold in limits
        assert rule.threshold * rule.temporal.close in limits
        assert rule.temporal.instant is None or rule.temporal.instant in limits


def test_certain_is_what_blocks_by_itself() -> None:
    """With an early stop, a category ends the walk at the lowest value at which one frame is a block, and no lower."""
    policy = Policy.load("demo")
    certain = scan_options(policy, Stage.FRAME, epsilon=0.0, early_stop=True).certain
    assert certain
    for category, value in certain.items():
        blocks = [r for r in policy.rules_for(Stage.FRAME) if r.category == category and r.action.word == "block"]
        alone = [r.threshold if r.temporal.k == 1 else r.temporal.instant for r in blocks]
        assert value == min(limit for limit in alone if limit is not None)


def test_only_offered_epsilons_are_settings() -> None:
    """The settings take what the engine offers, from words too, and refuse everything else."""
    for epsilon in EPSILONS:
        assert Scan(epsilon=epsilon).epsilon == epsilon
    with pytest.raises(ValueError, match="0, 1 and 2"):
        Scan(epsilon=4)
    assert Settings(scan={"epsilon": "1"}).scan == Scan(epsilon=1.0)
