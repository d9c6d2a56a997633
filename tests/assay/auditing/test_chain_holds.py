"""The audit chain: what is noted, sealed, proved, and found when somebody changes it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis, strategies as st
from sqlalchemy import insert

from assay.auditing.reading import ExportedChain, LedgerChain, export
from assay.auditing.sealing import remembered, rotate, seal, waiting
from assay.auditing.signing import AuditKeyUnusable, known_keys
from assay.auditing.verifying import Walk, verify
from assay.ledger import DecisionRow, Ledger, State, now
from safety import Circumstances, Examination, Item, Policy, PostureEntry, Score, Stage, decide

POLICY = Policy.load("permissive")
UNDER = Circumstances(backend="embedded", on=date(2026, 11, 22), require_complete=False)
TABLES = {
    "audit_entries": ("key", "id", "kind", "made", "commitment", "batch", "leaf"),
    "audit_openings": ("entry", "subject", "reference", "salt", "record"),
    "audit_tip": ("number", "count", "sum", "sealed_count", "sealed_sum"),
    "audit_batches": ("number", "first", "last", "count", "root", "previous", "sealed", "signer", "head", "signature"),
}


def decided(ledger: Ledger, text: str = "a grey second") -> str:
    """A job with one decision that is settled."""
    job = ledger.open_job("generate", {"prompt": text}, ("worker-1", 60))
    item = Item.text(Stage.PROMPT, "prompt", text)
    posture = (PostureEntry(Stage.PROMPT, "toy", "1", None, "cpu", 1, 0),)
    seen = Examination((item,), (Score.measured(item, "hate", "toy@1", 0.25),), posture)
    ledger.record(job, seen, [decide(POLICY, [item], seen.scores, UNDER)], POLICY, "digest")
    ledger.settle(job, State.COMPLETED, action="allow")
    return job


def walked(ledger: Ledger, folder: Path) -> Walk:
    return verify(LedgerChain(ledger), known_keys(folder), remembered(folder)[-1:])


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def raw(ledger: Ledger) -> sqlite3.Connection:
    """Somebody with the database and no respect."""
    return sqlite3.connect(str(ledger.engine.url.database), isolation_level=None)


def test_what_happened_is_in_the_chain(ledger: Ledger, folder: Path) -> None:
    """Every job, decision and end is an entry of its own, and the sealed chain is sound."""
    decided(ledger)
    assert waiting(ledger) == 3
    assert (walked(ledger, folder).sound, walked(ledger, folder).waiting) == (True, 3)
    (point,) = seal(ledger, folder)
    walk = walked(ledger, folder)
    assert (walk.sound, walk.entries, walk.waiting) == (True, 3, 0), walk.faults
    assert point.count == 3
    with raw(ledger) as file:
        kinds = {kind for (kind,) in file.execute("select kind from audit_entries")}
        assert kinds == {"request", "decision", "settled"}
        assert "grey" not in str(file.execute("select * from audit_entries").fetchall())
    assert seal(ledger, folder) == []


def test_decision_inserted_in_bulk_is_noted(ledger: Ledger, folder: Path) -> None:
    """Rows that are inserted many at a time enter the chain as those that are added one by one."""
    job = decided(ledger)
    rows = [
        {"job": job, "decision": f"dec_{n}", "stage": "prompt", "action": "allow", "body": {}, "made": now()}
        for n in range(3)
    ]
    with ledger.write() as session:
        session.execute(insert(DecisionRow), rows)
    seal(ledger, folder)
    walk = walked(ledger, folder)
    assert (walk.sound, walk.entries) == (True, 6), walk.faults
    with pytest.raises(TypeError, match="as parameters"), ledger.write() as session:
        session.execute(insert(DecisionRow).values(**rows[0]))


def test_decision_and_entry_are_kept_together_or_not_at_all(ledger: Ledger) -> None:
    """A transaction that fails leaves neither the decision nor its entry."""
    job = decided(ledger)
    before = waiting(ledger)
    with pytest.raises(RuntimeError), ledger.write() as session:
        session.add(DecisionRow(job=job, decision="d", stage="prompt", action="allow", body={}, made=now()))
        session.flush()
        raise RuntimeError
    assert waiting(ledger) == before


@hypothesis(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.data())
def test_any_byte_that_is_flipped_is_found(tmp_path_factory: pytest.TempPathFactory, choice: st.DataObject) -> None:
    """Whatever bit of whatever byte in a table of the chain is flipped, verifying finds a fault."""
    ledger, folder = _sealed_once(tmp_path_factory)
    table = choice.draw(st.sampled_from(sorted(TABLES)), "table")
    column = choice.draw(st.sampled_from(TABLES[table]), "column")
    with raw(ledger) as file:
        rows = file.execute(f"select rowid, {column} from {table} where {column} is not null").fetchall()
        rowid, value = choice.draw(st.sampled_from(rows), "row")
        changed = _flipped(value, choice.draw(st.integers(0, 10_000), "byte"), choice.draw(st.integers(0, 7), "bit"))
        file.execute("PRAGMA foreign_keys=OFF")
        key = "rowid"
        try:
            file.execute(f"update {table} set {column} = ? where {key} = ?", (changed, rowid))
        except sqlite3.IntegrityError:
            return  # the table itself refuses the change
        try:
            walk = walked(ledger, folder)
            assert not walk.sound, (table, column, value, changed)
        finally:
            back = changed if column in ("key", "number") else rowid
            file.execute(f"update {table} set {column} = ? where {key} = ?", (value, back))
    assert walked(ledger, folder).sound


_ONCE: list[tuple[Ledger, Path]] = []


def _sealed_once(factory: pytest.TempPathFactory) -> tuple[Ledger, Path]:
    if not _ONCE:
        home = factory.mktemp("chain")
        ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}")
        for text in ("one", "two"):
            decided(ledger, text)
            seal(ledger, home / "audit")
        _ONCE.append((ledger, home / "audit"))
    return _ONCE[0]


def _flipped(value: Any, at: int, bit: int) -> Any:
    if isinstance(value, int):
        return value ^ (1 << bit)
    content = bytearray(value if isinstance(value, bytes) else value.encode())
    content[at % len(content)] ^= 1 << bit
    return bytes(content) if isinstance(value, bytes) else content.decode("latin-1")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("delete from audit_entries where key = 2", "entries, where 3 were sealed"),
        ("delete from audit_batches where number = 1", "batches are missing"),
        ("update audit_entries set key = 100 where key = 2", "not the entry that was sealed"),
        ("delete from audit_openings where entry = (select id from audit_entries where key = 2)", "no erasure of it"),
        ("update decisions set action = 'other' where key = 1", "was changed in the ledger"),
        ("delete from decisions where key = 1", "no longer in the ledger"),
        ('update posture set body = \'{"stage": "prompt"}\' where key = 1', "who looked"),
        (
            "insert into decisions (job, attempt, decision, stage, action, body, made) "
            "select job, attempt, 'dec_x', stage, action, body, made from decisions limit 1",
            "in no entry",
        ),
        ("update audit_entries set batch = null where key = 4", "taken out of its batch"),
    ],
)
def test_damage_is_named(ledger: Ledger, folder: Path, damage: str, said: str) -> None:
    """Each kind of damage is named for what it is."""
    for text in ("one", "two"):
        decided(ledger, text)
        seal(ledger, folder)
    with raw(ledger) as file:
        file.execute(damage)
    assert said in str(walked(ledger, folder).faults)


REMOVE = (
    "delete from audit_openings where entry = (select id from audit_entries where key = {key})",
    "delete from audit_entries where key = {key}",
)


@pytest.mark.parametrize("key", [4, 5, 6])
def test_removed_before_its_seal(ledger: Ledger, folder: Path, key: int) -> None:
    """An entry that is removed with its opening while it waits is missed, the last one, too, and for ever."""
    decided(ledger)
    seal(ledger, folder)
    ledger.settle(ledger.open_job("scan", {}, ("worker-1", 60)), State.COMPLETED, action="allow")
    ledger.open_job("scan", {}, ("worker-1", 60))
    with raw(ledger) as file:
        for statement in REMOVE:
            file.execute(statement.format(key=key))
    assert "6 entries (3 sealed) were written, 5 entries (3 sealed) are here" in str(walked(ledger, folder).faults)
    seal(ledger, folder)
    walk = walked(ledger, folder)
    assert "6 were written, 5 were left" in str(walk.faults)
    assert len(walk.faults) == 1
    decided(ledger)  # the log goes on, and what it said once it says for ever
    seal(ledger, folder)
    assert [str(fault) for fault in walked(ledger, folder).faults] == [str(fault) for fault in walk.faults]


def test_exchanged_before_its_seal(ledger: Ledger, folder: Path) -> None:
    """An entry that is replaced by another one, opening and all, while it waits, is found."""
    ledger.open_job("scan", {"path": "the one"}, ("worker-1", 60))
    ledger.open_job("scan", {"path": "the other"}, ("worker-1", 60))
    with raw(ledger) as file:
        for statement in REMOVE:
            file.execute(statement.format(key=1))
        file.execute("PRAGMA foreign_keys=OFF")
        file.execute(
            "insert into audit_entries select 1, 'aud_x', kind, made, commitment, batch, leaf from audit_entries"
        )
        file.execute("insert into audit_openings select 'aud_x', subject, reference, salt, record from audit_openings")
    assert "its entries are not those that were written" in str(walked(ledger, folder).faults)
    seal(ledger, folder)
    assert "missing or others" in str(walked(ledger, folder).faults)


def test_count_that_is_gone_is_told(ledger: Ledger, folder: Path) -> None:
    """Without the row that counts, entries are still written and sealed, and verifying says that it was removed."""
    decided(ledger)
    with raw(ledger) as file:
        file.execute("delete from audit_tip")
    assert "is gone" in str(walked(ledger, folder).faults)
    decided(ledger)
    seal(ledger, folder)
    assert "missing or others" in str(walked(ledger, folder).faults)


def test_rolled_back_entries_do_not_count(ledger: Ledger, folder: Path) -> None:
    """What a transaction that fails would have noted is neither written nor counted."""
    decided(ledger)
    with pytest.raises(RuntimeError), ledger.write() as session:
        session.add(DecisionRow(job="job_1", decision="d", stage="prompt", action="allow", body={}, made=now()))
        raise RuntimeError
    assert walked(ledger, folder).sound


def test_order_counts(ledger: Ledger, folder: Path) -> None:
    """Two entries that change places are found."""
    decided(ledger)
    seal(ledger, folder)
    with raw(ledger) as file:
        for statement in ("set key = 50 where key = 1", "set key = 1 where key = 2", "set key = 2 where key = 50"):
            file.execute(f"update audit_entries {statement}")
    assert not walked(ledger, folder).sound


def test_tail_that_was_cut_off_is_missed(ledger: Ledger, folder: Path) -> None:
    """A database cut back to an earlier, perfectly sound state is found by the checkpoint that was kept outside."""
    decided(ledger)
    seal(ledger, folder)
    with raw(ledger) as file:
        (tip,) = file.execute("select count, sum, sealed_count, sealed_sum from audit_tip").fetchall()
    decided(ledger)
    seal(ledger, folder)
    with raw(ledger) as file:
        for statement in (
            "delete from audit_openings where entry in (select id from audit_entries where batch = 2)",
            "delete from decisions where key = 2", "delete from audit_entries where batch = 2",
            "delete from audit_batches where number = 2",
        ):  # fmt: skip
            file.execute(statement)
        assert "entries (6 sealed) were written" in str(walked(ledger, folder).faults)
        file.execute("update audit_tip set count = ?, sum = ?, sealed_count = ?, sealed_sum = ?", tip)
    assert verify(LedgerChain(ledger), known_keys(folder)).sound
    assert "the log was cut" in str(walked(ledger, folder).faults)


def test_log_rewritten_with_another_key_is_found(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    """Whoever rewrites the whole chain without the key cannot sign it for those who know the public key."""
    decided(ledger)
    seal(ledger, folder)
    with raw(ledger) as file:
        file.execute("delete from audit_batches")
        file.execute("update audit_entries set batch = null, leaf = null")
    seal(ledger, tmp_path / "forger")
    assert "not signed by a key" in str(verify(LedgerChain(ledger), known_keys(folder)).faults)


def test_writers_at_once_make_one_chain(ledger: Ledger, folder: Path) -> None:
    """Whoever seals at the same time, every entry is in one batch and the batches in one line."""
    url, errors = str(ledger.engine.url), []
    decided(ledger)
    seal(ledger, folder)

    def work() -> None:
        own = Ledger(url)
        try:
            for _ in range(4):
                decided(own)
                seal(own, folder)
        except Exception as error:  # noqa: BLE001 (told below)
            errors.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    seal(ledger, folder)
    walk = walked(ledger, folder)
    assert (walk.sound, walk.entries) == (True, 3 * 17), walk.faults


def test_lost_key_is_not_replaced_in_silence(ledger: Ledger, folder: Path) -> None:
    """Without its key nothing is sealed and the entries wait; a new key is noted in the chain, and is not trusted."""
    decided(ledger)
    seal(ledger, folder)
    public = known_keys(folder)
    (folder / "checkpoint.key").unlink()
    decided(ledger)
    with pytest.raises(AuditKeyUnusable, match="rotate"):
        seal(ledger, folder)
    assert waiting(ledger) == 3
    rotate(ledger, folder)
    assert waiting(ledger) == 0
    assert "not signed by a key" in str(verify(LedgerChain(ledger), public).faults)


def test_new_key_is_vouched_for_by_the_old_one(ledger: Ledger, folder: Path) -> None:
    """Whoever trusts the first key trusts the one that it was exchanged for."""
    decided(ledger)
    seal(ledger, folder)
    public = known_keys(folder)
    new = rotate(ledger, folder)
    decided(ledger)
    seal(ledger, folder)
    assert {new} | public == known_keys(folder)
    assert verify(LedgerChain(ledger), public).sound


def test_exported_chain_stands_alone(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    """An export verifies without the ledger; without prompts it says how many records it could not compare."""
    decided(ledger, "a secret wish")
    seal(ledger, folder)
    plain, full = tmp_path / "plain.jsonl", tmp_path / "full.jsonl"
    plain.write_text("\n".join(export(ledger, requests=False)))
    full.write_text("\n".join(export(ledger, requests=True)))
    assert "secret" not in plain.read_text()
    assert "secret" in full.read_text()
    for path, withheld in ((plain, 1), (full, 0)):
        walk = verify(ExportedChain(path), known_keys(folder), remembered(folder))
        assert (walk.sound, walk.withheld) == (True, withheld), walk.faults
    lines = full.read_text().split("\n")
    changed = json.loads(lines[1])
    changed["entries"][0]["made"] = "2020-01-01T00:00:00.000+00:00"
    full.write_text("\n".join([lines[0], json.dumps(changed)]))
    assert not verify(ExportedChain(full), known_keys(folder)).sound
    full.write_text(lines[0] + "\n{broken")
    assert "cannot be read" in str(verify(ExportedChain(full), known_keys(folder)).faults)
