"""The laws of `decide`, over policies and scores that nobody thought of."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from safety import Absence, Action, Circumstances, Decision, Item, Policy, Score, Stage, Track, Where, decide
from tests.safety.worlds import (
    ANSWERS,
    BANNED,
    document,
    missing,
    policies,
    quiet,
    raised,
    scorings,
    track,
    values,
    video,
    waiver,
)

LENIENT = Circumstances(backend="toy", on=date(2026, 1, 1), require_complete=False)
worlds = policies().flatmap(lambda chosen: st.tuples(st.just(chosen), scorings(chosen)))
whole_worlds = policies().flatmap(lambda chosen: st.tuples(st.just(chosen), scorings(chosen, whole=True)))
lenient = settings(max_examples=60, deadline=None)


@lenient
@given(whole_worlds, st.integers(0, 99), st.integers(0, 99), values)
def test_raising_a_score_is_never_milder(world, which, frame, value):
    """A higher score of one model at one frame never lowers the action."""
    chosen, (items, scores) = world
    before = decide(chosen, items, scores, LENIENT)
    which %= len(scores)
    higher = [*scores[:which], raised(scores[which], frame, value), *scores[which + 1 :]]
    assert decide(chosen, items, higher, LENIENT).action >= before.action


@lenient
@given(worlds, st.integers(0, 99), st.floats(0, 1))
def test_lowering_a_threshold_never_allows_more(world, which, factor):
    """A rule with a lower threshold never lowers the action."""
    chosen, (items, scores) = world
    written = chosen.document()
    line = written["rules"][which % len(written["rules"])]
    line["threshold"] *= factor
    lower = Policy.model_validate(written)
    assert decide(lower, items, scores, LENIENT).action >= decide(chosen, items, scores, LENIENT).action


@lenient
@given(worlds, st.randoms(use_true_random=False))
def test_order_is_irrelevant(world, random):
    """The order of scores, items and rules changes neither the action, nor the id, nor a reason."""
    chosen, (items, scores) = world
    written = chosen.document()
    for several in (written["rules"], written["waivers"], items, scores):
        before = decide(chosen, items, scores, LENIENT)
        random.shuffle(several)
        after = decide(Policy.model_validate(written), items, scores, LENIENT)
        assert json.dumps(after.to_json()) == json.dumps(before.to_json())


@lenient
@given(worlds, st.integers(0, 99), st.booleans())
def test_a_silent_stage_is_never_an_allow(world, which, complete):
    """A category that a rule acts on, and of which nobody said anything, is never allowed, waiver or not."""
    chosen, (items, scores) = world
    asked = sorted({rule.category for rule in chosen.rules_for(items[0].stage)})
    lost = asked[which % len(asked)]
    silent = [score for score in scores if score.category != lost]
    decision = decide(chosen, items, silent, replace(LENIENT, require_complete=complete))
    assert decision.action > Action.ALLOW
    assert lost in decision.not_evaluated
    assert not decision.complete


@lenient
@given(whole_worlds, st.integers(0, 99), st.integers(0, 99), st.booleans())
def test_a_failure_is_never_an_allow(world, which, frame, complete):
    """One failure of one model, at one frame where it is a track, is never allowed, waiver or not."""
    chosen, (items, scores) = world
    broken = scores[which % len(scores)]
    if not any(
        rule.category == broken.category and rule.matches(broken.source) for rule in chosen.rules_for(items[0].stage)
    ):
        return
    if isinstance(broken, Track):
        said = [None if np.isnan(value) else value for value in broken.values]
        said[frame % len(said)] = Absence.FAILED
        failed: Score | Track = track(broken.item, broken.category, said, broken.source)
    else:
        failed = Score.absent(broken.item, broken.category, broken.source, Absence.FAILED)
    others = [score for score in scores if score is not broken]
    assert decide(chosen, items, [*others, failed], replace(LENIENT, require_complete=complete)).action > Action.ALLOW


@pytest.mark.parametrize("raw", [float("nan"), float("inf"), -0.1, 1.1, None, "0.1", [0.1], True, object()])
@given(at=st.integers(0, 2))
def test_what_is_no_number_in_0_1_is_never_an_allow(at, raw):
    """NaN, infinities, numbers out of range, words and wrong shapes count as failures, not as harmless."""
    small = Policy.model_validate(document(waivers=[waiver(*BANNED)]))
    frames = [0.0, 0.0, 0.0]
    frames[at] = raw
    said = [*quiet(video(), but=("hate",)), track(video(), "hate", frames)]
    assert decide(small, [video()], said, LENIENT).action is Action.BLOCK
    prompt = Item.text(Stage.PROMPT, "p", "a fox")
    said = [*quiet(prompt, but=("hate",)), Score.measured(prompt, "hate", "eye@1", raw)]
    assert decide(small, [prompt], said, LENIENT).action is Action.BLOCK


@lenient
@given(st.sampled_from(BANNED), st.integers(0, 2), missing, st.booleans())
def test_a_waiver_covers_neither_failure_nor_an_unsupported_item(category, at, kind, complete):
    """A waiver lets "not configured" go, and nothing else."""
    small = Policy.model_validate(document(waivers=[waiver(*BANNED)]))
    frames = [0.0, 0.0, 0.0]
    frames[at] = kind
    said = [*quiet(video(), but=(category,)), track(video(), category, frames)]
    decision = decide(small, [video()], said, replace(LENIENT, require_complete=complete))
    assert decision.action is (Action.BLOCK if kind is Absence.FAILED else Action.REVIEW)
    assert decision.waived == ()


@lenient
@given(st.sampled_from(BANNED), st.booleans(), st.booleans())
def test_not_configured_passes_only_with_a_waiver(category, waived, known_backend):
    """Where a decision must be complete, a category that no model looks for is an allow by a waiver, or not at all."""
    small = Policy.model_validate(document(waivers=[waiver(category)] if waived else []))
    said = [*quiet(video(), but=(category,)), Score.absent(video(), category, "none@0", Absence.NOT_CONFIGURED)]
    under = Circumstances(backend="toy" if known_backend else None, on=date(2026, 1, 1))
    decision = decide(small, [video()], said, under)
    assert decision.action is (Action.ALLOW if waived and known_backend else Action.REVIEW)
    assert decision.not_evaluated == (category,)


@lenient
@given(worlds)
def test_a_replay_is_equal_bit_for_bit(world):
    """Scores that were stored as JSON and as bytes, and a policy that was stored as a document, decide the same."""
    chosen, (items, scores) = world
    first = decide(chosen, items, scores, LENIENT)
    kept = [score.to_bytes() if isinstance(score, Track) else json.dumps(score.to_json()) for score in scores]
    back = [Track.from_bytes(one) if isinstance(one, bytes) else Score.from_json(json.loads(one)) for one in kept]
    items = [Item.from_json(json.loads(json.dumps(item.to_json()))) for item in items]
    under = Circumstances.from_json(json.loads(json.dumps(first.circumstances.to_json())))
    policy = Policy.from_document(json.loads(json.dumps(chosen.document())), "the ledger")
    again = decide(policy, items, back, under)
    assert again == first
    assert json.dumps(again.to_json()) == json.dumps(first.to_json())


def _changed(score: Score | Track, how: str) -> Score | Track:
    """The score with one thing about it changed."""
    if how in ("note", "source", "category"):
        return replace(score, **{how: {"note": "n", "source": "new@3", "category": "violence"}[how]})
    assert isinstance(score, Track)
    if how == "value":
        return raised(score, 0, 0.5)
    if how == "pts":
        return replace(score, pts=score.pts + 1)
    if how == "absence":
        return track(score.item, score.category, [Absence.FAILED, 0.0, 0.0])
    return replace(score, where={0: Where(text=how)})


@pytest.mark.parametrize("how", ["note", "source", "category", "value", "pts", "absence", "where"])
def test_the_id_changes_with_any_part_of_a_score(how):
    """Whatever changes in one score changes the decision's id."""
    small, said = Policy.model_validate(document()), quiet(video())
    changed = [_changed(said[0], how), *said[1:]]
    assert _id(small, [video()], changed) != _id(small, [video()], said)


@pytest.mark.parametrize("field", ["value", "where", "note", "source"])
def test_the_id_changes_with_any_part_of_a_text_score(field):
    """Whatever changes in one score of a text changes the decision's id."""
    prompt = Item.text(Stage.PROMPT, "p", "a fox")
    small, said = Policy.model_validate(document()), quiet(prompt)
    new = {"value": 0.1, "where": Where(span=(0, 1)), "note": "n", "source": "new@3"}[field]
    assert _id(small, [prompt], [replace(said[0], **{field: new}), *said[1:]]) != _id(small, [prompt], said)


@pytest.mark.parametrize(
    "under",
    [replace(LENIENT, backend="other"), replace(LENIENT, on=date(2026, 1, 2)), replace(LENIENT, require_complete=True)],
)
def test_the_id_changes_with_the_circumstances(under):
    """The back-end, the day and the demand for completeness are part of a decision's identity."""
    small = Policy.model_validate(document())
    assert decide(small, [video()], quiet(video()), under).id != _id(small, [video()], quiet(video()))


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "2"},
        {"description": "another"},
        {"waivers": [waiver("hate")]},
        {"stages": {**document()["stages"], "prompt": dict.fromkeys(ANSWERS, "block")}},
    ],
)
def test_the_id_changes_with_the_policy(changes):
    """Whatever changes in the policy changes the ids of its decisions."""
    small, other = Policy.model_validate(document()), Policy.model_validate(document(**changes))
    assert _id(small, [video()], quiet(video())) != _id(other, [video()], quiet(video()))


def test_the_id_changes_with_the_items():
    """Another hash, another count or one more item changes the id, even where no score applies any more."""
    small, item = Policy.model_validate(document()), video()
    ids = {
        _id(small, items, quiet(item))
        for items in ([item], [replace(item, sha256="cd" * 32)], [replace(item, count=4)], [item, video(id="more")])
    }
    assert len(ids) == 4


def _id(chosen: Policy, items: list[Item], scores: list[Score | Track]) -> str:
    return _decided(chosen, items, scores).id


def _decided(chosen: Policy, items: list[Item], scores: list[Score | Track]) -> Decision:
    return decide(chosen, items, scores, LENIENT)
