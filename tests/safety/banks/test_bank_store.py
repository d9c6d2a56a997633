"""A bank on disk: atomic, shared, and loud when it is damaged; lists in and out."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from media import UsageError
from safety import CorruptRecord
from safety.frame.banks import BankStore, Card, Kind, Signal, read_signals, to_csv, to_json
from safety.frame.banks.signal import SIZES

HASH = bytes(range(32))


def signal(number: int, **more: object) -> Signal:
    """A PDQ signal of its own."""
    return Signal(Kind.PDQ, bytes([number % 256, number // 256, *[7] * 30]), f"thing-{number}", **more)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> BankStore:
    return BankStore.create(tmp_path, Card("ads"))


def test_an_empty_bank_loads(store: BankStore) -> None:
    """A bank without entries is a bank."""
    assert len(store.load()) == 0
    assert store.entries() == []


def test_what_is_added_is_there_and_what_is_removed_is_gone(store: BankStore) -> None:
    """Adding counts what is new, the same again replaces, removing is by number or by content."""
    assert store.add([signal(1), signal(2), Signal(Kind.MD5, bytes(16), "file")]) == 3
    assert store.add([signal(1, distance=5)]) == 0
    loaded = store.load()
    assert sorted(loaded.distances.tolist()) == [5, 31]
    assert (Kind.MD5, bytes(16)) in loaded.files
    assert store.remove([1]) == 1
    assert store.remove(content="thing-2") == 1
    assert store.remove([99]) == 0
    assert len(store.load()) == 1


def test_the_version_is_of_what_matches_alone(tmp_path: Path, store: BankStore) -> None:
    """Two banks with the same hashes have the same version, in any order of adding; a distance changes it."""
    other = BankStore.create(tmp_path, Card("others"))
    store.add([signal(1), signal(2)])
    other.add([signal(2), signal(1)])
    assert store.load().sha256 == other.load().sha256
    other.add([signal(1, distance=9)])
    assert store.load().sha256 != other.load().sha256


def test_a_change_that_fails_changes_nothing(store: BankStore) -> None:
    """An import that breaks half-way leaves the bank as it was."""

    def torn() -> object:
        yield signal(1)
        raise UsageError("the list broke off")

    with pytest.raises(UsageError, match="broke off"):
        store.add(torn())  # type: ignore[arg-type]
    assert store.entries() == []
    assert len(store.load()) == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no database" * 100),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: _execute(path, "DELETE FROM signal WHERE id = 2"),
        lambda path: _execute(path, "UPDATE signal SET value = zeroblob(32) WHERE id = 1"),
        lambda path: _execute(path, "UPDATE signal SET off = 1"),
        lambda path: _execute(path, "DROP TABLE signal"),
        lambda path: _execute(path, "UPDATE meta SET value = '{}' WHERE key = 'card'"),
        lambda path: _execute(path, "UPDATE meta SET value = 'x' WHERE key = 'format'"),
    ],
)  # fmt: skip
def test_a_damaged_bank_is_never_searched(store: BankStore, damage: object) -> None:
    """Lost rows, changed hashes, torn or foreign files: each is CorruptRecord with the path, never a smaller bank."""
    store.add([signal(1), signal(2)])
    damage(store.path)  # type: ignore[operator]
    with pytest.raises(CorruptRecord, match=r"ads\.bank"):
        store.load()


def _execute(path: Path, sql: str) -> None:
    with sqlite3.connect(path) as database:
        database.execute(sql)
    database.close()


def test_a_bank_that_is_gone_is_an_error_and_is_not_made(store: BankStore) -> None:
    """Reading a bank that was deleted does not create an empty one."""
    store.path.unlink()
    with pytest.raises(CorruptRecord):
        store.load()
    assert not store.path.exists()
    with pytest.raises(UsageError, match="no bank named ads"):
        BankStore.open(store.path.parent, "ads")


def test_a_second_bank_of_one_name_is_refused(store: BankStore) -> None:
    """Creating does not overwrite, and leaves nothing behind."""
    with pytest.raises(UsageError, match="exists already"):
        BankStore.create(store.path.parent, Card("ads"))
    assert [path.name for path in store.path.parent.iterdir()] == ["ads.bank"]


def test_a_writer_that_is_killed_leaves_a_whole_bank(store: BankStore) -> None:
    """A process that dies in the middle of an import loses the import, not the bank."""
    store.add([signal(1)])
    code = f"""
import os
from pathlib import Path
from safety.frame.banks.signal import SIZES
from safety.frame.banks import BankStore, Kind, Signal
def some():
    for n in range(5000):
        yield Signal(Kind.PDQ, n.to_bytes(32))
    os._exit(9)
BankStore(Path({str(store.path)!r})).add(some())
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert len(store.load()) == 1
    assert store.add([signal(2)]) == 1


def test_readers_and_writers_meet(store: BankStore) -> None:
    """While another process adds, every load is a whole bank of some moment."""
    code = f"""
from pathlib import Path
from safety.frame.banks.signal import SIZES
from safety.frame.banks import BankStore, Kind, Signal
store = BankStore(Path({str(store.path)!r}))
for n in range(40):
    store.add([Signal(Kind.PDQ, (n + 1000).to_bytes(32)), Signal(Kind.PDQ, (n + 9000).to_bytes(32))])
"""
    with subprocess.Popen([sys.executable, "-c", code]) as writer:
        sizes = [len(store.load())]
        while writer.poll() is None:
            sizes.append(len(store.load()))
    assert writer.returncode == 0
    assert all(size % 2 == 0 for size in sizes)
    assert sizes == sorted(sizes)
    assert len(store.load()) == 80


def test_an_entry_that_floods_is_switched_off_until_a_person_looks(tmp_path: Path) -> None:
    """More distinct files than the card allows within its hours; the same file again does not count twice."""
    store = BankStore.create(tmp_path, Card("ads", flood_items=3, flood_hours=1))
    store.add([signal(1), signal(2)])
    before = store.load()
    for item in ("a", "b", "c", "c", "a"):
        assert store.sighted([1], item, now=1000.0) == []
    assert store.sighted([1], "late", now=1000.0 + 3601) == []  # the others have left the window
    for item in ("d", "e"):
        assert store.sighted([1], item, now=4700.0) == []
    assert store.sighted([1], "f", now=4700.0) == [1]
    after = store.load()
    assert (len(before), len(after), after.off) == (2, 1, 1)
    assert after.sha256 != before.sha256
    assert [entry.id for entry in store.entries(only_off=True)] == [1]
    assert store.release([1]) == 1
    assert store.load().sha256 == before.sha256
    assert store.counts()["off"] == 0


def test_worst_material_is_never_switched_off(tmp_path: Path) -> None:
    """Whoever uploads many files cannot blind a bank of worst material."""
    store = BankStore.create(tmp_path, Card("worst", worst=True, flood_items=1))
    store.add([signal(1)])
    for item in "abcdef":
        assert store.sighted([1], item) == []
    assert store.entries()[0].items == 6
    assert len(store.load()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../evil"}, {"name": ""}, {"name": "A"}, {"category": "bank/other"}, {"category": "nonsense"},
        {"action": "allow"}, {"look": "both"}, {"distance": 97}, {"distance": -1}, {"flood_items": 0},
        {"flood_hours": 0},
    ],
)  # fmt: skip
def test_a_card_is_sound(change: dict[str, object]) -> None:
    """Names that leave the folder, unknown categories and distances that match anything are refused."""
    with pytest.raises(UsageError):
        replace(Card("fine"), **change)  # type: ignore[arg-type]


def test_sides_are_of_pictures() -> None:
    """Sides that are no four hashes, or of what is no picture, are refused."""
    for kind, sides in ((Kind.PDQ, b"s" * 127), (Kind.MD5, b"s" * 128)):
        with pytest.raises(UsageError, match="bytes of sides"):
            Signal(kind, bytes(SIZES[kind]), sides=sides)


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(list(Kind)), raw=st.binary(min_size=32, max_size=32), negative=st.booleans(),
    distance=st.one_of(st.none(), st.integers(0, 96)), aspect=st.floats(0.05, 20.0), corners=st.integers(0, 3),
    content=st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=30).filter(str.isprintable),
)  # fmt: skip
def test_lists_come_back_as_they_went(
    tmp_path_factory: pytest.TempPathFactory, kind: Kind, raw: bytes, negative: bool, distance: int | None,
    aspect: float, corners: int, content: str,
) -> None:  # fmt: skip
    """Export and import give equal signals, by CSV and by JSON."""
    value = (raw * 4)[: SIZES[kind]]
    one = Signal(kind, value, content, distance if kind is Kind.PDQ else None, negative, aspect, b"c" * 36 * corners)
    if kind is Kind.PDQ:
        one = replace(one, sides=raw * 4)
    folder = tmp_path_factory.mktemp("lists")
    for name, text in (("list.csv", to_csv([one, one])), ("list.json", to_json([one, one]))):
        (folder / name).write_text(text, "utf-8")
        assert read_signals(folder / name) == [one, one]


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("hma.json", json.dumps({"pdq": HASH.hex()}), 1),
        ("hma.json", json.dumps([{"id": 3, "signals": {"pdq": HASH.hex(), "md5": HASH[:16].hex()}}]), 2),
        ("hma.json", json.dumps([{"bank_content_id": 3, "disable_until_ts": 0,
                                  "signals": [{"signal_type": "pdq", "signal_value": HASH.hex()}]}]), 1),
        ("tx.csv", f"signal_type,signal_str,tags\npdq,{HASH.hex()},a b\n\nmd5,{HASH[:16].hex()},\n", 2),
        ("bare.txt", f"{HASH.hex()}\n{HASH[:16].hex()},a name\n", 2),
        ("bom.csv", f"\ufeffsignal_type,signal_str\nHASH_PDQ,{HASH.hex().upper()}\n", 1),
        ("empty.json", "[]", 0),
        ("empty.csv", "", 0),
    ],
)  # fmt: skip
def test_lists_of_others_are_read(tmp_path: Path, name: str, text: str, count: int) -> None:
    """The forms of ThreatExchange and HMA, and bare lists, give their signals."""
    (tmp_path / name).write_text(text, "utf-8")
    signals = read_signals(tmp_path / name)
    assert len(signals) == count
    assert all(one.value in (HASH, HASH[:16]) for one in signals)


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.csv", "signal_type,signal_str\npdq,abc\n", "line 2"),
        ("a.csv", "signal_type,signal_str\npdq,zz\n", "hexadecimal"),
        ("a.csv", "signal_type,signal_str\npdq\n", "1 cells under 2 columns"),
        ("a.csv", "signal_type,signal_str,distance\npdq," + "00" * 32 + ",far\n", "far"),
        ("a.csv", "signal_type,signal_str,distance\npdq," + "00" * 32 + ",200\n", "200"),
        ("a.csv", "signal_type,signal_str,wisdom\npdq," + "00" * 32 + ",x\n", "wisdom"),
        ("a.csv", "signal_type,signal_str\ntmk," + "00" * 32 + "\n", "tmk"),
        ("a.csv", "00" * 32 + "\nnothing\n", "line 2"),
        ("a.csv", "signal_str\n" + "00" * 32 + "\n", "needs signal_type"),
        ("a.json", "{", "not JSON"),
        ("a.json", "[1]", "no object"),
        ("a.json", '[{"signals": 5}]', "signals"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.csv", "signal_type,signal_str,corners\npdq," + "00" * 32 + ",!!\n", "line 2"),
        ("a.xml", "<a/>", ".csv"),
    ],
)  # fmt: skip
def test_a_broken_list_is_refused_with_its_line(tmp_path: Path, name: str, text: str, word: str) -> None:
    """What is wrong is said, and where; nothing of the list is taken."""
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(UsageError, match=word.replace(".", r"\.")):
        read_signals(tmp_path / name)


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, and a path that is not there."""
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "a.csv", tmp_path / "gone.csv"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_signals(path)
