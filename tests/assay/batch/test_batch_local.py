"""The embedded engine: one row a file, one look a content, and runs that go on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batch_toys import GREEN, GREY, RED, clip, renumbered
from sqlalchemy import func, select

from assay.batch.sources import Choice
from assay.batch.store import Store
from assay.batch.tables import ContentRow
from assay.batch.work import Wish
from assay.ledger import JobRow, Ledger, ScoreRow
from assay.settings import Settings

Scan = Callable[..., tuple[str, list[dict[str, Any]]]]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two contents allowed and one blocked, one of them three times; broken, foreign and missing files."""
    folder = tmp_path / "clips"
    grey = clip(folder / "grey.mp4", GREY)
    clip(folder / "red.mp4", RED)
    clip(folder / "sub" / "other.mp4", GREY, mark=5)
    for name in ("sub/grey.mp4", "again.mp4"):
        (folder / name).write_bytes(grey.read_bytes())
    (folder / "broken.mp4").write_bytes(b"no video")
    (folder / "broken too.mp4").write_bytes(b"no video")
    (folder / "notes.txt").write_text("words")
    return folder


def actions(rows: list[dict[str, Any]]) -> dict[str, str | None]:
    return {Path(row["path"]).name: row["action"] for row in rows}


def looks(log: Path) -> int:
    return len(log.read_text().split()) if log.exists() else 0


def count(settings: Settings, table: Any) -> int:
    ledger = Ledger(settings.ledger)
    with ledger.write() as session:
        number = session.scalar(select(func.count()).select_from(table))
    ledger.close()
    return number or 0


def test_every_file_one_row_every_content_one_look(
    clips: Path, scan: Scan, toy_batch: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows come in the order of the folder; copies are looked at once; a second run looks at nothing, and a third that
    asks for other facts of the path neither.
    """
    log = tmp_path / "looks"
    monkeypatch.setenv("ASSAY_TOY_LOG", str(log))
    _, rows = scan(clips, workers=2)
    assert [row["path"] for row in rows] == [str(path) for path in sorted(clips.rglob("*")) if path.is_file()]
    assert Counter(row["action"] for row in rows) == {"allow": 4, "block": 1, None: 3}
    broken = {row["path"]: row["error"]["message"] for row in rows if row["error"]}
    assert len(broken) == 3
    assert all(path in message for path, message in broken.items())
    assert len({row["sha256"] for row in rows if row["action"]}) == count(toy_batch, ContentRow) == 3
    looked, jobs, scores = looks(log), count(toy_batch, JobRow), count(toy_batch, ScoreRow)
    assert looked == 3
    _, again = scan(clips)
    assert again == rows
    _, signed = scan(clips, sign_passed=tmp_path / "passed", wish=Wish(riders=("provenance", "detect")))
    assert (looks(log), count(toy_batch, JobRow), count(toy_batch, ScoreRow)) == (looked, jobs, scores)
    assert {row["path"] for row in signed if row["signed"]} == {row["path"] for row in rows if row["action"] == "allow"}
    copies = sorted(path for path in (tmp_path / "passed").rglob("*") if path.is_file())
    assert [str(path.relative_to(tmp_path / "passed")) for path in copies] == [
        "again.mp4", "grey.mp4", "sub/grey.mp4", "sub/other.mp4",
    ]  # fmt: skip
    assert {row["provenance"]["state"] for row in signed if row["action"]} == {"absent"}
    assert all("answer" in row["detect"] for row in signed if row["action"])
    assert [{name: row[name] for name in rows[0] if name != "signed"} for row in signed if row["action"]] == [
        {name: row[name] for name in rows[0] if name != "signed"} for row in rows if row["action"]
    ]


def test_a_run_goes_on(clips: Path, scan: Scan, toy_batch: Settings, tmp_path: Path) -> None:
    """`resume` keeps the rows of the newest run that was asked the same, adds what is new, and tells all of them."""
    first, rows = scan(clips)
    clip(clips / "zz.mp4", RED, mark=9)
    second, more = scan(clips, resume=True)
    assert second == first
    assert more[:-1] == rows
    assert more[-1]["action"] == "block"
    other, _ = scan(clips, resume=True, choice=Choice(limit=1))
    assert other != first
    ledger = Ledger(toy_batch.ledger)
    store = Store(ledger)
    assert store.run("latest").id == other
    assert store.run(first).state == "completed"
    assert store.count(first) == {"allow": 4, "block": 2, "failed": 2, "skipped": 1}
    assert [path.uri for path, _ in store.paths(first)] == sorted(row["path"] for row in more)
    outcome = store.outcome(first, str(clips / "red.mp4"))
    assert outcome is not None
    assert outcome.action.word == "block"
    assert outcome.sha256 == next(row["sha256"] for row in rows if row["path"].endswith("red.mp4"))
    assert store.outcome(first, str(clips / "notes.txt")) is None
    ledger.close()


def test_another_policy_decides_from_scores(
    clips: Path, scan: Scan, toy_batch: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second policy over known contents decides from what was recorded: no frame is looked at again, and each content
    still stands once; its decisions are those of a scan that looked.
    """
    monkeypatch.setenv("ASSAY_TOY_LOG", str(tmp_path / "looks"))
    scan(clips)
    before = looks(tmp_path / "looks")
    permissive = toy_batch.model_copy(update={"policy": "permissive"})
    _, rows = scan(clips, settings=permissive)
    assert looks(tmp_path / "looks") == before
    assert count(toy_batch, ContentRow) == 3
    fresh = permissive.model_copy(update={"home": tmp_path / "other"})
    assert rows == scan(clips, settings=fresh)[1]


def test_a_changed_file_is_looked_at_again(clips: Path, scan: Scan, tmp_path: Path) -> None:
    """A file whose bytes changed in place, with its old time put back, gets the answer of its new content."""
    path = clips / "grey.mp4"
    before = path.stat()
    assert actions(scan(path)[1]) == {"grey.mp4": "allow"}
    red = clip(tmp_path / "red.mp4", RED).read_bytes()
    path.write_bytes(red)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert actions(scan(path)[1]) == {"grey.mp4": "block"}


@pytest.mark.full
def test_a_crash_and_a_hang_cost_one_row_each(scan: Scan, toy_batch: Settings, tmp_path: Path) -> None:
    """A file that kills its process is tried three times and then named, with its copies; the rest is decided."""
    dying = toy_batch.model_copy(update={"frame_classifiers": ("scan_toys:DyingOnGreen",)})
    green = clip(tmp_path / "clips" / "green.mp4", GREEN)
    (tmp_path / "clips" / "green copy.mp4").write_bytes(green.read_bytes())
    clip(tmp_path / "clips" / "red.mp4", RED)
    _, rows = scan(tmp_path / "clips", settings=dying, workers=1)
    assert actions(rows) == {"green copy.mp4": None, "green.mp4": None, "red.mp4": "block"}
    for row in rows[:2]:
        assert row["error"]["type"] == "WorkerDied"
    ledger = Ledger(dying.ledger)
    assert not list(Store(ledger).paths("none"))
    ledger.close()


@pytest.mark.full
def test_deadlines_name_the_file(scan: Scan, toy_batch: Settings, tmp_path: Path) -> None:
    """A file on which a model hangs is given up on after its deadline has passed twice."""
    deadlines = toy_batch.deadlines.model_copy(update={"frame": 1.0})
    hanging = {"frame_classifiers": ("assay_toys:HangingFrame",), "deadlines": deadlines}
    (row,) = scan(clip(tmp_path / "a.mp4"), settings=toy_batch.model_copy(update=hanging), workers=1)[1]
    assert row["error"]["type"] == "StageTimeout"


@pytest.mark.full
def test_copies_of_one_name_do_not_overwrite_one_another(scan: Scan, tmp_path: Path) -> None:
    """Files of the same name from different folders are signed side by side, each its own content."""
    clip(tmp_path / "a" / "x.mp4", GREY, mark=1)
    clip(tmp_path / "b" / "x.mp4", GREY, mark=2)
    names = (tmp_path / "a" / "x.mp4", tmp_path / "b" / "x.mp4")
    _, rows = scan(*names, sign_passed=tmp_path / "passed")
    signed = [Path(row["signed"]) for row in rows]
    assert len({path.read_bytes() for path in signed}) == 2
    _, again = scan(*names, sign_passed=tmp_path / "passed")
    assert [row["signed"] for row in again] == [str(path) for path in signed]


def test_models_that_cannot_be_loaded_end_the_run(scan: Scan, toy_batch: Settings, tmp_path: Path) -> None:
    """Where no model can be loaded nothing is scanned and no row pretends it was."""
    from media import AssayError

    broken = toy_batch.model_copy(update={"frame_classifiers": ("no_such_module:Thing",)})
    with pytest.raises(AssayError, match="no_such_module"):
        scan(clip(tmp_path / "a.mp4"), settings=broken)


def test_a_broken_ledger_ends_the_run(
    clips: Path, scan: Scan, toy_batch: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written is raised, and what was written before stays for `resume`."""
    keep, calls = Store.keep, []

    def failing(self: Store, run: str, finished: Any) -> None:
        calls.append(len(finished))
        if len(calls) > 1:
            raise OSError("the disk is full")
        keep(self, run, finished)

    monkeypatch.setattr("assay.batch.intake.GROUP", 2)
    monkeypatch.setattr(Store, "keep", failing)
    with pytest.raises(OSError, match="full"):
        scan(clips)
    monkeypatch.setattr(Store, "keep", keep)
    run, rows = scan(clips, resume=True)
    assert len(rows) == 8
    ledger = Ledger(toy_batch.ledger)
    assert sum(Store(ledger).count(run).values()) == 8
    ledger.close()


def test_repeated_writes_change_nothing(scan: Scan, toy_batch: Settings, tmp_path: Path) -> None:
    """The same finished file written twice is one row, one content and one decision: the engine may repeat itself."""
    from assay.batch.store import Filed
    from assay.batch.work import FileTask, scan_one
    from assay.tasks import Bench
    from assay.watch import Silent

    path = clip(tmp_path / "a.mp4", RED)
    run, rows = scan(renumbered(path, tmp_path / "b.mp4", 1))
    looked = [scan_one(Bench(toy_batch, "worker-test"), FileTask("a", path, Wish()), Silent()) for _ in range(2)]
    ledger = Ledger(toy_batch.ledger)
    store = Store(ledger)
    twice = [Filed("a", one.recorded.sha256, recorded=one.recorded) for one in looked]
    store.keep(run, twice)
    store.keep(run, [replace(twice[0], uri="c")])
    store.keep(run, twice)
    told = store.rows(run, ["a", "c"])
    assert told["a"].row == told["c"].row | {"path": "a"}
    assert told["a"].row["reasons"] == rows[0]["reasons"]
    assert told["a"].row["sha256"] != rows[0]["sha256"]
    ledger.close()
    assert count(toy_batch, ContentRow) == 2
