"""What a decision says: reasons, waivers, what was not evaluated, and what is no decision at all."""

from __future__ import annotations

from datetime import date

import pytest

from safety import Absence, Action, Circumstances, Item, Policy, Score, Stage, Track, Where, decide
from tests.safety.worlds import BANNED, document, policy, quiet, rule, track, video, waiver

COMPLETE = Circumstances(backend="toy", on=date(2026, 1, 1))
SCAN = Circumstances(on=date(2026, 1, 1), require_complete=False)


def test_everything_looked_at_and_harmless_is_allowed():
    """A decision without reasons is an allow, complete, and cites its policy."""
    small = policy()
    decision = decide(small, [video()], quiet(video()), COMPLETE)
    assert (decision.action, decision.reasons, decision.complete) == (Action.ALLOW, (), True)
    assert decision.policy == {"id": "small", "version": "1", "digest": small.digest}
    assert decision.id.startswith("dec_")


@pytest.mark.parametrize(("value", "action"), [(0.8, Action.BLOCK), (0.7999, Action.ALLOW)])
def test_a_score_at_the_threshold_reaches_it(value, action):
    """A score equal to the threshold counts, and the next below does not, for texts and for frames."""
    prompt = Item.text(Stage.PROMPT, "p", "a fox")
    said = [*quiet(prompt, but=("hate",)), Score(prompt, "hate", "eye@1", value)]
    assert decide(policy(), [prompt], said, COMPLETE).action is action
    one = video(1)
    said = [*quiet(one, but=("hate",)), track(one, "hate", [value - 0.0005 * (value < 0.8)])]
    assert decide(policy(), [one], said, COMPLETE).action is action


def test_the_gravest_reason_comes_first_and_decides():
    """Of a review and a block, the block is the action and stands first, with its evidence."""
    small = policy(rule("hate-review", "frame", "hate", 0.3, "review"))
    said = [*quiet(video(), but=("hate",)), track(video(), "hate", [0.0, 0.9, 0.0])]
    decision = decide(small, [video()], said, COMPLETE)
    assert decision.action is Action.BLOCK
    assert [reason.rule for reason in decision.reasons] == ["frame-hate", "hate-review"]
    where = decision.reasons[0].where
    assert where is not None
    assert (where.frame, where.start_s, where.end_s, where.peak_s) == (1, 0.1, 0.2, 0.1)


def test_a_reason_carries_the_evidence_of_its_peak():
    """The text and the box seen in the worst frame stand in the reason."""
    seen = Where(text="words on a wall", box=(1, 2, 3, 4))
    frames = [(0.0, 0.0, None), (0.1, 0.95, seen), (0.2, 0.85, Where(text="fewer words"))]
    said = [*quiet(video(), but=("hate",)), Track.of(video(), "hate", "eye@1", frames)]
    reason = decide(policy(), [video()], said, COMPLETE).reasons[0].to_json()
    assert (reason["text"], reason["box"], reason["frame"]) == ("words on a wall", [1, 2, 3, 4], 1)


def test_one_stretch_found_by_two_rules_is_told_once():
    """Segments of a milder and a graver rule over one track do not overlap in the decision; the wider one stays."""
    small = policy(rule("hate-review", "frame", "hate", 0.3, "review"))
    item = video(5)
    said = [*quiet(item, but=("hate",)), track(item, "hate", [0.0, 0.4, 0.9, 0.4, 0.0])]
    (segment,) = decide(small, [item], said, COMPLETE).segments
    assert (segment.start_s, segment.end_s, segment.peak_frame) == (0.1, 0.4, 2)


def test_of_two_videos_each_reason_names_its_own():
    """Where a stage judges several items, a reason says which one it is about."""
    first, second = video(id="first"), video(id="second")
    said = [*quiet(first), *quiet(second, but=("hate",)), track(second, "hate", [0.9, 0.0, 0.0])]
    decision = decide(policy(), [first, second], said, COMPLETE)
    assert [reason.item for reason in decision.reasons] == ["second"]
    assert [segment.item for segment in decision.segments] == ["second"]


def test_a_score_of_something_else_is_not_applicable():
    """A block-worthy score of an item that was not expected changes nothing, not even the id."""
    small, stranger = policy(), video(id="stranger")
    said = quiet(video())
    with_stranger = [*said, track(stranger, "hate", [1.0, 1.0, 1.0])]
    assert decide(small, [video()], with_stranger, COMPLETE) == decide(small, [video()], said, COMPLETE)


def test_the_same_item_under_another_hash_is_something_else():
    """Scores of another version of a file do not stand in for the file."""
    other = Item(Stage.FRAME, "frames", "cd" * 32, 3)
    assert decide(policy(), [video()], quiet(other), COMPLETE).action is Action.BLOCK


def test_an_item_expected_twice_is_judged_once():
    """Naming an item twice neither repeats its reasons nor changes the decision."""
    said = [*quiet(video(), but=("hate",)), track(video(), "hate", [0.9, 0.0, 0.0])]
    once, twice = (decide(policy(), items, said, COMPLETE) for items in ([video()], [video(), video()]))
    assert once == twice


@pytest.mark.parametrize("items", [[], [video(), Item.text(Stage.PROMPT, "p", "a fox")]])
def test_no_item_or_two_stages_is_a_fault_of_the_caller(items):
    """decide() never answers about nothing, nor about two stages at once."""
    with pytest.raises(ValueError, match="exactly one stage"):
        decide(policy(), items, [], COMPLETE)


def test_a_stage_without_a_rule_blocks():
    """A policy that says nothing of a stage allows nothing there."""
    item = Item(Stage.FILE, "file", "ab" * 32)
    decision = decide(policy(), [item], [], COMPLETE)
    assert decision.action is Action.BLOCK
    assert decision.reasons[0].rule == "no-rule"


# -- absence ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 2, 4])
def test_a_track_that_does_not_count_every_frame_has_failed(length):
    """A track shorter or longer than the video accounts for something else, and the note says so."""
    said = [*quiet(video(), but=("hate",)), track(video(), "hate", [0.0] * length)]
    decision = decide(policy(), [video()], said, COMPLETE)
    assert decision.action is Action.BLOCK
    (reason,) = decision.reasons
    assert (reason.absence, reason.note) == (Absence.FAILED, f"{length} of 3 frames were accounted for")


def test_one_number_does_not_speak_for_a_video():
    """A single score for a video of three frames is no look at its frames; for one picture it is."""
    said = [*quiet(video(), but=("hate",)), Score(video(), "hate", "eye@1", 0.0)]
    assert decide(policy(), [video()], said, COMPLETE).reasons[0].absence is Absence.FAILED
    picture = Item(Stage.INPUT_IMAGE, "picture", "ab" * 32)
    assert decide(policy(), [picture], quiet(picture), COMPLETE).action is Action.ALLOW


@pytest.mark.parametrize("configured", [True, False])
def test_an_empty_video_can_only_fail(configured):
    """A video of no frames is refused, also where every category is waived."""
    small = Policy.model_validate(document(waivers=[waiver(*BANNED)]))
    empty = video(0)
    said = quiet(empty) if configured else [_unseen(empty, name) for name in BANNED]
    decision = decide(small, [empty], said, COMPLETE)
    assert decision.action is Action.BLOCK
    assert "there is no frame to look at" in {reason.note for reason in decision.reasons}


def _unseen(item: Item, category: str) -> Score:
    return Score.absent(item, category, "none@0", Absence.NOT_CONFIGURED, "no model judges this category")


def test_a_waiver_that_was_needed_stands_in_the_decision():
    """What went unevaluated by a waiver is named, with the waiver's own words; waivers not needed are not cited."""
    small = Policy.model_validate(document(waivers=[waiver("hate"), waiver("sexual")]))
    decision = decide(small, [video()], [*quiet(video(), but=("hate",)), _unseen(video(), "hate")], COMPLETE)
    assert (decision.action, decision.waived, decision.not_evaluated) == (Action.ALLOW, ("hate",), ("hate",))
    assert not decision.complete
    (cited,) = decision.to_json()["waivers"]
    assert cited["reason"] == "the toy back-end draws nothing at all"
    assert cited["expires"] == "2099-12-31"


def test_a_waiver_holds_on_its_last_day_and_not_after():
    """The day after it expires, a waiver covers nothing."""
    small = Policy.model_validate(document(waivers=[waiver("hate", expires="2026-06-30")]))
    said = [*quiet(video(), but=("hate",)), _unseen(video(), "hate")]
    days = (date(2026, 6, 30), date(2026, 7, 1))
    actions = [decide(small, [video()], said, Circumstances("toy", day)).action for day in days]
    assert actions == [Action.ALLOW, Action.REVIEW]


def test_not_configured_counts_although_another_model_answered():
    """Words on the screen that were read for hate do not stand in for somebody who looks at the picture."""
    said = [*quiet(video()), _unseen(video(), "hate")]
    decision = decide(policy(), [video()], said, COMPLETE)
    assert decision.action is Action.REVIEW
    assert decision.not_evaluated == ("hate",)


def test_a_scan_reports_what_nobody_looked_for_and_does_not_act_on_it():
    """Where a decision need not be complete, "not configured" is told, and alone it changes nothing."""
    said = [*quiet(video(), but=("hate",)), _unseen(video(), "hate")]
    decision = decide(policy(), [video()], said, SCAN)
    assert (decision.action, decision.not_evaluated, decision.waived) == (Action.ALLOW, ("hate",), ())


def test_what_one_model_missed_another_has_evaluated():
    """A failure acts, but its category is not "not evaluated" where another model gave values."""
    said = [*quiet(video()), track(video(), "hate", [Absence.FAILED] * 3, "ear@2")]
    decision = decide(policy(), [video()], said, COMPLETE)
    assert (decision.action, decision.not_evaluated) == (Action.BLOCK, ())


def test_a_rule_that_names_a_model_fails_without_its_answer():
    """Another model's answer does not satisfy a rule that asks for one by name, whatever its version."""
    small = policy(rule("hate-eye", "frame", "hate", 0.5, "review", source="eye"))
    assert decide(small, [video()], quiet(video()), COMPLETE).action is Action.ALLOW
    others = [*quiet(video(), but=("hate",)), track(video(), "hate", [0.0] * 3, "eyes@1")]
    (reason,) = decide(small, [video()], others, COMPLETE).reasons
    assert (reason.rule, reason.absence, reason.note) == ("hate-eye", Absence.FAILED, "no stage answered")


FIRE = rule("fire", "frame", "depiction/fire", 0.5, "allow")


def test_an_informational_rule_reports_and_asks_for_nothing():
    """A hit of a rule whose action is allow is a reason and a segment, and still an allow."""
    said = [*quiet(video()), track(video(), "depiction/fire", [0.0, 0.9, 0.0])]
    decision = decide(policy(FIRE), [video()], said, COMPLETE)
    assert decision.action is Action.ALLOW
    assert [(reason.rule, reason.action) for reason in decision.reasons] == [("fire", Action.ALLOW)]
    assert [segment.category for segment in decision.segments] == ["depiction/fire"]


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        (Absence.NOT_CONFIGURED, Action.ALLOW),
        (Absence.UNSUPPORTED, Action.ALLOW),
        (Absence.FAILED, Action.BLOCK),
    ],
)
def test_of_an_informational_rule_only_a_failure_acts(kind, action):
    """Nothing was asked, so nothing is lost where nobody could answer; a model that broke is told and acts."""
    said = [*quiet(video()), Score.absent(video(), "depiction/fire", "eye@1", kind)]
    decision = decide(policy(FIRE), [video()], said, COMPLETE)
    assert decision.action is action
    assert decision.not_evaluated == ("depiction/fire",)
    assert [reason.absence for reason in decision.reasons] == ([] if kind is Absence.NOT_CONFIGURED else [kind])


# -- on the wire ------------------------------------------------------------------------------------------------------


def test_a_reason_about_a_text_names_the_span_in_the_users_own_words():
    """The JSON of a reason has the keys of the contract, and the span as a list."""
    prompt = Item.text(Stage.PROMPT, "p", "a fox eats Pikachu")
    hit = Score(prompt, "hate", "names@3", 0.9, where=Where(span=(11, 18), text="Pikachu"))
    reason = decide(policy(), [prompt], [*quiet(prompt, but=("hate",)), hit], COMPLETE).to_json()["reasons"][0]
    assert reason == {
        "stage": "prompt", "category": "hate", "rule": "prompt-hate", "action": "block", "source": "names@3",
        "score": 0.9, "absence": None, "span": [11, 18], "text": "Pikachu", "frame": None, "start_s": None,
        "end_s": None, "peak_s": None, "box": None, "note": None, "item": "p",
    }  # fmt: skip


def test_a_decision_on_the_wire_says_under_which_circumstances_it_was_made():
    """The JSON of a decision has its circumstances, segments and completeness in plain values."""
    said = [*quiet(video(), but=("hate",)), track(video(), "hate", [0.0, 0.9, 0.0])]
    line = decide(policy(), [video()], said, COMPLETE).to_json()
    assert line["circumstances"] == {"backend": "toy", "on": "2026-01-01", "require_complete": True}
    assert (line["stage"], line["action"], line["complete"]) == ("frame", "block", True)
    assert set(line["segments"][0]) >= {"category", "start_s", "end_s", "peak", "peak_s"}
