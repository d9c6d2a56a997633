"""`assay audit statement`: valid under its schema, true to the record, and without a word of the user's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from run_toys import Seen, run_of

from assay.cli.main import run as assay
from assay.errors import JobNotFound
from assay.ledger import DecisionRow, JobRow, Ledger, now
from assay.statements.drafting import CATEGORIES, SOURCES, VISIBILITIES, Said, schema, statement, validated
from assay.statements.finding import Found, find
from media import UsageError
from safety import CATEGORIES as OURS, Policy

POLICY = Policy.load("default")
SECRET = "secret-name-of-a-file.mp4"
LOUD = Seen(SECRET, {"hate": [0.1, 0.95, 0.9, 0.1], "sexual": [0.85] * 4}, text="words that somebody wrote")
FILES = [LOUD, Seen("calm.mp4", {"hate": [0.0]}), Seen("doubt.mp4", {"hate": [0.6] * 3}),
         Seen("odd.mp4", {"hate": [0.6, None]})]  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    made = Ledger(f"sqlite:///{tmp_path / 'home' / 'ledger.sqlite'}")
    run_of(made, POLICY, FILES)
    yield made
    made.close()


def test_the_schema_is_one() -> None:
    """The schema is itself valid, names every category we map to, and every word of the command leads to a value."""
    Draft202012Validator.check_schema(schema())
    known = set(schema()["properties"]["category"]["enum"])
    assert {f"STATEMENT_CATEGORY_{name}" for name in CATEGORIES.values()} <= known
    assert set(CATEGORIES) <= set(OURS)
    assert set(SOURCES.values()) == set(schema()["properties"]["source_type"]["enum"])


def test_a_block_is_stated(ledger: Ledger) -> None:
    """Ground, categories, facts with seconds and models, no person: all from the record."""
    found = find(ledger, LOUD.sha256)
    made = statement(found, POLICY, Said("removed", date(2026, 11, 1), "article-16", "https://example.org/t", ("de",)))
    assert made["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_REMOVED"]
    assert made["category"] == "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH"
    assert made["category_addition"] == ["STATEMENT_CATEGORY_OTHER_VIOLATION_TC"]
    assert made["content_type"] == ["CONTENT_TYPE_VIDEO"]
    assert (made["content_date"], made["source_type"]) == ("2026-11-01", "SOURCE_ARTICLE_16")
    assert made["territorial_scope"] == ["DE"]
    assert made["automated_decision"] == "AUTOMATED_DECISION_FULLY"
    assert made["puid"] == found.decision.decision
    assert "hate: scored 0.95 by eye@1 from 0.10 s to 0.30 s" in made["decision_facts"]
    assert "No person took part" in made["decision_facts"]
    assert "frame-hate-block" in made["incompatible_content_ground"]
    assert POLICY.categories["hate"].definition in made["incompatible_content_explanation"]


def test_nothing_personal_leaves(ledger: Ledger) -> None:
    """No name of a file and no text that was read or written stands in a statement."""
    words = json.dumps(statement(find(ledger, LOUD.sha256), POLICY, Said()))
    assert SECRET not in words
    assert "somebody wrote" not in words


def test_the_same_decision_by_each_of_its_names(ledger: Ledger) -> None:
    """By its own id, its job's, and the hash of the file; anything else is not there."""
    by_hash = find(ledger, LOUD.sha256)
    assert find(ledger, by_hash.job.id).decision.decision == by_hash.decision.decision
    assert find(ledger, by_hash.decision.decision).job.id == by_hash.job.id
    for unknown in ("dec_none", "job_none", "a" * 64, "latest"):
        with pytest.raises(JobNotFound, match="no decision"):
            find(ledger, unknown)


def test_an_allow_has_no_statement(ledger: Ledger) -> None:
    """Where nothing was restricted there is nothing to state."""
    with pytest.raises(UsageError, match="of a restriction"):
        statement(find(ledger, FILES[1].sha256), POLICY, Said())


def by_person(ledger: Ledger, found: Found, action: str) -> Found:
    """A person decides about the same job."""
    with ledger.write() as session:
        session.add(DecisionRow(job=found.job.id, decision=f"rev_{action}", stage="frame", action=action,
                                body={"reviewer": "r1", "action": action}, made=now()))  # fmt: skip
    return find(ledger, found.job.id)


def test_a_person_counts(ledger: Ledger) -> None:
    """A refusal after review is partly automated; an approval ends the restriction."""
    held = find(ledger, FILES[2].sha256)
    made = statement(held, POLICY, Said())
    assert made["decision_visibility"] == ["DECISION_VISIBILITY_OTHER"]
    assert "until a person has decided" in made["decision_visibility_other"]
    refused = statement(by_person(ledger, held, "block"), POLICY, Said())
    assert refused["automated_decision"] == "AUTOMATED_DECISION_PARTIALLY"
    assert "A person looked at it" in refused["decision_facts"]
    with pytest.raises(UsageError, match="a person decided otherwise"):
        statement(by_person(ledger, held, "allow"), POLICY, Said())


def test_what_could_not_be_judged_is_a_fact(ledger: Ledger) -> None:
    """A frame without a score is named as that, not as a finding."""
    made = statement(find(ledger, FILES[3].sha256), POLICY, Said())
    assert "hate: could not be judged by eye@1 (failed)." in made["decision_facts"]


@pytest.mark.parametrize(
    ("kind", "stage", "types"),
    [
        ("generate", "frame", ["CONTENT_TYPE_VIDEO", "CONTENT_TYPE_SYNTHETIC_MEDIA"]),
        ("generate", "prompt", ["CONTENT_TYPE_TEXT"]),
        ("generate", "input image", ["CONTENT_TYPE_IMAGE"]),
        ("generate", "input video", ["CONTENT_TYPE_VIDEO"]),
    ],
)
def test_the_type_of_content_follows_the_stage(ledger: Ledger, kind: str, stage: str, types: list[str]) -> None:
    """What was generated is synthetic media; a prompt is text; what was brought along is not ours."""
    found = find(ledger, LOUD.sha256)
    job = JobRow(id="job_x", kind=kind, created=now())
    body = {**found.decision.body, "reasons": [{**one, "note": "x" * 9000, "rule": "r" * 600}
                                               for one in found.decision.body["reasons"] * 40]}  # fmt: skip
    decision = DecisionRow(decision="dec_x", stage=stage, action="block", body=body, made=now())
    made = statement(Found(decision, job, None), POLICY, Said())
    assert made["content_type"] == types
    assert "not released" in made["decision_visibility_other"]
    assert len(made["incompatible_content_ground"]) == 500


def test_what_the_schema_refuses_is_named() -> None:
    """A wrong country, a date that is none, a missing reason: each by its field."""
    with pytest.raises(UsageError, match="would not be accepted") as refused:
        validated({"territorial_scope": ["Germany"], "decision_visibility": ["DECISION_VISIBILITY_OTHER"],
                   "content_date": "2026-13-01"})  # fmt: skip
    for words in ("territorial_scope.0", "decision_visibility_other", "'puid' is a required property", "content_date"):
        assert words in str(refused.value)


@pytest.mark.parametrize("word", VISIBILITIES)
def test_each_visibility_is_valid(ledger: Ledger, word: str) -> None:
    """Every word that the command takes gives a valid statement."""
    assert statement(find(ledger, LOUD.sha256), POLICY, Said(word))["decision_visibility"]


def test_the_command(ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On stdout or into a file; what is not known is said on stderr; usage errors leave nothing."""
    assert assay(["audit", "statement", LOUD.sha256, "--visibility", "disabled"]) == 0
    shown = capsys.readouterr()
    Draft202012Validator(schema()).validate(json.loads(shown.out))
    assert "say --content-date" in shown.err
    path = tmp_path / "s.json"
    told = ["audit", "statement", LOUD.sha256, "--content-date", "2026-10-01", "-o", str(path)]
    assert assay(told) == 0
    assert json.loads(path.read_text())["content_date"] == "2026-10-01"
    assert assay(["audit", "statement", "dec_none"]) == 1
    assert assay([*told[:-1], str(tmp_path / "no" / "s.json")]) == 1
    assert assay([*told[:-2], "--territory", "Germany"]) == 1
