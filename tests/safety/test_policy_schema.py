"""What the schema of a policy refuses, and that it says where the fault is."""

from __future__ import annotations

import json

import pytest
import yaml

from safety import CATEGORIES, Action, Policy, PolicyError, Rule, Stage, Temporal, is_category
from tests.safety.worlds import ANSWERS, BANNED, STAGES, document, policy, rule, waiver


def refused(written: object, *words: str) -> None:
    """The document is refused, by an error that names the file and every one of the words."""
    with pytest.raises(PolicyError) as caught:
        Policy.parse(yaml.safe_dump(written, sort_keys=False), "here.yaml")
    assert str(caught.value).startswith("here.yaml: ")
    for word in words:
        assert word in str(caught.value)


def with_rule(**fields: object) -> dict[str, object]:
    """A document whose last rule is a valid one with these fields."""
    whole = document()
    return {**whole, "rules": [*whole["rules"], {**rule("extra", "frame", "hate"), **fields}]}


def test_the_smallest_document_is_a_policy():
    """What the other tests break is whole to begin with."""
    assert Policy.parse(yaml.safe_dump(document()), "here.yaml").id == "small"


@pytest.mark.parametrize("kind", ["when_failed", "when_unsupported", "when_not_configured"])
def test_no_absence_is_answered_with_allow(kind):
    """Neither a stage nor a rule can answer an absence with allow."""
    whole = document()
    whole["stages"]["frame"][kind] = "allow"
    refused(whole, f"stages.frame.{kind}", "never allow")
    refused(with_rule(**{kind: "allow"}), "rules.20", kind, "never allow")


@pytest.mark.parametrize("kind", ["when_failed", "when_unsupported", "when_not_configured"])
def test_every_absence_has_an_answer(kind):
    """A stage that leaves one answer out is refused."""
    whole = document()
    del whole["stages"]["prompt"][kind]
    refused(whole, f"stages.prompt.{kind}")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"threshhold": 0.5}, "threshhold"),
        ({"category": "rudeness"}, "rudeness"),
        ({"category": "bank/"}, "bank/"),
        ({"stage": "dream"}, "stage"),
        ({"stage": ["frame"]}, "stage"),
        ({"action": "ban"}, "ban"),
        ({"action": "Block"}, "Block"),
        ({"action": 2}, "write allow, review or block"),
        ({"threshold": 1.1}, "threshold"),
        ({"threshold": -0.1}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"threshold": "0.5"}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"id": "Extra Rule"}, "id"),
        ({"id": "frame-hate"}, "unique"),
        ({"source": "eye@1"}, "source"),
        ({"source": ""}, "source"),
        ({"temporal": {"k": 3, "n": 2}}, "never be reached"),
        ({"temporal": {"k": 0}}, "temporal.k"),
        ({"temporal": {"k": "1"}}, "temporal.k"),
        ({"temporal": {"close": 0.0}}, "temporal.close"),
        ({"temporal": {"merge_s": -1.0}}, "temporal.merge_s"),
        ({"temporal": {"instant": 0.5}}, "instant"),
        ({"temporal": {"window": 3}}, "temporal.window"),
    ],
)
def test_a_rule_says_nothing_that_the_schema_does_not_know(fields, word):
    """Unknown fields, categories, stages and actions, thresholds out of range and impossible windows are refused."""
    refused(with_rule(**fields), word)


@pytest.mark.parametrize("lost", ["id", "category", "stage", "threshold", "action"])
def test_a_rule_leaves_nothing_out(lost):
    """A rule has no defaults for what it is about."""
    extra = rule("extra", "frame", "hate")
    del extra[lost]
    refused({**document(), "rules": [*document()["rules"], extra]}, f"rules.20.{lost}")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("category", BANNED)
def test_every_banned_class_has_a_rule_at_every_stage(stage, category):
    """A policy that leaves one banned class out at one stage is refused, and so is one that only notes it."""
    whole = document()
    others = [line for line in whole["rules"] if (line["stage"], line["category"]) != (stage, category)]
    refused({**whole, "rules": others}, f"no rule of stage {stage!r}", category)
    noted = rule("noted", stage, category, action="allow")
    refused({**whole, "rules": [*others, noted]}, f"no rule of stage {stage!r}", category)


def test_a_stage_with_rules_needs_answers():
    """Rules of a stage that `stages` leaves out are refused, unless they answer for themselves."""
    whole = document()
    del whole["stages"]["frame"]
    refused(whole, "when_failed")
    answered = [{**line, **document()["stages"]["prompt"]} for line in whole["rules"]]
    assert Policy.model_validate({**whole, "rules": answered}).rules_for(Stage.FRAME)[0].when_failed is Action.BLOCK


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"id": "My Policy"}, "id"),
        ({"version": 1}, "version"),
        ({"version": ""}, "version"),
        ({"colour": "red"}, "colour"),
        ({"stages": {"dream": {}}}, "stages.dream"),
        ({"stages": [1]}, "stages"),
        ({"rules": 3}, "rules"),
        ({"rules": ["block everything"]}, "rules.0"),
        ({"rules": []}, "no rule of stage"),
        ({"categories": {"rudeness": {}}}, "rudeness"),
        ({"categories": {"hate": {"definition": "too short"}}}, "categories.hate.definition"),
    ],
)
def test_a_document_says_nothing_that_the_schema_does_not_know(changes, word):
    """Unknown fields and categories, missing words and wrong shapes are refused."""
    refused(document(**changes), word)


TEXT = {"definition": "what it means, in words", "violates": ["this"], "allows": ["that"]}


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"violates": []}, "violates"),
        ({"allows": []}, "allows"),
        ({"examples": [{"text": "", "action": "allow"}]}, "examples.0.text"),
        ({"examples": [{"text": "a fox", "action": "pass"}]}, "examples.0.action"),
        ({"examples": [{"text": "a fox", "action": "allow", "stage": "frame"}]}, "an example is a text"),
        ({"mission_class": "sexual content"}, "mission class"),
        ({"mission_class": "rudeness"}, "mission class"),
    ],
)
def test_a_categorys_words_are_whole(fields, word):
    """Definitions say what violates and what does not; examples are texts; mission classes are the five."""
    Policy.model_validate(document(categories={"hate": TEXT}))
    refused(document(categories={"hate": {**TEXT, **fields}}), word)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"reason": "because"}, "waivers.0.reason"),
        ({"owner": ""}, "waivers.0.owner"),
        ({"categories": []}, "waivers.0.categories"),
        ({"categories": ["rudeness"]}, "rudeness"),
        ({"backends": []}, "waivers.0.backends"),
        ({"expires": "some day"}, "waivers.0.expires"),
        ({"expires": None}, "waivers.0.expires"),
        ({"forever": True}, "waivers.0.forever"),
    ],
)
def test_a_waiver_is_in_words_and_ends(changes, word):
    """A waiver without a reason, an owner, a scope or an end is refused."""
    refused(document(waivers=[waiver("hate", **changes)]), word)


def test_a_waiver_names_its_back_ends():
    """No waiver covers media that Assay did not make: there is no back-end to name."""
    whole = Policy.model_validate(document(waivers=[waiver("hate")]))
    day = whole.waivers[0].expires
    assert whole.waiver_for(Stage.FRAME, "hate", "toy", day) is whole.waivers[0]
    assert whole.waiver_for(Stage.FRAME, "hate", None, day) is None
    assert whole.waiver_for(Stage.INPUT_VIDEO, "hate", "toy", day) is None
    assert whole.waiver_for(Stage.FRAME, "sexual", "toy", day) is None


def test_the_digest_is_of_the_content():
    """Comments, key order, rule order and spelled-out defaults leave the digest; every content changes it."""
    whole = document()
    plain = Policy.model_validate(whole)
    spelled = {**whole, "rules": [{"source": "*", "temporal": {"k": 1}, **line} for line in whole["rules"][::-1]]}
    same = Policy.parse("# a comment\n" + yaml.safe_dump(spelled, sort_keys=True), "here.yaml")
    assert same.digest == plain.digest
    assert policy(rule("extra", "frame", "hate")).digest != plain.digest


def _digests(one: Policy) -> tuple[str, str, str]:
    return one.digest, one.decision_digest, one.zero_shot_digest


def test_three_digests_tell_what_changed():
    """Thresholds are the decision's, zero-shot texts the scoring's, definitions nobody's but the document's."""
    plain = Policy.model_validate(document(categories={"hate": TEXT}))
    lower = Policy.model_validate(document(categories={"hate": TEXT}, waivers=[waiver("hate")]))
    shown = Policy.model_validate(document(categories={"hate": {**TEXT, "zero_shot": ["a burning cross"]}}))
    worded = Policy.model_validate(document(categories={"hate": {**TEXT, "allows": ["another thing"]}}))
    changed = [[a != b for a, b in zip(_digests(one), _digests(plain), strict=True)] for one in (lower, shown, worded)]
    assert changed == [[True, True, False], [True, False, True], [True, False, False]]


def test_a_policy_comes_back_from_its_document():
    """The stored document gives back an equal policy, tiny thresholds included."""
    whole = policy(rule("tiny", "frame", "hate", 1e-7), waivers=[waiver("hate")])
    back = Policy.from_document(json.loads(json.dumps(whole.document())), "the ledger")
    assert (back.digest, back.waivers, {r.id for r in back.rules}) == (
        whole.digest,
        whole.waivers,
        {r.id for r in whole.rules},
    )
    with pytest.raises(PolicyError, match="the ledger: id"):
        Policy.from_document({**whole.document(), "id": "?"}, "the ledger")


def test_a_policy_does_not_change():
    """Nothing of a policy can be assigned to once it was read."""
    with pytest.raises(ValueError, match="frozen"):
        policy().rules[0].threshold = 0.9  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        Temporal().k = 2  # type: ignore[misc]


def test_names_of_categories():
    """The known names and well-formed bank names are categories, and nothing else."""
    assert all(is_category(name) for name in CATEGORIES)
    assert is_category("bank/terror-2026.v1")
    assert not any(is_category(name) for name in ("bank/", "bank/UP", "bank/a b", "bank/a\n", "Hate", "", "hate/"))


def test_rules_are_made_in_code_as_well():
    """In Python an action is an Action; the same law holds."""
    answers = dict.fromkeys(ANSWERS, Action.REVIEW)
    made = Rule(id="r", category="hate", stage=Stage.FRAME, threshold=0.5, action=Action.ALLOW, **answers)
    assert made.action is Action.ALLOW
    with pytest.raises(ValueError, match="never allow"):
        Rule(**{**made.model_dump(), "action": Action.BLOCK, "when_failed": Action.ALLOW})
