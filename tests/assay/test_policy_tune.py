"""`assay policy tune`: the reach of a file is where its rule stops, rates hold, and the policy's text is only shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from run_toys import Seen, run_of

from assay.cli.main import run as assay
from assay.intervals import Share, at_most, clopper_pearson, needed_for, wilson
from assay.ledger import Ledger
from assay.replaying.policytext import difference, with_thresholds
from assay.replaying.tuning import ALWAYS, Asked, Labelled, _just_above, reach, tune
from media import UsageError
from safety import Absence, Examination, Policy, Rule, Score, Temporal, segments
from safety.policyfile import read_policy_text
from tests.safety.worlds import policy, rule as written, temporals, track, tracks, video

POLICY = Policy.load("default")


def rule(temporal: Temporal | None = None, **more: object) -> Rule:
    """A rule about hate in frames."""
    (one,) = [r for r in policy(written("more", "frame", "hate", 0.5, **more)).rules if r.id == "more"]  # type: ignore[arg-type]
    return one.model_copy(update={"temporal": temporal or Temporal()})


@hypothesis_settings(max_examples=80, deadline=None)
@given(st.integers(1, 12).flatmap(lambda n: tracks(video(n), "hate", "eye@1")), temporals, st.floats(0.01, 1.0))
def test_a_rule_finds_something_up_to_the_reach(one: object, temporal: dict[str, object], threshold: float) -> None:
    """For any temporal rule: at thresholds up to the reach a segment, above it none."""
    under = Temporal.model_validate(temporal)
    if under.instant is not None and under.instant < threshold:
        threshold = under.instant
    value = reach([one], rule(under))  # type: ignore[list-item]
    found = bool(segments(one, threshold, under))  # type: ignore[arg-type]
    assert found == (value is not None and value > 0 and value >= float(np.float16(threshold)))


def test_reaches_of_several_and_of_nobody() -> None:
    """The largest of the sources that the rule listens to; an instant that was reached is beyond any threshold."""
    item = video(3)
    heard = [track(item, "hate", [0.2, 0.4, 0.1]), track(item, "hate", [0.9] * 3, "ear@2")]
    assert reach(heard, rule()) == pytest.approx(0.9, abs=1e-3)
    assert reach(heard, rule(source="eye")) == pytest.approx(0.4, abs=1e-3)
    assert reach(heard, rule(Temporal(k=2, n=3), source="eye")) == pytest.approx(0.2, abs=1e-3)
    assert reach(heard, rule(Temporal(k=2, n=3, instant=0.8))) == ALWAYS
    assert reach([track(item, "hate", [Absence.FAILED] * 3)], rule()) is None
    assert reach([Score(item, "hate", "eye@1", 0.25)], rule()) == 0.25
    assert reach([], rule()) is None


@given(st.floats(0.0, 0.999))
def test_a_threshold_just_above_is_not_reached(value: float) -> None:
    """Three decimals, above the stored value after both are quantised, and by no more than that takes."""
    stored = float(np.float16(value))
    threshold = _just_above(stored)
    assert float(np.float16(threshold)) > stored
    assert float(np.float16(threshold - 0.001)) <= stored or threshold == 0.0


def files(innocent: list[float], violating: list[float]) -> list[Labelled]:
    """Labelled files of one frame each."""
    item = video(1)
    both = [(value, frozenset[str]()) for value in innocent] + [(value, frozenset({"hate"})) for value in violating]
    return [Labelled(Examination((item,), (track(item, "hate", [value]),)), said) for value, said in both]


def test_the_rate_is_held_and_the_recall_is_said() -> None:
    """Of 200 innocent files two may be flagged at 1 %; the threshold lies just above the third."""
    known = files([0.95, 0.9, 0.7, *[n / 1000 for n in range(197)]], [0.99, 0.8, 0.72, 0.5])
    (one,) = tune(policy(), known, Asked(0.01))
    assert one.threshold == pytest.approx(0.701, abs=1e-3)
    assert (one.flagged.hits, one.flagged.of) == (2, 200)
    assert (one.found.hits, one.found.of) == (3, 4)
    assert (one.flagged.low, one.flagged.high) == clopper_pearson(2, 200)
    assert (one.flagged_before.hits, one.found_before.hits) == (2, 2)
    assert "to show 1 % takes 299" in one.why


def test_confidence_needs_enough_files() -> None:
    """With 200 innocent files 1 % cannot be shown; with 400 none may be flagged; with 2,000 a few may."""
    few = tune(policy(), files([n / 1000 for n in range(200)], [0.9]), Asked(0.01, confident=True))[0]
    assert few.threshold is None
    assert "299" in few.why
    some = tune(policy(), files([0.6, *[n / 1000 for n in range(399)]], [0.9]), Asked(0.01, confident=True))[0]
    assert some.threshold is not None
    assert some.flagged.hits == 0
    many = tune(policy(), files(np.linspace(0, 0.9, 2000).tolist(), [0.9]), Asked(0.01, confident=True))[0]
    assert 8 <= many.flagged.hits <= 19
    assert at_most(many.flagged.hits, 2000) <= 0.01


def test_where_no_threshold_helps_it_is_said() -> None:
    """Innocent files at 1.0, or above an `instant`, and labels without an innocent file: a reason, no number."""
    assert "score 1.0" in tune(policy(), files([1.0] * 9, [0.9]), Asked(0.01))[0].why
    assert "no innocent file" in tune(policy(), files([], [0.9]), Asked(0.01))[0].why
    assert "every one of them" in tune(policy(), files([0.5], [0.9]), Asked(0.9999999999))[0].why
    instant = policy(written("more", "frame", "hate", 0.5, "review", temporal={"k": 2, "n": 2, "instant": 0.7}))
    reviewed = [one for one in tune(instant, files([0.8] * 9, []), Asked(0.01, 0.01)) if one.rule.id == "more"]
    assert "raise it first" in reviewed[0].why
    longer = [Labelled(Examination((video(2),), (track(video(2), "hate", [0.7, 0.69]),)), frozenset[str]())] * 9
    near = policy(written("more", "frame", "hate", 0.5, "review", temporal={"k": 2, "n": 2, "instant": 0.701}))
    assert any(one.threshold is not None for one in tune(near, longer, Asked(0.01, 0.01)) if one.rule.id == "more")


def test_intervals_are_as_published() -> None:
    """Clopper-Pearson and Wilson against known values; one-sided bounds; the rule of three."""
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.30850), abs=1e-5)
    assert clopper_pearson(5, 10) == pytest.approx((0.18709, 0.81291), abs=1e-5)
    assert clopper_pearson(10, 10) == pytest.approx((0.69150, 1.0), abs=1e-5)
    assert clopper_pearson(8_000, 10_000) == pytest.approx((0.79203, 0.80780), abs=1e-4)
    assert wilson(5, 10) == pytest.approx((0.23659, 0.76341), abs=1e-5)
    assert wilson(0, 10)[0] == 0.0
    assert at_most(0, 299) <= 0.01 < at_most(0, 298)
    assert at_most(3, 3) == 1.0
    assert needed_for(0.01) == 299
    assert str(Share.exact(0, 0)) == "nothing to count"
    assert str(Share.scored(5, 10)).startswith("50.00 % [23.66, 76.34]")


@pytest.mark.parametrize("name", ["default", "permissive", "demo"])
def test_only_thresholds_change_in_the_text(name: str) -> None:
    """Written rules are changed where they stand, inherited ones are named; comments stay."""
    text, origin = read_policy_text(name)
    new = with_thresholds(text, origin, {"frame-hate-block": 0.912, "prompt-hate-block": 0.7})
    made = {rule.id: rule.threshold for rule in Policy.parse(new, origin).rules}
    assert (made["frame-hate-block"], made["prompt-hate-block"]) == (0.912, 0.7)
    kept = {rule.id: rule.threshold for rule in Policy.parse(text, origin).rules}
    assert {id for id in kept if kept[id] != made[id]} == {"frame-hate-block", "prompt-hate-block"}
    assert [line for line in text.splitlines() if line.lstrip().startswith("#")] == [
        line for line in new.splitlines() if line.lstrip().startswith("#")
    ]
    shown = difference(text, new, origin)
    assert shown.startswith(f"--- a/{origin}")
    assert sum(line.startswith("+") and not line.startswith("+++") for line in shown.splitlines()) <= 3


def test_a_text_that_cannot_be_changed_is_refused() -> None:
    """Rules in one flow of brackets take no new line; a document without rules gets a list."""
    head = "extends: default\nid: x\nversion: '1'\ndescription: words\n"
    with pytest.raises(UsageError, match="edit it by hand"):
        with_thresholds(head + "rules: [{id: frame-sexual-block, threshold: 0.9}]\n", "x", {"frame-hate-block": 0.9})
    assert "rules:\n  - {id: frame-hate-block" in with_thresholds(head.rstrip(), "x", {"frame-hate-block": 0.9})
    with pytest.raises(UsageError, match="edit it by hand"):
        with_thresholds(head + "rules: []\n", "x", {"frame-hate-block": 0.9})


def test_the_command_shows_a_diff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a run and a CSV to thresholds with intervals and a diff; the policy's file is as it was."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    ledger = Ledger(f"sqlite:///{tmp_path / 'home' / 'ledger.sqlite'}")
    seen = [Seen(f"calm-{n}.mp4", {"hate": [0.1 + n / 100] * 2}) for n in range(12)]
    seen += [Seen("hate.mp4", {"hate": [0.6] * 2}), Seen("short.mp4", {"hate": [0.9]}, stopped="early")]
    run_of(ledger, POLICY, seen)
    ledger.close()
    mine, labels = tmp_path / "mine.yaml", tmp_path / "labels.csv"
    mine.write_text("# mine\nextends: default\nid: mine\nversion: '1'\ndescription: words\n")
    labels.write_text("path,violates\n" + "".join(f"{one.name},none\n" for one in seen[:12]) + "hate.mp4,hate\n"
                      "short.mp4,hate\nelsewhere.mp4,none\n")  # fmt: skip
    told = ["policy", "tune", "latest", str(labels), "--policy", str(mine), "--fpr", "0.01"]
    assert assay(told) == 0
    shown = capsys.readouterr()
    assert "frame-hate-block (block): 0.8 -> 0.211" in shown.out
    assert "+  - {id: frame-hate-block, threshold: 0.211}" in shown.out
    assert "1 labelled files were scanned only in part" in shown.err
    assert mine.read_text().endswith("words\n")
    assert assay([*told, "--json", "--review-fpr", "0.05"]) == 0
    *rules, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert {row["rule"] for row in rules} == {"frame-hate-block", "frame-hate-review"}
    assert last["diff"].startswith("--- a/")
    assert assay([*told, "--diff", str(tmp_path / "d.diff")]) == 0
    assert "frame-hate-block" in (tmp_path / "d.diff").read_text()
    assert assay([*told, "--diff", str(tmp_path / "d.diff")]) == 1
    assert assay([*told, "--confident"]) == 4
    labels.write_text("path,violates\nelsewhere.mp4,none\n")
    assert assay(told) == 1
