"""Banks from the command line to the decision: a match acts without a line of policy, and damage stops the scan."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest
from toy_run import TOY_ENVIRONMENT

from assay import banking
from assay.cli.main import run as run_command
from assay.errors import NoPicture
from assay.outcome import Outcome
from assay.report.sheet import refuse_worst
from assay.settings import Settings
from media import encode, write_image
from safety import CorruptRecord, Examination, Item, ModelUnavailable, Policy, Score, Stage, decide
from safety.frame.banks import BankStore, Card, Kind, Signal, signals_of
from tests.safety.banks.pictures import picture, reencoded

Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Done:
    """What a command that ran in this process answered."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """`assay bank ...` in this process, since it starts no worker."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        code = run_command(["bank", *arguments])
        return Done(int(code), *capfd.readouterr())

    return run


@pytest.fixture
def assay(run_assay: Run) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command with toy models, so that the bank alone finds anything."""
    return lambda *arguments: run_assay(*arguments, **TOY_ENVIRONMENT)


@pytest.fixture
def videos(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A picture, a video that shows a copy of it for half a second, and a video that does not."""
    write_image(tmp_path / "known.png", picture(1))
    copy = reencoded(picture(1), 60, 0.5)
    calm = [reencoded(picture(2), 90, 0.5)] * 10
    encode(tmp_path / "shows.mp4", [*calm, *[copy] * 5, *calm], rate=Fraction(10))
    encode(tmp_path / "calm.mp4", calm, rate=Fraction(10))
    return tmp_path / "known.png", tmp_path / "shows.mp4", tmp_path / "calm.mp4"


def test_a_known_picture_blocks_a_video(assay: Run, videos: tuple[Path, Path, Path]) -> None:
    """After `bank add`, a scan blocks the video that shows a copy, says when and which entry, and allows the other."""
    known, shows, calm = videos
    assert assay("bank", "add", "ads", str(known), "--content", "old ad").returncode == 0
    done = assay("scan", str(shows), str(calm), "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["action"] for row in rows] == ["block", "allow"], done.stderr
    (segment,) = rows[0]["segments"]
    assert segment["category"] == "bank/ads"
    assert (segment["start_s"], segment["end_s"]) == (pytest.approx(1.0), pytest.approx(1.5))
    assert rows[1]["scores"]["bank/ads"] == 0.0
    assert "bank/ads" not in rows[1]["not_evaluated"]
    assert "old ad" in str([reason.get("text") for reason in rows[0]["reasons"]])
    assert {e["model"] for e in rows[0]["posture"]} >= {"bank-ads"}
    listed = json.loads(assay("bank", "list", "ads", "--json").stdout.splitlines()[-1])
    assert listed["items"] == 1


def test_the_command_keeps_banks(bank: Callable[..., Done], videos: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """Create, change, export, import, test, release, remove: each does what it says, and mistakes are usage errors."""
    known, shows, _ = videos
    assert bank("create", "one", "--category", "ip/logo", "--look", "crops").returncode == 0
    assert bank("add", "one", str(known), f"md5:{'ab' * 16}", "--mirrored").returncode == 0
    assert bank("change", "one", "--action", "review", "--not-worst").returncode == 0
    assert bank("export", "one", "-o", str(tmp_path / "one.csv")).returncode == 0
    assert bank("create", "two").returncode == 0
    assert "5 new" in bank("import", "two", str(tmp_path / "one.csv")).stdout
    assert bank("export", "two", "-o", str(tmp_path / "two.json")).returncode == 0
    rows = [json.loads(line) for line in bank("test", str(shows), "two", "--json").stdout.splitlines()]
    assert [row["kind"] for row in rows] == ["pdq"]
    assert "matches nothing" in bank("test", str(tmp_path / "calm.mp4")).stdout
    assert "review from 0.5" in bank("list").stdout
    assert json.loads(bank("list", "--json").stdout.splitlines()[0])["signals"]["pdq"] == 2
    assert "5 new" in bank("import", "two", str(tmp_path / "one.csv"), "--negative").stdout
    assert bank("release", "two", "1").returncode == 0
    assert bank("remove", "two", "1").returncode == 0
    assert bank("remove", "two", "--all").returncode == 0
    for wrong in (
        ("remove", "two", "--all"), ("remove", "one"), ("remove", "one", "999"), ("create", "one"), ("create", "Bad"),
        ("add", "one", str(tmp_path / "gone.png")), ("add", "one", "md5:xyz"), ("import", "one", str(known)),
        ("export", "one", "-o", str(tmp_path / "x.xml")), ("export", "one", "-o", str(tmp_path / "no" / "x.csv")),
    ):  # fmt: skip
        done = bank(*wrong)
        assert done.returncode in (1, 4), (wrong, done)
        assert "Traceback" not in done.stderr


@pytest.mark.full
def test_a_damaged_bank_stops_the_scan(assay: Run, videos: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """Without its bank a scan would let known content pass: it says which file to restore, and decides nothing."""
    known, shows, _ = videos
    assay("bank", "add", "ads", str(known))
    path = tmp_path / "home" / "banks" / "ads.bank"
    path.write_bytes(path.read_bytes()[:3000])
    done = assay("scan", str(shows))
    assert done.returncode == 4
    assert "ads.bank" in done.stderr
    assert "restore" in done.stderr


def test_banks_of_the_settings(tmp_path: Path, toy_settings: Callable[..., Settings]) -> None:
    """None means all there are; a name that is missing is an error; an empty list means none."""
    settings = toy_settings()
    assert banking.stores(settings) == []
    BankStore.create(banking.folder(settings), Card("a"))
    BankStore.create(banking.folder(settings), Card("b"))
    assert [store.card.name for store in banking.stores(settings)] == ["a", "b"]
    assert [store.card.name for store in banking.stores(toy_settings(banks=("b",)))] == ["b"]
    assert banking.stores(toy_settings(banks=())) == []
    with pytest.raises(ModelUnavailable, match="no bank named c"):
        banking.stores(toy_settings(banks=("c",)))


def test_a_policy_that_speaks_of_a_bank_is_obeyed() -> None:
    """Where a policy has a rule for a bank at a stage, no other is added there; a worst bank always blocks."""
    policy = Policy.load("default")
    own = policy.document()
    rule = next(rule for rule in own["rules"] if rule["stage"] == "frame")
    own["rules"].append({**rule, "id": "ours", "category": "bank/a", "action": "review", "threshold": 0.7})
    spoken = Policy.from_document(own, "test")
    added = banking.with_bank_rules(
        spoken, [Card("a"), Card("b", action="review"), Card("c", action="review", worst=True)]
    )
    rules = {(rule.stage.value, rule.category): rule for rule in added.rules if rule.category.startswith("bank/")}
    assert rules["frame", "bank/a"].id == "ours"
    assert rules["input image", "bank/a"].action.word == "block"
    assert rules["frame", "bank/b"].action.word == "review"
    assert rules["file", "bank/c"].action.word == "block"
    assert banking.with_bank_rules(policy, []) is policy


def test_of_a_worst_bank_no_picture_is_made(toy_settings: Callable[..., Settings]) -> None:
    """A match of a bank marked worst refuses the sheet, whatever the policy did with it; other banks do not."""
    settings = toy_settings()
    store = BankStore.create(banking.folder(settings), Card("w"))
    item = Item(Stage.FILE, "file", "0" * 64)
    score = Score(item, "bank/w", "bank-w@1", 1.0)
    policy = banking.policy(settings)
    outcome = Outcome("job", (decide(policy, [item], [score]),), Examination((item,), (score,)))
    refuse_worst(outcome, settings)
    store.change_card(Card("w", worst=True))
    assert banking.worst_categories(settings) == {"sexual/minors", "bank/w"}
    with pytest.raises(NoPicture):
        refuse_worst(outcome, settings)
    clean = Outcome("job", (), Examination((item,), (Score(item, "bank/w", "bank-w@1", 0.0),)))
    refuse_worst(clean, settings)


def test_a_bank_is_loaded_again_when_it_changes(toy_settings: Callable[..., Settings]) -> None:
    """The state of the banks changes with an entry, and not with a sighting: nobody reloads models for that."""
    settings = toy_settings()
    store = BankStore.create(banking.folder(settings), Card("a"))
    before = banking.state(settings)
    store.add([Signal(Kind.PDQ, bytes(32))])
    after = banking.state(settings)
    assert before != after
    store.sighted([1], "some file")
    assert banking.state(settings) == after


def test_the_file_itself_is_looked_up(tmp_path: Path, toy_settings: Callable[..., Settings]) -> None:
    """Exact hashes are asked only where rules speak of the stage `file`; damage there is an error too."""
    settings = toy_settings()
    write_image(tmp_path / "a.png", picture(1))
    signals = signals_of(tmp_path / "a.png")
    BankStore.create(banking.folder(settings), Card("a")).add(signals)
    banks = banking.Banks.load(settings)
    sha256 = signals[0].value.hex()
    assert banks.look_at_file(tmp_path / "a.png", sha256, ()).items == ()
    (score,) = banks.look_at_file(tmp_path / "a.png", sha256, ["bank/a"]).scores
    assert isinstance(score, Score)
    assert score.value == 1.0
    assert banks.stores[0].entries()[0].items == 1
    banks.stores[0].path.write_bytes(b"")
    with pytest.raises(CorruptRecord):
        banking.Banks.load(settings)
