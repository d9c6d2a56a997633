"""Deciding again from a record, and refusing where that would mislead."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from safety import Action, Circumstances, Recording, ReplayRefused, decide, replay
from tests.safety.worlds import policy, quiet, rule, track, video

UNDER = Circumstances("toy", date(2026, 1, 1))
SAID = (*quiet(video(), but=("hate",)), track(video(), "hate", [0.0, 0.6, 0.0]))
RECORDED = Recording((video(),), SAID, UNDER, "a" * 64)


def test_under_the_policy_of_that_day_the_decision_of_that_day():
    """A replay is equal to the decision that was made, id and all."""
    assert replay(policy(), RECORDED, "a" * 64) == decide(policy(), [video()], SAID, UNDER)


def test_under_another_policy_what_would_change():
    """Other thresholds over the same scores give another decision, without a model."""
    stricter = policy(rule("hate-review", "frame", "hate", 0.5, "review"))
    assert replay(policy(), RECORDED, "a" * 64).action is Action.ALLOW
    assert replay(stricter, RECORDED, "a" * 64).action is Action.REVIEW


def test_scores_made_otherwise_are_refused():
    """Where models, weights or texts differ, the record does not say what would be scored."""
    with pytest.raises(ReplayRefused, match="score them again"):
        replay(policy(), RECORDED, "b" * 64)


def test_a_partial_record_is_refused():
    """Where the scan stopped early, nobody knows what the rest would have changed."""
    with pytest.raises(ReplayRefused, match="first block"):
        replay(policy(), replace(RECORDED, partial="at the first block"), "a" * 64)
