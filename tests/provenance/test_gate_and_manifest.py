"""What may be signed at all: the gate's laws, and the conformance rules of the manifest."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from provenance import (
    GateRecord,
    HumanDecision,
    Kind,
    Manifest,
    ManifestInvalid,
    NotAllowed,
    Origin,
    SigningIdentity,
    SourceType,
    State,
    Training,
    build_manifest,
    publish,
)
from safety import Action, Circumstances, Decision, PostureEntry, Reason, Stage, Waiver, Where

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
POLICY = {"id": "default", "version": "1", "digest": "ab" * 32}


def _decided(action: Action, number: int, complete: bool = True) -> Decision:
    return Decision(
        id=f"dec_{number}",
        stage=Stage.FRAME,
        action=action,
        policy=POLICY,
        reasons=(),
        not_evaluated=() if complete else ("hate",),
        circumstances=Circumstances(require_complete=complete),
    )


def _origin() -> Origin:
    return Origin(Kind.TEXT_TO_VIDEO, "toy", "1", NOW, SourceType.TRAINED)


@settings(max_examples=150, deadline=None)
@given(
    actions=st.lists(st.tuples(st.sampled_from(Action), st.booleans()), max_size=5),
    approved=st.sets(st.integers(0, 5)),
)
def test_nothing_is_built_that_was_not_allowed_or_approved(
    actions: list[tuple[Action, bool]], approved: set[int]
) -> None:
    """A manifest is built exactly where there is a decision, and each allows completely or was approved by a person."""
    decisions = [_decided(action, number, complete) for number, (action, complete) in enumerate(actions)]
    human = HumanDecision("rev_1", frozenset(f"dec_{number}" for number in approved), NOW) if approved else None
    gate = GateRecord.of(decisions, (), human)
    clear = [(a is Action.ALLOW and whole) or number in approved for number, (a, whole) in enumerate(actions)]
    if actions and all(clear):
        assert build_manifest(_origin(), gate, "t").decision == gate.assertion()
    else:
        with pytest.raises(NotAllowed):
            build_manifest(_origin(), gate, "t")


def test_an_approval_must_name_the_decision(decision: Callable[..., Decision]) -> None:
    """A person's approval of one decision does not let another pass."""
    held = decision(Action.REVIEW)
    with pytest.raises(NotAllowed, match="says review"):
        build_manifest(_origin(), GateRecord.of([held], (), HumanDecision("r", frozenset({"dec_x"}), NOW)), "t")
    made = build_manifest(_origin(), GateRecord.of([held], (), HumanDecision("r", frozenset({held.id}), NOW)), "t")
    assert made.decision["human"] == {"reference": "r", "approves": [held.id], "at": "2026-05-06T07:08:09Z"}


def test_decisions_under_different_policies_are_refused(decision: Callable[..., Decision]) -> None:
    """One file is gated by one policy; a mixture is refused."""
    other = decision(stage=Stage.PROMPT, policy={**POLICY, "digest": "00" * 32})
    with pytest.raises(NotAllowed, match="different policies"):
        build_manifest(_origin(), GateRecord.of([decision(), other], ()), "t")


def test_no_person_and_no_prompt_enters_a_manifest(
    decision: Callable[..., Decision], video: Path, tmp_path: Path, identity: SigningIdentity
) -> None:
    """Reasons are counted, not quoted; a waiver's owner and a reviewer's name stay out of the file."""
    reason = Reason(
        "r", "hate", Stage.PROMPT, Action.ALLOW, "m@1", 0.1, where=Where(text="SECRET WORDS"), note="SECRET"
    )
    waiver = Waiver(
        stage=Stage.FRAME, categories=("hate/symbol",), backends=("embedded",),
        reason="the embedded generator draws no symbols", owner="jane@example.org", expires=date(2027, 1, 1),
    )  # fmt: skip
    told = decision(reasons=(reason,), waivers=(waiver,), waived=("hate/symbol",), not_evaluated=("hate/symbol",))
    made = build_manifest(_origin(), GateRecord.of([told], ()), "clip")
    found = publish(video, tmp_path / "a.mp4", made, identity)
    content = (tmp_path / "a.mp4").read_bytes()
    assert b"SECRET" not in content
    assert b"jane" not in content
    assert found.decision is not None
    assert found.decision["decisions"][0]["reasons"] == 1
    assert found.decision["decisions"][0]["waived"] == ["hate/symbol"]
    assert found.decision["decisions"][0]["complete"] is False
    assert found.decision["waivers"] == [
        {
            "stage": "frame",
            "categories": ["hate/symbol"],
            "backends": ["embedded"],
            "reason": "the embedded generator draws no symbols",
            "expires": "2027-01-01",
        }
    ]
    with pytest.raises(ManifestInvalid, match="ledger reference"):
        HumanDecision("jane@example.org", frozenset(), NOW)
    with pytest.raises(ManifestInvalid, match="time zone"):
        HumanDecision("rev_1", frozenset(), datetime(2026, 1, 1))


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@settings(max_examples=12, deadline=None)
@given(
    names=st.lists(words, min_size=1, max_size=4), count=st.integers(0, 2**62), weights=st.none() | st.just("aa" * 32)
)
def test_the_decision_survives_the_file(
    names: list[str], count: int, weights: str | None, video: Path, identity: SigningIdentity,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    """Whatever words and numbers policy and posture hold, they read back from the signed file as they were."""
    posture = tuple(PostureEntry(Stage.FRAME, name, "1", weights, None, count, 0) for name in names)
    decided = Decision("dec_0", Stage.FRAME, Action.ALLOW, {"id": "p", "version": names[0], "digest": "d"}, ())
    made = build_manifest(_origin(), GateRecord.of([decided], posture), names[0])
    target = tmp_path_factory.mktemp("round") / "a.mp4"
    found = publish(video, target, made, identity)
    assert (found.state, found.decision) == (State.TRUSTED, GateRecord.of([decided], posture).assertion())


def test_titles_are_made_plain(gate: GateRecord) -> None:
    """Control characters and lone surrogates of a file name do not reach the manifest, nor does an endless name."""
    assert build_manifest(_origin(), gate, "a\n\x1b[31mb\ud800.mp4").definition["title"] == "a  [31mb .mp4"
    assert build_manifest(_origin(), gate, "\n").definition["title"] == "untitled"
    assert len(build_manifest(_origin(), gate, "x" * 999).definition["title"]) == 255


def test_training_use_is_stated(gate: GateRecord) -> None:
    """The CAWG assertion says no to all four uses unless told otherwise."""
    for training, word in ((Training.NOT_ALLOWED, "notAllowed"), (Training.ALLOWED, "allowed")):
        entries = build_manifest(_origin(), gate, "t", training).definition["assertions"][1]["data"]["entries"]
        assert len(entries) == 4
        assert {entry["use"] for entry in entries.values()} == {word}


SPOILS: dict[str, Callable[[dict[str, Any]], object]] = {
    "an unknown action": lambda d: _action(d).update(action="c2pa.dreamed"),
    "a banana": lambda d: _action(d).update(digitalSourceType="banana"),
    "no source type": lambda d: _action(d).pop("digitalSourceType"),
    "no software agent": lambda d: _action(d).pop("softwareAgent"),
    "a local time": lambda d: _action(d).update(when="2026-01-01T00:00:00"),
    "an unknown field": lambda d: _action(d).update(mood="blue"),
    "no inception": lambda d: _action(d).update(action="c2pa.edited"),
    "two inceptions": lambda d: _actions(d)["actions"].append(copy.deepcopy(_action(d))),
    "no actions": lambda d: _actions(d)["actions"].clear(),
    "actions left out": lambda d: _actions(d).update(allActionsIncluded=False),
    "an ingredient that is not there": lambda d: _action(d)["parameters"].update(ingredientIds=["ghost"]),
    "a gathered assertion": lambda d: d["assertions"][2].update(created=False),
    "an unknown c2pa label": lambda d: d["assertions"][1].update(label="c2pa.training-mining"),
    "a label without a dot": lambda d: d["assertions"][1].update(label="assay"),
    "an assertion twice": lambda d: d["assertions"].append(copy.deepcopy(d["assertions"][1])),
    "no decision": lambda d: d["assertions"].pop(),
    "an empty decision": lambda d: d["assertions"][2]["data"].update(decisions=[]),
    "a refusal": lambda d: d["assertions"][2]["data"]["decisions"][0].update(action="block"),
    "a number too large": lambda d: d["assertions"][2]["data"]["posture"][0].update(items=2**63),
    "a float": lambda d: d["assertions"][2]["data"]["posture"][0].update(items=0.5),
    "a lone surrogate": lambda d: d["assertions"][2]["data"].update(schema="\ud800"),
    "a key that is no text": lambda d: d["assertions"][2]["data"].update({1: 2}),
    "another generator": lambda d: d["claim_generator_info"][0].update(name="Not Assay"),
    "no spec version": lambda d: d["claim_generator_info"][0].pop("specVersion"),
    "two generators": lambda d: d["claim_generator_info"].append(d["claim_generator_info"][0]),
    "an old claim": lambda d: d.update(claim_version=1),
    "a training use nobody defined": lambda d: d["assertions"][1]["data"]["entries"].update({"x": {"use": "allowed"}}),
}


def _actions(definition: dict[str, Any]) -> dict[str, Any]:
    return definition["assertions"][0]["data"]


def _action(definition: dict[str, Any]) -> dict[str, Any]:
    return _actions(definition)["actions"][0]


@pytest.mark.parametrize("name", SPOILS)
def test_what_breaks_a_rule_is_never_signed(
    name: str, gate: GateRecord, video: Path, folder: Path, identity: SigningIdentity
) -> None:
    """Each nonsense that the library would sign is refused: when a manifest is made, and when one is changed later."""
    whole = build_manifest(_origin(), gate, "t")
    spoiled = copy.deepcopy(dict(whole.definition))
    SPOILS[name](spoiled)
    with pytest.raises(ManifestInvalid):
        Manifest(spoiled)
    if name in ("a lone surrogate", "a key that is no text"):
        return  # JSON mends these on the way
    object.__setattr__(whole, "definition", spoiled)
    with pytest.raises(ManifestInvalid):
        publish(video, folder / "a.mp4", whole, identity)
    assert list(folder.iterdir()) == []


def test_an_opened_file_claims_no_source_type(manifest: Callable[..., Manifest]) -> None:
    """c2pa.opened carries no digitalSourceType and names what was opened."""
    opened = copy.deepcopy(dict(manifest(Kind.SCANNED).definition))
    ingredients = manifest(Kind.SCANNED).ingredients
    assert "digitalSourceType" not in _action(opened)
    _action(opened)["digitalSourceType"] = SourceType.TRAINED.uri
    with pytest.raises(ManifestInvalid, match="must not carry"):
        Manifest(opened, ingredients)
    del _action(opened)["digitalSourceType"], _action(opened)["parameters"]
    with pytest.raises(ManifestInvalid, match="must name its ingredient"):
        Manifest(opened, ingredients)


@pytest.mark.parametrize(
    ("fields", "words_"),
    [
        ({"digital_source_type": None}, "source type None"),
        ({"digital_source_type": SourceType.COMPOSITE}, "is not one of"),
        ({"inputs": (Path("a.png"),)}, "1 inputs"),
        ({"kind": Kind.IMAGE_TO_VIDEO}, "0 inputs"),
        ({"kind": Kind.SCANNED}, "is not one of"),
        ({"created_at": datetime(2026, 1, 1)}, "no time zone"),
        ({"weights_sha256": "abc"}, "no sha256"),
        ({"seed": -1}, "negative"),
        ({"model": " "}, "must be named"),
    ],
)
def test_an_impossible_origin_is_refused(fields: dict[str, Any], words_: str) -> None:
    """An origin that contradicts itself does not come to be."""
    whole: dict[str, Any] = {
        "kind": Kind.TEXT_TO_VIDEO, "model": "m", "version": "1", "created_at": NOW,
        "digital_source_type": SourceType.TRAINED,
    }  # fmt: skip
    with pytest.raises(ManifestInvalid, match=words_):
        Origin(**{**whole, **fields})


def test_a_manifest_is_plain_json(manifest: Callable[..., Manifest]) -> None:
    """A definition survives JSON unchanged, so what was validated is what is signed."""
    definition = manifest().definition
    assert json.loads(json.dumps(definition)) == definition
