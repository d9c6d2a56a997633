"""The forms in which rows leave: JSON lines, CSV for people, Parquet that others read."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from toy_run import ROOT

from assay.batch.output import COLUMNS, sink
from assay.rows import failed_scan_row
from media import UsageError

POLICY = {"id": "default", "version": "1", "digest": "d" * 64}
COUNTS = {"total": 4, "decoded": 4, "undecodable": 0, "scored": 1, "covered": 3, "failed": 0}


def blocked(path: str, text: str = "a word") -> dict[str, Any]:
    reason = {
        "stage": "frame", "category": "hate", "rule": "frame-hate-block", "action": "block", "source": "ocr@2",
        "score": 0.9, "absence": None, "span": [1, 3], "text": text, "frame": 1, "start_s": 0.5, "end_s": 1.0,
        "peak_s": 0.5, "box": [0, 10, 48, 22], "note": None, "item": "frames",
    }  # fmt: skip
    segment = {
        "category": "hate", "start_s": 0.5, "end_s": 1.0, "peak": 0.9, "peak_s": 0.5, "peak_frame": 1,
        "item": "frames", "source": "ocr@2",
    }  # fmt: skip
    posture = {
        "stage": "frame", "model": "ocr", "version": "2", "weights_sha256": None, "runtime": None, "items": 4,
        "failed": 0, "coverage": {**COUNTS, "sampled": 0, "bound": "identical", "stopped": None},
    }  # fmt: skip
    return {
        "path": path, "sha256": "a" * 64, "action": "block", "complete": False, "not_evaluated": ["sexual"],
        "reasons": [reason], "scores": {"hate": 0.9, "sexual": None}, "segments": [segment], "frames": COUNTS,
        "posture": [posture], "policy": POLICY, "signed": None, "quarantined": [], "error": None,
        "provenance": {"state": "absent"}, "detect": {"answer": "no-evidence"},
    }  # fmt: skip


def failed(path: str) -> dict[str, Any]:
    return failed_scan_row(path, POLICY, {"type": "WorkerDied", "stage": "frame", "message": f"{path}: died"})


def written(out: Path, rows: list[dict[str, Any]], whole: bool = True) -> Path:
    sinking = sink(out)
    for row in rows:
        sinking.write(row)
    sinking.close(whole)
    return out


def test_json_lines_come_as_they_are_written(tmp_path: Path) -> None:
    """A row can be read while the run goes on, and is what was told; it holds to the published schema."""
    schema = json.loads((ROOT / "docs" / "schemas" / "scan.schema.json").read_text())
    rows = [blocked("a.mp4"), failed("b.mp4")]
    sinking = sink(tmp_path / "rows.jsonl")
    sinking.write(rows[0])
    assert json.loads((tmp_path / "rows.jsonl").read_text()) == rows[0]
    sinking.write(rows[1])
    sinking.close(False)
    found = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert found == rows
    for row in found:
        jsonschema.validate(row, schema)


def test_reviewers_get_a_table(tmp_path: Path) -> None:
    """A line a file with its gravest reason; what a spreadsheet would compute is text, whoever named the file."""
    rows = [blocked("=cmd|' /C calc'!A0", '+1, "quoted"\nnew line'), failed("b.mp4")]
    out = written(tmp_path / "rows.csv", rows)
    with out.open(encoding="utf-8-sig", newline="") as file:
        first, second = csv.DictReader(file)
    assert tuple(first) == COLUMNS
    assert first["path"] == "'=cmd|' /C calc'!A0"
    assert first["text"] == '\'+1, "quoted"\nnew line'
    assert (first["category"], first["score"], first["start_s"], first["frames"]) == ("hate", "0.9", "0.5", "4")
    assert (second["action"], second["error"]) == ("failed", "b.mp4: died")


def test_parquet_keeps_types(tmp_path: Path) -> None:
    """Every field of a row comes back from Parquet as it was, in one file and in a folder of parts."""
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [blocked("a.mp4"), failed("b.mp4")]
    for out in (tmp_path / "rows.parquet", tmp_path / "rows"):
        found = parquet.read_table(written(out, rows)).to_pylist()
        for kept, row in zip(found, rows, strict=True):
            kept["scores"] = dict(kept["scores"])
            riders = {name: kept.pop(name) for name in ("provenance", "detect")}
            assert {name: json.loads(text) for name, text in riders.items() if text is not None} == {
                name: row[name] for name in riders if name in row
            }
            assert kept == {name: value for name, value in row.items() if name not in riders}


def test_duckdb_reads_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB counts, unnests and looks into maps over all parts as over one table."""
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.setattr("assay.batch.parquet.PART", 3)
    monkeypatch.setattr("assay.batch.parquet.GROUP", 2)
    out = written(tmp_path / "rows", [blocked(f"{n}.mp4") for n in range(7)] + [failed("b.mp4")])
    assert len(list(out.iterdir())) == 3
    table = f"'{out}/*.parquet'"
    ask = duckdb.connect().execute
    assert ask(f"SELECT action, count(*) FROM {table} GROUP BY ALL ORDER BY ALL").fetchall() == [
        ("block", 7), (None, 1),
    ]  # fmt: skip
    assert ask(f"SELECT DISTINCT r.category, r.score FROM {table}, unnest(reasons) t(r)").fetchall() == [("hate", 0.9)]
    assert ask(f"SELECT max(scores['hate']), sum(frames.total) FROM {table}").fetchall() == [(0.9, 28)]
    assert ask(f"SELECT error.message FROM {table} WHERE action IS NULL").fetchall() == [("b.mp4: died",)]


def test_what_is_not_whole_does_not_appear(tmp_path: Path) -> None:
    """A run that ends early leaves no table and no Parquet file, and an older one as it was."""
    pytest.importorskip("pyarrow")
    (tmp_path / "old.csv").write_text("old")
    for name in ("old.csv", "rows.parquet"):
        written(tmp_path / name, [blocked("a.mp4")], whole=False)
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]
    assert (tmp_path / "old.csv").read_text() == "old"


def test_a_folder_of_another_scan_is_not_mixed(tmp_path: Path) -> None:
    """Parts of another scan are refused; a run that goes on replaces its own, those it no longer has too."""
    pytest.importorskip("pyarrow")
    out = written(tmp_path / "rows", [failed("b.mp4")])
    (out / "part-00001.parquet").write_bytes(b"of a longer attempt")
    with pytest.raises(UsageError, match="another scan"):
        sink(out)
    going_on = sink(out, resumed=True)
    going_on.write(blocked("a.mp4"))
    going_on.close(True)
    assert [path.name for path in out.iterdir()] == ["part-00000.parquet"]


def test_names_that_cannot_be_written(tmp_path: Path) -> None:
    """A form that nobody writes and a folder that is not there are usage errors."""
    for name in ("rows.xlsx", "no/such/rows.csv", "no/such/rows.jsonl"):
        with pytest.raises(UsageError, match="--out"):
            sink(tmp_path / name)
