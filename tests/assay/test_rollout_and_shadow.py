"""Policies at run time: who acts for which request, and that whoever only watches changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis, strategies as st

from assay.ledger import Ledger, State, now
from assay.rollout import Rollout, current, file_of, history, keep, known, load, policy_name, roll_out
from assay.shadow import comparisons, gauges, judge_in_shadow, unjudged
from media import UsageError
from safety import Circumstances, CorruptRecord, Examination, Item, Policy, Score, Stage, decide

PERMISSIVE = Policy.load("permissive")
UNDER = Circumstances(backend="embedded", on=date(2026, 11, 22), require_complete=False)
A, B = "a" * 64, "b" * 64


def variant(version: str, threshold: float, action: str = "block") -> Policy:
    """The permissive policy with one threshold for violent prompts, whatever else its rules say of them."""
    document = PERMISSIVE.document() | {"version": version}
    stage = {"stage": "prompt", "category": "violence/graphic"}
    document["rules"].append({"id": "one-more", **stage, "threshold": threshold, "action": action})
    return Policy.from_document(document, version)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield made
    made.close()


def decided(ledger: Ledger, value: float, policy: Policy = PERMISSIVE) -> str:
    """A job whose prompt every category scores 0, and violence so much."""
    job = ledger.open_job("generate", {"prompt": "x"}, ("worker-1", 60))
    item = Item.text(Stage.PROMPT, "prompt", "x")
    names = PERMISSIVE.categories_for(Stage.PROMPT)
    scores = [Score.measured(item, name, "toy@1", value if name == "violence/graphic" else 0.0) for name in names]
    seen = Examination((item,), tuple(scores), ())
    made = [decide(policy, [item], scores, UNDER)]
    ledger.record(job, seen, made, policy, "digest")
    ledger.settle(job, State.COMPLETED, action=made[0].action.word)
    return job


@given(id=st.text(max_size=40), small=st.floats(0, 100), more=st.floats(0, 100))
def test_share_is_the_same_for_the_same_request(id: str, small: float, more: float) -> None:
    """A request falls on the same side every time, and stays with the candidate when its share grows."""
    less, greater = sorted((small, more))
    first = Rollout(A, B, less).acts_for(id)
    assert first == Rollout(A, B, less).acts_for(id)
    assert first in (A, B)
    if first == B:
        assert Rollout(A, B, greater).acts_for(id) == B


@pytest.mark.parametrize("percent", [0.0, 1.0, 10.0, 50.0, 99.0, 100.0])
def test_share_is_what_was_asked_for(percent: float) -> None:
    """Over many requests the candidate's share is within five standard deviations of what was asked for."""
    n, p = 20_000, percent / 100
    got = sum(Rollout(A, B, percent).acts_for(f"job_{k:024x}") == B for k in range(n))
    assert abs(got - n * p) <= 5 * sqrt(n * p * (1 - p))


def test_another_candidate_shuffles_anew() -> None:
    """Those who had the last trial are not those who have the next."""
    both = [
        (Rollout(A, B, 10).acts_for(f"job_{k}") == B, Rollout(A, "c" * 64, 10).acts_for(f"job_{k}") != A)
        for k in range(5_000)
    ]
    assert sum(one and other for one, other in both) < 100


@pytest.mark.parametrize("percent", [-1.0, 100.1])
def test_share_has_bounds(percent: float) -> None:
    """A share is from 0 to 100, and needs a candidate."""
    with pytest.raises(UsageError):
        Rollout(A, B, percent)
    with pytest.raises(UsageError):
        Rollout(A, None, 5)


def test_newest_counts_and_a_tenant_has_its_own(ledger: Ledger, tmp_path: Path) -> None:
    """The newest roll-out counts, for a tenant its own; what is not kept cannot be rolled out."""
    folder, one, two = tmp_path / "policies", variant("one", 0.9), variant("two", 0.8)
    assert policy_name(ledger, folder, "job_1") is None
    with pytest.raises(CorruptRecord):
        roll_out(ledger, folder, Rollout(one.digest), "act_x")
    for policy in (one, two):
        keep(ledger, folder, policy)
    roll_out(ledger, folder, Rollout(one.digest), "act_x")
    roll_out(ledger, folder, Rollout(two.digest), "act_y", tenant="special")
    assert policy_name(ledger, folder, "job_1") == str(file_of(folder, one.digest))
    assert policy_name(ledger, folder, "job_1", "special") == str(file_of(folder, two.digest))
    assert [row.by for row in history(ledger)] == ["act_y", "act_x"]
    assert {row["digest"] for row in known(ledger)} == {one.digest, two.digest}


def test_kept_policy_is_proved_by_its_digest(ledger: Ledger, tmp_path: Path) -> None:
    """A file that somebody changed or broke is written anew from the ledger; a changed ledger is noticed."""
    folder, policy = tmp_path / "policies", variant("one", 0.9)
    keep(ledger, folder, policy)
    path = file_of(folder, policy.digest)
    for damage in ("{", path.read_text().replace('"version": "one"', '"version": "two"')):
        path.write_text(damage)
        assert load(ledger, folder, policy.digest).digest == policy.digest
        assert Policy.load(str(path)).digest == policy.digest
    path.unlink()
    assert load(ledger, folder, policy.digest).digest == policy.digest


@hypothesis(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.floats(0, 1), threshold=st.sampled_from([0.0, 0.4, 0.9]),
    action=st.sampled_from(["allow", "review", "block"]),
    acting=st.sampled_from([0.1, 0.6]),
)  # fmt: skip
def test_shadow_changes_no_action(
    tmp_path_factory: pytest.TempPathFactory, value: float, threshold: float, action: str, acting: float
) -> None:
    """Whatever a shadow policy says, job, decisions and action stay as they were; what it says is a row."""
    if not _ONCE:
        home = tmp_path_factory.mktemp("shadow")
        _ONCE.append((Ledger(f"sqlite:///{home / 'ledger.sqlite'}"), home))
    ledger, home = _ONCE[0]
    shadow = variant(f"shadow-{threshold}-{action}", threshold, action)
    keep(ledger, home, shadow)
    roll_out(ledger, home, Rollout(shadows=(shadow.digest,)), "act_x")
    job = decided(ledger, value, variant("acting", acting))
    before = _as_it_stands(ledger, job)
    assert judge_in_shadow(ledger, home, job) == 1
    assert _as_it_stands(ledger, job) == before
    would = decide(shadow, before["items"], before["scores"], UNDER).action.word
    assert (before["action"], would) in {
        (one.acted, one.would) for one in comparisons(ledger) if one.digest == shadow.digest
    }
    assert judge_in_shadow(ledger, home, job) == 0


_ONCE: list[tuple[Ledger, Path]] = []


def _as_it_stands(ledger: Ledger, job: str) -> dict[str, Any]:
    row, seen = ledger.job(job), ledger.examination(job)
    return {
        "state": row.state, "action": row.action, "updated": row.updated, "decisions": ledger.decisions(job),
        "items": list(seen.items), "scores": seen.scores,
    }  # fmt: skip


def test_differences_are_counted(ledger: Ledger, tmp_path: Path) -> None:
    """How often a shadow would have decided otherwise is counted, for reports and for metrics."""
    shadow = variant("stricter", 0.3)
    keep(ledger, tmp_path, shadow)
    roll_out(ledger, tmp_path, Rollout(shadows=(shadow.digest,)), "act_x")
    for value in (0.0, 0.1, 0.35, 0.95):
        decided(ledger, value)
    jobs = unjudged(ledger, now() - timedelta(hours=1))
    assert len(jobs) == 4
    for job in jobs:
        judge_in_shadow(ledger, tmp_path, job)
    assert unjudged(ledger, now() - timedelta(hours=1)) == []
    counted = {(one.acted, one.would): one.jobs for one in comparisons(ledger)}
    assert counted == {("allow", "allow"): 2, ("allow", "block"): 1, ("block", "block"): 1}
    assert {(g.labels["acted"], g.labels["would"], g.value) for g in gauges(ledger)} == {
        (acted, would, count) for (acted, would), count in counted.items()
    }


def test_shadow_that_asks_for_more_cannot_be_compared(ledger: Ledger, tmp_path: Path) -> None:
    """A shadow that asks for what nobody scored says that it cannot be compared, not that it would block."""
    document = PERMISSIVE.document() | {"version": "wider"}
    rule = {"id": "wider", "stage": "prompt", "category": "depiction/fire", "threshold": 0.5, "action": "block"}
    document["rules"].append(rule)
    shadow = Policy.from_document(document, "wider")
    keep(ledger, tmp_path, shadow)
    roll_out(ledger, tmp_path, Rollout(shadows=(shadow.digest,)), "act_x")
    judge_in_shadow(ledger, tmp_path, decided(ledger, 0.0))
    (one,) = comparisons(ledger)
    assert one.would is None
    assert {g.labels["would"] for g in gauges(ledger)} == {"not_comparable"}


def test_reload_while_requests_run(ledger: Ledger, tmp_path: Path) -> None:
    """While policies are exchanged, every request gets one that was in force, whole, and its decision cites it."""
    policies = [variant(f"v{n}", 0.9) for n in range(4)]
    for policy in policies:
        keep(ledger, tmp_path, policy)
    roll_out(ledger, tmp_path, Rollout(policies[0].digest), "act_x")
    url, got, errors, done = str(ledger.engine.url), [], [], threading.Event()

    def ask() -> None:
        own = Ledger(url)
        try:
            while not done.is_set():
                name = policy_name(own, tmp_path, f"job_{len(got)}")
                assert name is not None
                got.append(Policy.load(name).version)
        except Exception as error:  # noqa: BLE001 (told below)
            errors.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for policy in policies[1:]:
        before = len(got)
        while len(got) < before + 3 and not errors:
            done.wait(0.01)
        roll_out(ledger, tmp_path, Rollout(policy.digest), "act_x")
    before = len(got)
    while len(got) < before + 4 and not errors:
        done.wait(0.01)
    done.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert got[0] == "v0"
    assert got[-1] == "v3"
    assert current(ledger).acting == policies[3].digest
