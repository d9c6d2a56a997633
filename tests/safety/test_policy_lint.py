"""What lint finds, and that it finds nothing else."""

from __future__ import annotations

from datetime import date

import pytest

from safety import Finding, Policy, lint
from tests.safety.worlds import ANSWERS, document, policy, rule, waiver

DAY = date(2026, 12, 1)
TEXT = {"definition": "what it means, in words", "violates": ["this"], "allows": ["that"]}
EXAMPLES = [{"text": "a bad thing", "action": "block"}, {"text": "a good thing", "action": "allow"}]
MINORS = [{"text": "children at school", "action": "allow"}]


def texts(**changes):
    """A text for every category of the smallest policy, with examples; changes by category with _ for /."""
    names = {line["category"] for line in document()["rules"]}
    whole = {name: {**TEXT, "examples": EXAMPLES} for name in names}
    for name, change in changes.items():
        whole[name.replace("_", "/")] = {**TEXT, "examples": EXAMPLES, **change}
    return whole


def found(*rules, **changes) -> list[tuple[str, str, str]]:
    """Severity, code and place of what lint finds in the smallest policy with these changes."""
    negative = rule("negative", "negative prompt", "hate", **ANSWERS)
    whole = policy(negative, *rules, **{"categories": texts(), **changes})
    return [(one.severity, one.code, one.where) for one in lint(whole, DAY)]


def test_nothing_wrong_is_nothing_found():
    """A policy that is whole gives no finding."""
    assert found() == []


@pytest.mark.parametrize(
    ("fields", "reachable"),
    [
        ({"threshold": 0.5, "action": "review"}, True),
        ({"threshold": 0.8, "action": "review"}, False),
        ({"threshold": 0.9, "action": "review"}, False),
        ({"threshold": 0.9, "action": "block"}, False),
        ({"threshold": 0.9, "action": "allow"}, True),
        ({"threshold": 0.9, "action": "review", "source": "eye"}, False),
        ({"threshold": 0.9, "action": "review", "temporal": {"k": 2, "n": 3}}, False),
    ],
)
def test_a_rule_behind_another_is_unreachable(fields, reachable):
    """A rule that fires only where an at least as grave one fires is an error; informational rules never are."""
    extra = {**rule("z-extra", "frame", "hate"), **fields}
    assert found(extra) == ([] if reachable else [("error", "unreachable-rule", "rules.z-extra")])


def test_a_rule_is_not_behind_one_that_asks_for_more_frames_or_another_model():
    """A graver rule that needs k frames, or listens to one model, does not make a milder one unreachable."""
    slow = rule("slow", "frame", "violence", 0.5, "block", temporal={"k": 3, "n": 4})
    quick = rule("quick", "frame", "violence", 0.6, "review")
    named = rule("named", "frame", "violence", 0.5, "block", source="eye")
    with_text = {"categories": texts(violence={})}
    assert found(slow, quick, **with_text) == []
    assert found(named, quick, **with_text) == []


def test_of_two_equal_rules_one_is_unreachable():
    """The same line twice under two ids is told once."""
    assert found(rule("z-same", "frame", "hate")) == [("error", "unreachable-rule", "rules.z-same")]


def test_a_rule_that_always_fires_is_told():
    """A threshold of zero would never let anything pass."""
    assert ("warning", "always-fires", "rules.zero") in found(
        rule("zero", "frame", "violence", 0.0, "review"), categories=texts(violence={})
    )


@pytest.mark.parametrize(
    ("stage", "temporal", "code"),
    [
        ("frame", {"k": 3, "n": 5}, None),
        ("frame", {"scope": "shot"}, None),
        ("frame", {"scope": "file", "share": 0.2, "instant": 0.95}, None),
        ("frame", {"n": 5}, "window-without-say"),
        ("input video", {"scope": "file", "share": 0.2, "instant": 0.95, "k": 2, "n": 3}, "window-without-say"),
        ("frame", {"scope": "file", "share": 0.2}, "share-diluted"),
        ("input image", {"k": 3, "n": 5}, "temporal-ignored"),
        ("prompt", {"scope": "file"}, "temporal-ignored"),
        ("prompt", {}, None),
    ],
)
def test_temporal_rules_that_mean_nothing_are_told(stage, temporal, code):
    """Time where nothing is judged in time, a window of one frame or beside a share, a share that can be diluted."""
    line = rule("t", stage, "violence", 0.7, "review", temporal=temporal)
    examples = [{"text": "a fight", "action": "review"}, {"text": "a dance", "action": "allow"}]
    expected = [("warning", code, "rules.t.temporal")] if code else []
    assert found(line, categories=texts(violence={"examples": examples})) == expected


def test_a_share_is_backed_by_a_rule_without_one():
    """A rule of the same category that needs no share makes up for it; an informational one does not."""
    share = rule("share", "frame", "violence", 0.5, "review", temporal={"scope": "file", "share": 0.2})
    with_text = {"categories": texts(violence={})}
    assert found(share, rule("all", "frame", "violence", 0.9), **with_text) == []
    told = found(share, rule("all", "frame", "violence", 0.9, "allow"), **with_text)
    assert [code for _, code, _ in told] == ["share-diluted"]
    assert found(share, rule("low", "frame", "violence", 0.9, "review"), **with_text) == []


def test_a_rule_needs_words_except_for_a_bank():
    """A category without a text cannot be explained; a bank is explained by its entries."""
    assert found(rule("v", "frame", "violence")) == [("error", "rule-without-text", "rules.v")]
    assert found(rule("b", "frame", "bank/terror")) == []
    spoken = rule("p", "prompt", "violence")
    assert found(spoken) == [("error", "rule-without-text", "rules.p")]


def test_words_need_a_rule():
    """A category that no rule speaks of is a warning."""
    assert found(categories=texts(illicit={})) == [("warning", "category-without-rule", "categories.illicit")]


@pytest.mark.parametrize(
    ("expires", "expected"),
    [
        ("2026-11-30", ("error", "waiver-expired", "waivers.0")),
        ("2026-12-01", ("warning", "waiver-expires", "waivers.0")),
        ("2026-12-31", ("warning", "waiver-expires", "waivers.0")),
        ("2027-01-01", None),
    ],
)
def test_a_waiver_is_renewed_in_time(expires, expected):
    """Thirty days before it runs out a waiver is a warning, the day after it an error."""
    assert found(waivers=[waiver("hate", expires=expires)]) == ([expected] if expected else [])


def test_a_waiver_of_nothing_is_told():
    """A waiver for a category that no rule asks for at its stage does nothing."""
    assert found(waivers=[waiver("hate", "violence")]) == [("warning", "waives-nothing", "waivers.0")]


def test_every_prompt_category_has_examples_of_both_kinds():
    """One text that violates and one look-alike that does not, at least."""
    for examples, code in (
        ([], ["no-benign-example", "no-violating-example"]),
        (EXAMPLES[:1], ["no-benign-example"]),
        (EXAMPLES[1:], ["no-violating-example"]),
    ):
        several = found(categories=texts(hate={"examples": examples}))
        assert several == [("error", one, "categories.hate.examples") for one in code]


def test_minors_have_benign_examples_alone():
    """sexual/minors needs no violating text, must not have one, and describes nothing to image-text models."""
    minors = rule("minors", "prompt", "sexual/minors", 0.3)
    assert found(minors, categories=texts(sexual_minors={"examples": MINORS})) == []
    written = {"examples": [*MINORS, {"text": "something", "action": "block"}], "zero_shot": ["something"]}
    assert found(minors, categories=texts(sexual_minors=written)) == [
        ("error", "minors", "categories.sexual/minors.examples"),
        ("error", "minors", "categories.sexual/minors.zero_shot"),
    ]


def test_an_example_asks_for_what_a_rule_can_do():
    """An example that expects review where no rule reviews can never be met."""
    examples = [*EXAMPLES, {"text": "a doubtful thing", "action": "review"}]
    assert found(categories=texts(hate={"examples": examples})) == [
        ("error", "example-out-of-reach", "categories.hate.examples")
    ]


def test_examples_do_not_contradict_each_other():
    """One text with two answers is an error, under whatever category, case and spacing; at two stages it is not."""
    same = [*EXAMPLES, {"text": "A  BAD thing ", "action": "allow"}]
    assert [code for _, code, _ in found(categories=texts(hate={"examples": same}))] == ["contradictory-examples"]
    elsewhere = [*EXAMPLES, {"text": "a bad thing", "action": "allow", "stage": "negative prompt"}]
    assert found(categories=texts(hate={"examples": elsewhere})) == []


def test_a_policy_without_words_for_negative_prompts_is_told():
    """Without a rule for them every negative prompt is blocked, which nobody means."""
    whole = Policy.model_validate(document(categories=texts()))
    assert [(one.code, one.severity) for one in lint(whole, DAY)] == [("stage-without-rules", "warning")]


def test_errors_come_first_and_are_plain_on_the_wire():
    """Errors stand before warnings, each as one flat object."""
    several = lint(policy(rule("v", "frame", "violence")))
    assert [one.severity for one in several] == sorted((one.severity for one in several), key="error".__ne__)
    assert Finding("error", "a", "b", "c").to_json() == {"severity": "error", "code": "a", "where": "b", "message": "c"}
