"""`assay policy replay`: the decisions of that day again, what another policy would say, and when it refuses to say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_toys import DIGEST, Seen, failed, run_of
from sqlalchemy import delete, update

from assay.batch.installation import installation_key
from assay.batch.store import Store
from assay.batch.tables import RunRow
from assay.cli.main import run as assay
from assay.ledger import Ledger, ScoreRow
from assay.replaying.again import Replay
from assay.replaying.records import Records, whole_decision
from assay.replaying.scoring import Objections, ThisInstallation, Ways
from assay.replaying.tables import GistRow
from assay.settings import Settings
from safety import Absence, CorruptRecord, Policy, Stage, Track

POLICY = Policy.load("default")
FILES = [
    Seen("calm.mp4", {"sexual": [0.1] * 6, "hate": [0.2] * 6}),
    Seen("again.mp4", {"sexual": [0.1] * 6, "hate": [0.2] * 6}, content="calm.mp4"),
    Seen("loud.mp4", {"sexual": [0.1, 0.9, 0.9, 0.1], "hate": [0.0] * 4}, text="words"),
    Seen("middling.mp4", {"sexual": [0.0] * 4, "hate": [0.0, 0.6, 0.6, 0.0]}),
    Seen("broken.mp4", {"sexual": [0.0, None, 0.0], "hate": [Absence.UNSUPPORTED] * 3}),
]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path / 'home' / 'ledger.sqlite'}")
    yield made
    made.close()


def changed(threshold: float, *, rule: str = "frame-hate-review", **more: Any) -> Policy:
    """The default policy with another threshold, or other fields of the document."""
    document = POLICY.document()
    for one in document["rules"]:
        if one["id"] == rule:
            one["threshold"] = threshold
    return Policy.from_document({**document, "id": "other", **more}, "test")


def replayed(ledger: Ledger, run: str, policy: Policy, *, whole: bool = False) -> tuple[Replay, dict[str, Any]]:
    """A replay and its lines by path, with scores taken as they stand."""
    replay = Replay(Records(ledger), policy, Objections(policy, None), whole=whole)
    return replay, {row["path"]: row for one in replay.over(run) for row in one.rows()}


@pytest.mark.parametrize("whole", [False, True])
def test_under_the_policy_of_that_day_nothing_differs(ledger: Ledger, whole: bool) -> None:
    """Every decision comes out with the id and the action that were recorded, duplicates and absences included."""
    run = run_of(ledger, POLICY, FILES, failed("none.mp4"))
    replay, rows = replayed(ledger, run, POLICY, whole=whole)
    assert sorted(rows) == sorted(one.name for one in FILES)
    assert all(row["same"] is True and not row["changed"] for row in rows.values())
    assert replay.unfolded == (0 if whole else 2)
    assert replay.counts == {("allow", "allow"): 2, ("block", "block"): 1, ("review", "review"): 2}


def test_under_another_policy_what_would_change(ledger: Ledger) -> None:
    """A raised threshold lets one file go, and says so of that file alone; maxima first equals everything unpacked."""
    run = run_of(ledger, POLICY, FILES)
    policy = changed(0.7)
    replay, rows = replayed(ledger, run, policy)
    assert {name for name, row in rows.items() if row["changed"]} == {"middling.mp4"}
    assert rows["middling.mp4"]["action"] == "allow"
    assert rows["loud.mp4"]["same"] is None
    assert replay.unfolded == 1
    for record in replay._records.of(run):
        assert replay.one(record).decisions == (whole_decision(replay._records, record, Stage.FRAME, policy),)


def test_gists_are_made_where_there_are_none(ledger: Ledger) -> None:
    """A run from before there were gists is replayed like any other, and has gists from then on."""
    run = run_of(ledger, POLICY, FILES)
    Records(ledger)
    with ledger.write() as session:
        session.execute(delete(GistRow))
    assert all(row["same"] for row in replayed(ledger, run, POLICY)[1].values())
    with ledger.write() as session:
        assert session.query(GistRow).count() == 4


@pytest.mark.parametrize("whole", [False, True])
def test_a_ledger_that_was_changed_is_found(ledger: Ledger, whole: bool) -> None:
    """A score that somebody lowered afterwards is not decided from in silence."""
    run = run_of(ledger, POLICY, FILES)
    replayed(ledger, run, POLICY)
    with ledger.write() as session:
        kept = session.query(ScoreRow).filter(ScoreRow.maximum > 0.85).one()
        track = Track.from_bytes(kept.track or b"")
        lower = replace(track, values=track.values * 0)
        session.execute(update(ScoreRow).where(ScoreRow.key == kept.key).values(track=lower.to_bytes()))
    if whole:
        assert [name for name, row in replayed(ledger, run, POLICY, whole=True)[1].items() if not row["same"]] == [
            "loud.mp4"
        ]
    else:
        with pytest.raises(CorruptRecord, match="not the one that was recorded"):
            replayed(ledger, run, POLICY)


def test_a_score_that_is_gone_is_found(ledger: Ledger) -> None:
    """Where a track was deleted, nobody decides from what is left."""
    run = run_of(ledger, POLICY, FILES)
    replayed(ledger, run, POLICY)
    with ledger.write() as session:
        session.execute(delete(ScoreRow))
    with pytest.raises(CorruptRecord, match="score the file again"):
        replayed(ledger, run, POLICY)


def test_an_early_stop_is_refused(ledger: Ledger) -> None:
    """Where the walk ended early, the rest is not known, and the file is named with that reason."""
    stopped = Seen("short.mp4", {"sexual": [0.9] * 3, "hate": [0.0] * 3}, stopped="at the first block")
    run = run_of(ledger, POLICY, [*FILES, stopped])
    replay, rows = replayed(ledger, run, changed(0.7))
    assert rows["short.mp4"]["action"] is None
    assert "at the first block" in rows["short.mp4"]["refused"]
    assert sum(replay.refusals.values()) == 1
    assert replay.counts["block", "refused"] == 1


def test_a_category_that_nobody_was_asked_about_is_refused(ledger: Ledger) -> None:
    """A new policy with a rule of a new category does not call silence a failure: it says that nobody was asked."""
    run = run_of(ledger, POLICY, FILES)
    rule = {**next(r for r in POLICY.document()["rules"] if r["id"] == "frame-hate-block"), "category": "harassment"}
    more = changed(0.5, rules=[*POLICY.document()["rules"], {**rule, "id": "frame-harassment"}])
    assert {row["refused"] for row in replayed(ledger, run, more)[1].values()} == {
        "nobody was asked about harassment at stage 'frame'; scan the files again"
    }
    files = changed(0.5, rules=[*POLICY.document()["rules"], {**rule, "id": "file-hate", "stage": "file"}])
    assert all("stage 'file'" in row["refused"] for row in replayed(ledger, run, files)[1].values())


def test_other_words_for_image_text_models_are_refused(ledger: Ledger) -> None:
    """Descriptions that image-text models score by are a part of the scores."""
    run = run_of(ledger, POLICY, FILES[:1])
    document = POLICY.document()
    document["categories"]["hate"]["zero_shot"] = ["a poster with other words"]
    rows = replayed(ledger, run, Policy.from_document(document, "test"))[1]
    assert "in other words" in rows["calm.mp4"]["refused"]


class Here:
    """An installation with one model, which it uses where the policy asks about hate."""

    def __init__(self, digest: str = DIGEST, models: frozenset[tuple[str, str]] | None = None) -> None:
        self.digest, self.models = digest, models
        self.zero_shot, self.covering = POLICY.zero_shot_digest, ()

    def vouches(self, recorded: str, then: Policy, now: Policy) -> bool:
        return False

    def ways(self, policy: Policy) -> Ways:
        if policy.digest == POLICY.digest:
            return Ways(self.digest, frozenset({("eye@1", "b")}), POLICY.zero_shot_digest, ())
        models = frozenset({("eye@1", "b")}) if self.models is None else self.models
        return Ways("7" * 64, models, self.zero_shot, self.covering)


def test_scores_by_other_models_are_refused(ledger: Ledger) -> None:
    """Where this installation would score otherwise, replay says so, with both digests; fewer models do no harm."""
    run = run_of(ledger, POLICY, FILES[:1])
    other = changed(0.7)
    (record,) = Records(ledger).of(run)

    def said(here: Here, policy: Policy = other) -> str:
        return Objections(policy, here).to(record, POLICY) or ""

    assert said(Here(), POLICY) == ""
    assert said(Here()) == ""
    assert said(Here(models=frozenset())) == ""
    assert "would score under 999999999999" in said(Here("9" * 64))
    assert "asks for ear@2, which did not look" in said(Here(models=frozenset({("ear@2", "c")})))
    worded, near = Here(), Here()
    worded.zero_shot, near.covering = "other", (2.0, "other")
    assert "in other words" in said(worded)
    assert "covered depended on the thresholds" in said(near)


def test_an_installation_whose_files_are_the_same_is_not_assembled(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where files and settings are those that made the scores no model is loaded, for the same policy and for another
    that asks about no more; for one that asks more, or after a setting changed, the models are asked.
    """
    settings = Settings(home=tmp_path / "home", frame_classifiers=("canary",), nudenet="off")
    run = run_of(ledger, POLICY, FILES[:1])
    key = installation_key(settings, POLICY)
    with ledger.write() as session:
        session.execute(update(RunRow).where(RunRow.id == run).values(installation=key, scoring_digest=DIGEST))
    here = ThisInstallation(settings, Store(ledger).scoring_of)
    monkeypatch.setattr(here, "_assembled", lambda policy: pytest.fail("models were loaded"))
    (record,) = Records(ledger).of(run)
    assert Objections(POLICY, here).to(record, POLICY) is None
    assert Objections(changed(0.7), here).to(record, POLICY) is None
    assert not here.vouches("9" * 64, POLICY, POLICY)
    assert not here.vouches(DIGEST, POLICY, Policy.load("demo"))  # asks for the canary, too
    other = settings.model_copy(update={"nudenet": "on"})
    assert not ThisInstallation(other, Store(ledger).scoring_of).vouches(DIGEST, POLICY, POLICY)
    near = settings.model_copy(update={"scan": settings.scan.model_copy(update={"epsilon": 1.0})})
    assert not ThisInstallation(near, lambda key: DIGEST).vouches(DIGEST, POLICY, changed(0.7))


def test_the_command_tells_refuses_and_proves(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON lines, one a path; a summary in words; exit code 4 where something was refused, 1 where there is no run."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    run = run_of(ledger, POLICY, FILES)
    assert assay(["policy", "replay", "latest", "--policy", "default", "--as-scored", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["same"] for row in rows] == [True] * 5
    new = tmp_path / "new.yaml"
    new.write_text(
        "extends: default\nid: new\nversion: '1'\ndescription: fewer reviews of hate\n"
        "rules:\n  - {id: frame-hate-review, threshold: 0.7}\n"
    )
    kept = tmp_path / "again.jsonl"
    assert assay(["policy", "replay", run, "--policy", str(new), "--as-scored", "--changed", "--out", str(kept)]) == 0
    assert "1 would change" in capsys.readouterr().out
    (line,) = kept.read_text().splitlines()
    assert json.loads(line)["path"] == "middling.mp4"
    new.write_text(new.read_text() + "categories:\n  hate:\n    definition: Attacks people for who they are.\n"
                   "    violates: [a]\n    allows: [b]\n    zero_shot: [other words]\n")  # fmt: skip
    assert assay(["policy", "replay", run, "--policy", str(new), "--as-scored"]) == 4
    assert "refused for 5 files" in capsys.readouterr().err
    assert assay(["policy", "replay", "run_none", "--policy", "default"]) == 1
    assert assay(["policy", "replay", run, "--policy", "default", "--out", str(tmp_path / "no" / "where.jsonl")]) == 1


def test_the_command_compares_with_this_machine(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --as-scored, scores of models that are not here are refused with exit code 4."""
    for name, value in {"HOME": str(tmp_path / "home"), "PROMPT_CLASSIFIERS": '["assay_toys:CalmPrompt"]',
                        "FRAME_CLASSIFIERS": '["assay_toys:CalmFrame"]', "NUDENET": "off"}.items():  # fmt: skip
        monkeypatch.setenv(f"ASSAY_{name}", value)
    run = run_of(ledger, POLICY, FILES)
    assert assay(["policy", "replay", run, "--policy", "default"]) == 4
    assert "would score under" in capsys.readouterr().err
