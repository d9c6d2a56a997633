"""`assay scan` over many files, as the command line asks for it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from batch_toys import GREY, RED, clip
from toy_run import TOY_ENVIRONMENT

from assay.cli.main import run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with toys, and two clips beside it."""
    for name, value in (TOY_ENVIRONMENT | {"ASSAY_HOME": str(tmp_path / "clips" / "home")}).items():
        monkeypatch.setenv(name, value)
    clip(tmp_path / "clips" / "grey.mp4", GREY)
    clip(tmp_path / "clips" / "red.mp4", RED)
    (tmp_path / "clips" / "notes.txt").write_text("words")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_is_scanned(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Rows on stdout and in every form; the run's id and its sums on stderr; the home inside the folder is not entered;
    a second command in words tells the same files, and --fail-on gives the code of the gravest.
    """
    assert run(["scan", "clips", "--json", "--out", "rows.csv", "--with", "provenance", "--workers", "1"]) == 0
    told = capfd.readouterr()
    rows = [json.loads(line) for line in told.out.splitlines()]
    assert [row["path"] for row in rows] == ["clips/grey.mp4", "clips/notes.txt", "clips/red.mp4"]
    assert [row["action"] for row in rows] == ["allow", None, "block"]
    assert rows[0]["provenance"]["state"] == "absent"
    assert "3 files: 1 allow, 1 block, 1 skipped" in told.err
    with (home / "rows.csv").open(encoding="utf-8-sig") as file:
        assert [row["action"] for row in csv.DictReader(file)] == ["allow", "skipped", "block"]
    assert run(["scan", "clips", "--fail-on", "review", "--workers", "1", "--report", "page.html"]) == 2
    told = capfd.readouterr()
    assert "BLOCK  clips/red.mp4" in told.out
    assert "skipped clips/notes.txt" in told.err
    assert "wrote page.html" in told.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name what to scan"),
        (["clips", "--shard", "0/3"], "--shard"),
        (["clips", "--since", "soon"], "--since"),
        (["clips", "--with", "horoscope"], "horoscope"),
        (["clips", "--out", "rows.xlsx"], "rows.xlsx"),
        (["clips", "--strip", "s.png"], "--strip"),
        (["clips", "--engine", "ray", "--sign-passed", "passed"], "--engine local"),
        (["*.mkv"], "no file matches"),
    ],
)
def test_what_cannot_be_asked_is_said(
    arguments: list[str], words: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A malformed question is a usage error that names it, and nothing is written."""
    assert run(["scan", *arguments]) == 1
    assert words in capfd.readouterr().err
    assert {path.name for path in home.iterdir()} == {"clips"}
