"""Emergency rules over the released, strikes, and erasing words: what stays, what goes, what cannot be said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from assay import emergency, strikes, withdrawal
from assay.appeals import appeal, appeals, decide_appeal
from assay.auditing.erasing import erase_ended, erase_words, proves
from assay.auditing.proving import entries_of
from assay.auditing.pseudonyms import PseudonymKeyUnusable, Pseudonyms
from assay.auditing.reading import LedgerChain
from assay.auditing.sealing import seal
from assay.auditing.signing import known_keys
from assay.auditing.tables import OpeningRow
from assay.auditing.verifying import verify
from assay.emergency import EmergencyRule, Swept, declare, in_force, lift, strengthened, sweep
from assay.errors import JobNotFound, ReviewClosed
from assay.ledger import JobRow, Ledger, State, now
from assay.strikes import StrikeRow, standing, strike
from assay.withdrawal import Order
from media import MediaError, UsageError
from safety import Absence, Circumstances, Examination, Item, Policy, Score, Stage, Strikes, decide
from safety.policy import StrikeLevel

POLICY = Policy.load("permissive")
UNDER = Circumstances(backend="embedded", on=date(2026, 11, 22), require_complete=False)
ORDER = Order("act_admin", "an incident")
FILE = Item(Stage.FRAME, "frames", "f" * 64, 1)
TERMS = Strikes(
    categories=("violence/graphic",), window_days=30,
    levels=(StrikeLevel(strikes=2, cool_down_h=1), StrikeLevel(strikes=3, cool_down_h=48)),
)  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield made
    made.close()


def seen(value: float | Absence | None) -> Examination:
    """One frame, scored for violence alone; None: nobody asked."""
    if value is None:
        return Examination((FILE,), (), ())
    if isinstance(value, Absence):
        return Examination((FILE,), (Score.absent(FILE, "violence/graphic", "toy@1", value),), ())
    return Examination((FILE,), (Score.measured(FILE, "violence/graphic", "toy@1", value),), ())


def released(ledger: Ledger, value: float | Absence | None, path: Path | None = None) -> str:
    """A job that was released, with the scores of then, and its file where there is one."""
    job = ledger.open_job("generate", {"prompt": "a secret wish"}, ("worker-1", 60))
    examination = seen(value)
    made = [decide(POLICY, [FILE], examination.scores, UNDER)]
    ledger.record(job, examination, made, POLICY, "digest")
    ledger.settle(job, State.COMPLETED, action="allow")
    if path is not None:
        path.write_bytes(b"video")
        asset = {"path": str(path), "sha256": "0" * 64, "manifest_state": "trusted"}
        with ledger.write() as session:
            session.execute(update(JobRow).where(JobRow.id == job).values(asset=asset))
    return job


def rule(threshold: float = 0.5, *, take_down: bool = True, action: str = "block") -> EmergencyRule:
    return EmergencyRule("frame", "violence/graphic", threshold, action, take_down=take_down)


def test_stored_scores_decide_what_is_taken_down(ledger: Ledger, tmp_path: Path) -> None:
    """What reaches the rule is taken down, file and all; what does not stays; nothing is looked at twice."""
    high, low = released(ledger, 0.7, tmp_path / "a.mp4"), released(ledger, 0.3, tmp_path / "b.mp4")
    id = declare(ledger, POLICY, rule(), ORDER)
    assert sweep(ledger) == Swept(clear=1, taken_down=1)
    assert sweep(ledger) == Swept()
    assert withdrawal.withdrawn(ledger, high) is not None
    assert withdrawal.withdrawn(ledger, low) is None
    assert [(tmp_path / name).exists() for name in ("a.mp4", "b.mp4")] == [False, True]
    lift(ledger, id, ORDER)
    assert sweep(ledger) == Swept()
    assert withdrawal.withdrawn(ledger, high) is not None
    with pytest.raises(JobNotFound):
        lift(ledger, id, ORDER)


def test_what_nobody_scored_is_scanned_again(ledger: Ledger, tmp_path: Path) -> None:
    """Where stored scores say nothing the file is scanned; where it is gone or will not scan, that is what is said."""
    for number, value in enumerate((None, Absence.FAILED, None)):
        released(ledger, value, tmp_path / f"{number}.mp4")
    gone = released(ledger, None)
    id = declare(ledger, POLICY, rule(), ORDER)
    assert sweep(ledger) == Swept(unknown=1)

    def rescan(path: Path) -> Examination:
        if path.name == "2.mp4":
            raise MediaError("broken")
        return seen(0.9 if path.name == "0.mp4" else 0.1)

    assert sweep(ledger, rescan) == Swept(clear=1, taken_down=1, unknown=1)
    rows = {row.job: row for row in emergency.sweeps(ledger, id)}
    assert (rows[gone].came, rows[gone].by) == ("unknown", "nobody")
    assert sorted(row.by for row in rows.values()) == ["nobody", "scan", "scan", "scan"]
    assert any("MediaError" in (row.why or "") for row in rows.values())


def test_rule_that_only_lists_takes_nothing_down(ledger: Ledger, tmp_path: Path) -> None:
    """Without `take_down` a rule says what it finds and leaves it up."""
    job = released(ledger, 0.7, tmp_path / "a.mp4")
    declare(ledger, POLICY, rule(take_down=False), ORDER)
    assert sweep(ledger) == Swept(found=1)
    assert withdrawal.withdrawn(ledger, job) is None


def test_rule_only_adds(ledger: Ledger) -> None:
    """A rule makes every policy stricter and none laxer; the version says so; rules do not stack twice."""
    with pytest.raises(UsageError, match="cannot allow"):
        declare(ledger, POLICY, rule(action="allow"), ORDER)
    assert in_force(ledger, POLICY) is POLICY
    id = declare(ledger, POLICY, rule(0.2), ORDER)
    stricter = in_force(ledger, POLICY)
    assert stricter.version.startswith(f"{POLICY.version}+emergency.")
    assert in_force(ledger, stricter) is stricter
    assert set(POLICY.rules) < set(stricter.rules)
    for value in (0.0, 0.3, 0.9):
        before, after = (decide(one, [FILE], seen(value).scores, UNDER) for one in (POLICY, stricter))
        assert after.action >= before.action
    again = strengthened(stricter, [("emg_x", rule())])
    assert again.version.count("+emergency.") == 1
    assert again.version != stricter.version
    lift(ledger, id, ORDER)
    assert in_force(ledger, POLICY) is POLICY


def test_processes_notice_by_a_file(ledger: Ledger, tmp_path: Path) -> None:
    """The file beside an SQLite ledger changes with every rule that comes or goes, and is empty without any."""
    path = tmp_path / "ledger.sqlite.emergency"
    said = []
    first = declare(ledger, POLICY, rule(), ORDER)
    said.append(path.read_text())
    declare(ledger, POLICY, rule(0.9), ORDER)
    said.append(path.read_text())
    lift(ledger, first, ORDER)
    said.append(path.read_text())
    assert len(set(said)) == 3
    assert emergency.state(str(ledger.engine.url)) == said[-1]
    path.write_text("stale")
    emergency.mark(ledger)
    assert path.read_text() == said[-1]


def refused(ledger: Ledger, actor: str | None = "act_1", value: float = 0.99, stage: Stage = Stage.PROMPT) -> str:
    """A job of an actor that was refused for what it brought."""
    job = ledger.open_job("generate", {"prompt": "x"}, ("worker-1", 60))
    with ledger.write() as session:
        session.execute(update(JobRow).where(JobRow.id == job).values(actor=actor, tenant="one"))
    item = Item(stage, "item", "e" * 64, 1)
    scores = [Score.measured(item, "violence/graphic", "toy@1", value)]
    ledger.record(job, Examination((item,), tuple(scores), ()), [decide(POLICY, [item], scores, UNDER)], POLICY, "d")
    ledger.settle(job, State.COMPLETED, action="block")
    return job


def test_strikes_add_up_to_a_cool_down(ledger: Ledger) -> None:
    """Each refused job is one strike; as many as a level asks for cool the actor down; an overturned one is none."""
    jobs = [refused(ledger) for _ in range(3)]
    assert standing(ledger, "one", ["act_1"], TERMS).until is None
    assert [strike(ledger, jobs[0], TERMS) for _ in range(2)] == [True, False]
    assert not standing(ledger, "one", ["act_1"], TERMS).cooling
    assert strike(ledger, jobs[1], TERMS)
    two = standing(ledger, "one", ["act_0", "act_1"], TERMS)
    assert (two.strikes, two.cooling) == (2, True)
    assert two.until is not None
    assert timedelta(minutes=59) < two.until - now() <= timedelta(hours=1)
    assert strike(ledger, jobs[2], TERMS)
    three = standing(ledger, "one", ["act_1"], TERMS)
    assert three.until is not None
    assert three.until - now() > timedelta(hours=47)
    assert not standing(ledger, "two", ["act_1"], TERMS).strikes
    assert standing(ledger, "one", ["act_1"], None).until is None
    with ledger.write() as session:
        for job in jobs[:2]:
            strikes.lift(session, job, "overturned")
    assert not standing(ledger, "one", ["act_1"], TERMS).cooling


def test_appeal_is_decided_once_and_on_the_record(ledger: Ledger) -> None:
    """Only a refused job of one's own can be appealed, once; overturning lifts its strike, and stands in the record."""
    job = refused(ledger)
    strike(ledger, job, TERMS)
    with pytest.raises(JobNotFound):
        appeal(ledger, "two", job, "why")
    with pytest.raises(UsageError, match="says why"):
        appeal(ledger, "one", job, " ")
    made = appeal(ledger, "one", job, "it is a song")
    assert appeal(ledger, "one", job, "again").id == made.id
    assert [row.id for row in appeals(ledger)] == [made.id]
    ended = decide_appeal(ledger, made.id, ORDER, overturn=True)
    assert (ended.state, ended.to_json()["reason"]) == ("overturned", ORDER.reason)
    assert standing(ledger, "one", ["act_1"], TERMS).strikes == 0
    assert ledger.job(job).decisions[-1].body["action"] == "overturn"
    with pytest.raises(ReviewClosed):
        decide_appeal(ledger, made.id, ORDER, overturn=False)
    with pytest.raises(JobNotFound):
        decide_appeal(ledger, "apl_none", ORDER, overturn=False)
    fine = released(ledger, 0.0)
    with pytest.raises(UsageError, match="nothing to appeal"):
        appeal(ledger, "local", fine, "why")


def test_only_what_the_actor_brought_counts(ledger: Ledger) -> None:
    """No strike without an actor, for what the generator made, for another category, or for a model's failure."""
    other = Strikes(categories=("hate",), window_days=1, levels=(StrikeLevel(strikes=1, cool_down_h=1),))
    assert not strike(ledger, refused(ledger, actor=None), TERMS)
    assert not strike(ledger, refused(ledger, stage=Stage.FRAME), TERMS)
    assert not strike(ledger, refused(ledger), other)
    assert not strike(ledger, refused(ledger, value=0.0), TERMS)  # refused since nobody scored the rest
    assert not strike(ledger, refused(ledger), None)
    assert not strike(ledger, "job_none", TERMS)


def test_clock_that_was_set_back_forgives_nothing(ledger: Ledger) -> None:
    """Strikes that lie ahead of the clock count, and the cool-down is no longer than its level says from now."""
    for _ in range(2):
        assert strike(ledger, refused(ledger), TERMS)
    with ledger.write() as session:
        session.execute(update(StrikeRow).values(made=now() + timedelta(days=100)))
    stands = standing(ledger, "one", ["act_1"], TERMS)
    assert stands.cooling
    assert stands.until is not None
    assert stands.until - now() <= timedelta(hours=1)


def test_erased_words_leave_the_chain_whole(ledger: Ledger, tmp_path: Path) -> None:
    """Prompt, cited words, plain hashes and salt go; decisions, scores and the chain stay, sealed before or after."""
    folder, texts = tmp_path / "audit", ("a secret wish", "another secret")
    jobs = [with_words(ledger, text) for text in texts]
    seal(ledger, folder)
    with ledger.write() as session:
        assert erase_words(session, jobs[0], "none", "asked for")
    with ledger.write() as session:
        assert erase_words(session, jobs[1], "hashed", "asked for")
        assert not erase_words(session, jobs[1], "none", "again")
    walk = verify(LedgerChain(ledger), known_keys(folder))
    assert (walk.sound, walk.erased) == (True, 2), walk.faults
    seal(ledger, folder)
    assert verify(LedgerChain(ledger), known_keys(folder)).sound
    for job, text in zip(jobs, texts, strict=True):
        rows = ledger.job(job)
        everything = [
            rows.request,
            rows.wire,
            [d.body for d in rows.decisions],
            [s.score for i in rows.items for s in i.scores],
        ]
        assert "secret" not in str(everything)
        assert Item.text(Stage.PROMPT, "prompt", text).sha256 not in str([i.sha256 for i in rows.items])
        assert len(ledger.decisions(job)) == 1
        assert rows.items[0].scores[0].maximum == 0.25


def with_words(ledger: Ledger, text: str) -> str:
    job = ledger.open_job("generate", {"prompt": text, "seed": 1}, ("worker-1", 60))
    item = Item.text(Stage.PROMPT, "prompt", text)
    scores = (Score.measured(item, "hate", "toy@1", 0.25),)
    ledger.record(job, Examination((item,), scores, ()), [decide(POLICY, [item], scores, UNDER)], POLICY, "d")
    ledger.settle(job, State.COMPLETED, action="allow")
    return job


def test_words_can_be_proved_while_their_salt_is_kept(ledger: Ledger) -> None:
    """With "hashed", the very record proves itself against its entry, another does not; with "none" nothing does."""
    kept, gone = with_words(ledger, "mine"), with_words(ledger, "mine too")
    records = {}
    for job in (kept, gone):
        with ledger.write() as session:
            entry = entries_of(ledger, job)[0]
            records[job] = (entry, session.get_one(OpeningRow, entry).record or "")
    assert erase_ended(ledger, "hashed", most=1) == 1
    with ledger.write() as session:
        erase_words(session, gone, "none", "asked for")
    entry, record = records[kept]
    assert proves(ledger, entry, record)
    assert not proves(ledger, entry, record.replace("mine", "yours"))
    assert not proves(ledger, *records[gone])


def test_words_on_legal_hold_stay(ledger: Ledger) -> None:
    """What the law keeps is not erased, by nobody's setting, until the hold ends."""
    job = with_words(ledger, "evidence")
    hold = withdrawal.hold(ledger, job, "case 7", ORDER)
    assert erase_ended(ledger, "none") == 0
    assert ledger.job(job).request["prompt"] == "evidence"
    withdrawal.release(ledger, hold, ORDER)
    assert erase_ended(ledger, "none") == 1
    with pytest.raises(JobNotFound):
        withdrawal.release(ledger, hold, ORDER)
    with pytest.raises(JobNotFound):
        withdrawal.hold(ledger, "job_none", "x", ORDER)
    with pytest.raises(UsageError):
        withdrawal.hold(ledger, job, " ", ORDER)
    with pytest.raises(UsageError, match="reason"):
        Order("act_x", " ")


def test_pseudonyms_outlive_a_key_and_then_lead_nowhere(tmp_path: Path) -> None:
    """The same person has the same name, also under keys just replaced; when those are gone nothing links them."""
    path = tmp_path / "home" / "pseudonyms.json"
    names = Pseudonyms(path)
    first = names.of("eve")
    assert first == names.of("eve") == Pseudonyms(path).of("eve")
    assert first != names.of("adam")
    assert "eve" not in path.read_text()
    quick = Pseudonyms(path, days=0.0, keep=3)
    second = quick.of("eve")
    assert second != first
    assert first in Pseudonyms(path).all("eve")
    for _ in range(3):
        quick.of("eve")
    assert first not in Pseudonyms(path).all("eve")
    path.chmod(0o644)
    with pytest.raises(PseudonymKeyUnusable, match="chmod"):
        names.of("eve")
    path.chmod(0o600)
    path.write_text("{}")
    with pytest.raises(PseudonymKeyUnusable, match="no file of keys"):
        names.of("eve")
