"""`assay policy diff`: by category, with examples that are true and a load that is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from run_toys import Seen, run_of

from assay.cli.main import run as assay
from assay.ledger import Ledger
from safety import Policy

POLICY = Policy.load("default")
FILES = [
    *(Seen(f"calm-{n}.mp4", {"sexual": [0.1] * 4, "hate": [0.2] * 4}) for n in range(6)),
    Seen("hate.mp4", {"sexual": [0.0] * 4, "hate": [0.0, 0.6, 0.6, 0.0]}),
    Seen("same-hate.mp4", {"sexual": [0.0] * 4, "hate": [0.0, 0.6, 0.6, 0.0]}, content="hate.mp4"),
    Seen("both.mp4", {"sexual": [0.0, 0.9, 0.0, 0.0], "hate": [0.0, 0.6, 0.6, 0.0]}),
    Seen("new.mp4", {"sexual": [0.0] * 4, "hate": [0.0, 0.45, 0.0, 0.0]}),
]
NEW = """
extends: default
id: new
version: "1"
description: hate from lower on, and blocked earlier
rules:
  - {id: frame-hate-review, threshold: 0.4}
  - {id: frame-hate-block, threshold: 0.55}
  - {id: frame-sexual-block, threshold: 0.95}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    (tmp_path / "new.yaml").write_text(NEW)
    ledger = Ledger(f"sqlite:///{tmp_path / 'home' / 'ledger.sqlite'}")
    run_of(ledger, POLICY, FILES)
    ledger.close()
    return tmp_path


def test_what_changes_is_told_by_category(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every path counts, duplicates too; a category's change is told where the file's action stays, and set apart."""
    told = ["policy", "diff", "latest", "--policy", str(home / "new.yaml"), "--as-scored", "--json"]
    assert assay([*told, "--files-per-day", "1000", "--examples", "1"]) == 0
    *categories, whole = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    by_name = {row["category"]: row for row in categories}
    hate, sexual = by_name["hate"], by_name["sexual"]
    assert hate["then"] == {"review": 3, "block": 0}
    assert hate["now"] == {"review": 1, "block": 3}
    assert hate["moves"] == [
        {"then": "allow", "now": "review", "files": 1}, {"then": "review", "now": "block", "files": 3},
    ]  # fmt: skip
    assert hate["decisive"] == 3  # both.mp4 was blocked for something else already, and stays so
    assert len(hate["examples"]) == 1
    assert sexual["moves"] == [{"then": "block", "now": "review", "files": 1}]
    assert sexual["decisive"] == 0
    example = sexual["examples"][0]
    assert (example["path"], example["file_then"], example["file_now"]) == ("both.mp4", "block", "block")
    assert (whole["files"], whole["changed"]) == (10, 3)
    assert (whole["review_then"]["files"], whole["review_now"]["files"]) == (2, 1)
    assert whole["review_now"]["per_day"] == pytest.approx(100)
    assert whole["review_now"]["per_day_low"] < 100 < whole["review_now"]["per_day_high"]


def test_in_words(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for people; without a rate no number a day is made up."""
    assert assay(["policy", "diff", "latest", "--policy", str(home / "new.yaml"), "--as-scored"]) == 0
    words = capsys.readouterr().out
    assert "hate: 1 allow -> review, 3 review -> block; 3 of them change the file's action" in words
    assert "new.mp4: allow -> review (frame-hate-review, 0.45 at 0.10 s)" in words
    assert "3 of 10 files would change under new@1" in words
    assert "a day" not in words
    told = ["policy", "diff", "latest", "--policy", str(home / "new.yaml"), "--as-scored", "--files-per-day", "500"]
    assert assay(told) == 0
    assert "at 500 files a day" in capsys.readouterr().out


def test_nothing_changes_under_the_same_policy(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A policy against itself: no category moves."""
    assert assay(["policy", "diff", "latest", "--policy", "default", "--as-scored", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(row["changed"] == 0 for row in rows)


def test_refused_files_are_not_counted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files that do not speak for the policy are told apart, with exit code 4, and stand in no sum."""
    words = "categories:\n  hate: {definition: Attacks people for who they are., violates: [a], allows: [b],"
    (home / "new.yaml").write_text(NEW + words + " zero_shot: [other]}\n")
    told = ["policy", "diff", "latest", "--policy", str(home / "new.yaml"), "--as-scored"]
    assert assay([*told, "--json"]) == 4
    shown = capsys.readouterr()
    assert json.loads(shown.out)["files"] == 0
    assert "refused for 10 files" in shown.err
    assert assay(told) == 4
    assert "0 of 0 files" in capsys.readouterr().out
