"""`assay likeness`, in this process: people come and go by pseudonym, and settings name the models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_faces import face, write_detector, write_embedder

from assay.assemble import likeness
from assay.cli.main import run
from assay.settings import Likeness, Settings
from media import Frame, write_image

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs the command with the toy models and a home in the test's folder."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSAY_LIKENESS__DETECTOR", str(write_detector(tmp_path / "d.onnx")))
    monkeypatch.setenv("ASSAY_LIKENESS__EMBEDDER", str(write_embedder(tmp_path / "e.onnx")))
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "green.png", face((20, 200, 30)))
    write_image(tmp_path / "red.png", face((220, 60, 10)))
    write_image(tmp_path / "nobody.png", face((0, 0, 0))[:100])

    def ask(*arguments: str) -> tuple[int, str, str]:
        code = int(run(["likeness", *arguments]))
        shown = capfd.readouterr()
        return code, shown.out, shown.err

    return ask


def test_people_come_and_go(command: Command, tmp_path: Path) -> None:
    """Added, listed, found, removed; the assembled classifier finds who was added."""
    assert command("add", "p-1", "green.png", "--threshold", "0.9")[0] == 0
    assert command("add", "c-1", "red.png", "--kind", "consent", "--expires", "2020-01-01")[0] == 0
    rows = [json.loads(line) for line in command("list", "--json")[1].splitlines()]
    assert [(row["kind"], row["person"], row["expired"]) for row in rows] == [
        ("block", "p-1", False), ("consent", "c-1", True),
    ]  # fmt: skip
    assert "EXPIRED" in command("list")[1]
    assert json.loads(command("test", "green.png", "--json")[1])["text"] == "person p-1"
    assert "nobody in the galleries" in command("test", "red.png")[1]
    models = Likeness(detector=tmp_path / "d.onnx", embedder=tmp_path / "e.onnx")
    made = likeness(Settings(home=tmp_path / "home", likeness=models))
    value, _ = made.score([Frame(face((20, 200, 30)), 0, 0.0)])[0]["likeness/public-figure"]
    assert isinstance(value, float)
    assert value > 0.9
    assert command("remove", "p-1")[0] == 0
    assert "nobody" in command("test", "green.png")[1]


def test_mistakes_are_usage_errors(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """No face, no last day of a consent, another threshold, nobody to remove, no models: each with its remedy."""
    command("add", "p-1", "green.png")
    for wrong in (
        ("add", "p-2", "nobody.png"), ("add", "c-1", "red.png", "--kind", "consent"), ("remove", "p-9"),
        ("add", "p-2", "red.png", "--threshold", "0.7"), ("remove", "p-1", "--kind", "consent"),
    ):  # fmt: skip
        code, _, told = command(*wrong)
        assert (code, "assay: " in told) == (1, True), wrong
    for name in ("DETECTOR", "EMBEDDER"):
        monkeypatch.delenv(f"ASSAY_LIKENESS__{name}")
    code, _, told = command("add", "p-2", "red.png")
    assert code == 1
    assert "none ship" in told
