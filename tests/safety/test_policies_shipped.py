"""What the policies that ship with Assay promise."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from safety import (
    BANNED_CLASSES,
    Absence,
    Action,
    Circumstances,
    Item,
    Policy,
    Score,
    Stage,
    decide,
    lint,
    shipped_policies,
)
from tests.safety.worlds import track

DAY = date(2026, 12, 1)
JUDGED = (Stage.PROMPT, Stage.INPUT_IMAGE, Stage.INPUT_VIDEO, Stage.FRAME)
everyone = pytest.mark.parametrize("name", shipped_policies())


def categories(policy: Policy, stage: Stage) -> list[str]:
    """The categories that the policy speaks of at a stage."""
    return list(dict.fromkeys(rule.category for rule in policy.rules_for(stage)))


def unlooked(policy: Policy, stage: Stage, backend: str | None, **more: bool):
    """The decision where no model was configured for anything at the stage."""
    item = Item(stage, "it", "ab" * 32)
    said = [Score.absent(item, one, "none@0", Absence.NOT_CONFIGURED) for one in categories(policy, stage)]
    return decide(policy, [item], said, Circumstances(backend, DAY, **more))


def thresholds(policy: Policy, stage: Stage, category: str) -> dict[Action, float]:
    """The thresholds of a category at a stage."""
    return {rule.action: rule.threshold for rule in policy.rules_for(stage) if rule.category == category}


@everyone
def test_a_shipped_policy_is_clean(name):
    """Lint finds nothing in a policy that ships, on any day before its waivers are due."""
    assert lint(Policy.load(name), DAY) == []


@everyone
def test_a_shipped_policy_bears_its_files_name(name):
    """The id is the name by which it is loaded."""
    assert Policy.load(name).id == name


@everyone
def test_every_banned_category_is_defined_with_what_it_is_not(name):
    """Every member of the five classes has a definition, violations, look-alikes and its mission class."""
    texts = Policy.load(name).categories
    for banned, members in BANNED_CLASSES.items():
        assert {texts[member].mission_class for member in members} == {banned}


@everyone
@pytest.mark.parametrize("stage", JUDGED)
def test_every_banned_class_is_reviewed_before_it_is_blocked(name, stage):
    """Each category of a banned class has a review below its block, at every stage where it is judged."""
    policy = Policy.load(name)
    for members in BANNED_CLASSES.values():
        for member in members:
            levels = thresholds(policy, stage, member)
            in_words_only = member == "ip/style" and stage is not Stage.PROMPT
            in_pictures_only = member == "hate/symbol" and stage is Stage.PROMPT
            if in_words_only or in_pictures_only:
                assert levels == {}
            else:
                assert levels[Action.REVIEW] < levels[Action.BLOCK]


@everyone
def test_nothing_that_sexualises_minors_is_written_down(name):
    """No violating example and no zero-shot text stands under sexual/minors."""
    text = Policy.load(name).categories["sexual/minors"]
    assert {example.action for example in text.examples} == {Action.ALLOW}
    assert text.zero_shot == ()


@everyone
def test_sexual_minors_is_the_most_sensitive(name):
    """No category blocks at a lower score than sexual/minors, at any stage that judges it."""
    policy = Policy.load(name)
    for stage in (*JUDGED, Stage.NEGATIVE_PROMPT):
        lowest = min(rule.threshold for rule in policy.rules_for(stage) if rule.action is Action.BLOCK)
        assert thresholds(policy, stage, "sexual/minors")[Action.BLOCK] == lowest


@everyone
def test_fights_are_a_matter_for_a_person(name):
    """No shipped policy blocks on violence without gore."""
    policy = Policy.load(name)
    actions = {rule.action for rule in policy.rules if rule.category == "violence"}
    assert actions == {Action.REVIEW}


@everyone
def test_what_to_avoid_is_no_violation(name):
    """A negative prompt is judged for sexual/minors alone, which still blocks."""
    policy = Policy.load(name)
    assert categories(policy, Stage.NEGATIVE_PROMPT) == ["sexual/minors"]
    item = Item.text(Stage.NEGATIVE_PROMPT, "n", "blood, gore, nudity")
    gory = [Score(item, "violence/graphic", "m@1", 1.0), Score(item, "sexual", "m@1", 1.0)]
    assert decide(policy, [item], [*gory, Score(item, "sexual/minors", "m@1", 0.0)]).action is Action.ALLOW
    assert decide(policy, [item], [*gory, Score(item, "sexual/minors", "m@1", 1.0)]).action is Action.BLOCK


@pytest.mark.parametrize("name", ["default", "permissive", "demo"])
@pytest.mark.parametrize("backend", ["embedded", "procedural"])
def test_frames_of_a_closed_vocabulary_are_waived_in_words(name, backend):
    """Without picture models, only frames that these two back-ends drew pass, and the decision says which and why."""
    policy = Policy.load(name)
    item = Item(Stage.FRAME, "frames", "ab" * 32)
    asked = [one for one in categories(policy, Stage.FRAME) if one != "canary"]
    said = [Score.absent(item, one, "none@0", Absence.NOT_CONFIGURED) for one in asked]
    said += [track(item, "canary", [0.0])]
    decision = decide(policy, [item], said, Circumstances(backend, DAY))
    assert decision.action is Action.ALLOW
    assert set(decision.waived) == set(asked)
    assert "closed vocabulary" in decision.waivers[0].reason


@pytest.mark.parametrize("name", ["default", "permissive", "demo"])
def test_everything_else_that_nobody_looked_at_goes_to_a_person(name):
    """Other back-ends, other people's media and inputs are reviewed where no model looked."""
    policy = Policy.load(name)
    stages = [(Stage.FRAME, None), (Stage.FRAME, "module:factory"), (Stage.FRAME, "")]
    stages += [(stage, "embedded") for stage in JUDGED if stage is not Stage.FRAME]
    for stage, backend in stages:
        assert unlooked(policy, stage, backend).action is Action.REVIEW


@pytest.mark.parametrize("stage", [*JUDGED, Stage.NEGATIVE_PROMPT])
def test_strict_blocks_what_nobody_looked_at(stage):
    """Strict has no waiver, and answers every absence with block."""
    policy = Policy.load("strict")
    assert policy.waivers == ()
    assert unlooked(policy, stage, "embedded").action is Action.BLOCK
    assert {rule.answer_to(kind) for rule in policy.rules for kind in Absence} == {Action.BLOCK}


def test_strict_asks_for_what_default_asks():
    """Strict differs from default in absences and waivers alone."""
    answers = {"when_failed", "when_unsupported", "when_not_configured"}
    strict, default = (
        [rule.model_dump(exclude=answers) for rule in Policy.load(n).rules] for n in ("strict", "default")
    )
    assert strict == default


def test_permissive_differs_in_thresholds_alone():
    """Permissive has the rules, absences and waivers of default; its thresholds are higher, for minors the same."""
    permissive, default = Policy.load("permissive"), Policy.load("default")
    assert permissive.waivers == default.waivers
    for ours, theirs in zip(permissive.rules, default.rules, strict=True):
        assert ours.model_dump(exclude={"threshold"}) == theirs.model_dump(exclude={"threshold"})
        same = ours.category == "sexual/minors" or ours.action is Action.ALLOW
        assert ours.threshold == theirs.threshold if same else ours.threshold > theirs.threshold


def test_demo_is_default_and_the_canary():
    """Demo adds one rule: the benign emblem is blocked in frames, and never reviewed."""
    demo, default = Policy.load("demo"), Policy.load("default")
    (canary,) = [rule for rule in demo.rules if rule not in default.rules]
    assert (canary.category, canary.stage, canary.action) == ("canary", Stage.FRAME, Action.BLOCK)
    assert demo.waivers == default.waivers


def test_fire_is_information():
    """Fire in every frame changes nothing, and is told."""
    policy = Policy.load("default")
    item = Item(Stage.FRAME, "frames", "ab" * 32)
    said = [Score(item, one, "eye@1", 0.0) for one in categories(policy, Stage.FRAME) if one != "depiction/fire"]
    decision = decide(policy, [item], [*said, Score(item, "depiction/fire", "eye@1", 1.0)], Circumstances(None, DAY))
    assert decision.action is Action.ALLOW
    assert [reason.category for reason in decision.reasons] == ["depiction/fire"]


@everyone
def test_one_frame_is_enough_to_block(name):
    """Every block fires on a single frame, and every review on a single frame that scores clearly below a block."""
    policy = Policy.load(name)
    for rule in policy.rules:
        if rule.action is Action.BLOCK:
            assert rule.temporal.k == 1
        elif rule.temporal.k > 1:
            assert rule.temporal.instant < thresholds(policy, rule.stage, rule.category)[Action.BLOCK]


def test_the_policies_that_the_guide_shows_are_sound():
    """The extension and the waiver in docs/policies.md are accepted, and lint finds nothing in them."""
    guide = (Path(__file__).parents[2] / "docs" / "policies.md").read_text("utf-8")
    _, waivers, extension = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    head, own = extension.split("rules:\n")
    for written in (extension, head + waivers, head + "rules:\n" + own.split("waivers:")[0]):
        assert lint(Policy.parse(written, "docs/policies.md"), DAY) == []


def test_an_unsupported_language_is_read_by_a_person():
    """A prompt in a language that the classifier does not know is reviewed under default, never passed."""
    policy = Policy.load("default")
    item = Item.text(Stage.PROMPT, "p", "лиса бежит по снегу")
    said = [Score.absent(item, one, "m@1", Absence.UNSUPPORTED, "ru") for one in categories(policy, Stage.PROMPT)]
    assert decide(policy, [item], said, Circumstances(None, DAY)).action is Action.REVIEW
