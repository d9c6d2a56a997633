"""The table of what evaluates what cites figures of the very version that is assembled, or says what it needs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.assemble import assemble
from assay.report.coverage import UNMEASURED, Extra, Figures, coverage_table, read_figures
from assay.settings import Settings
from safety import is_category
from safety.frame import CanaryClassifier, NudenetClassifier, OcrClassifier, OpenClipClassifier

ROOT = Path(__file__).parents[2]
CARDS = ROOT / "docs" / "model-cards"


def table(toy_settings: Callable[..., Settings], figures: Figures, *extras: Extra) -> str:
    """The table of an installation whose only eye is the toy that scores everything."""
    settings = toy_settings(frame_classifiers=("assay_toys:CalmFrame",), backend="procedural", nudenet="off")
    return coverage_table(assemble(settings, "table-test", generator=True), figures, extras)


def test_a_figure_stands_in_its_cell_and_no_other(toy_settings: Callable[..., Settings]) -> None:
    """A figure appears for its model, category and stage; the next stage of the same model has none."""
    said = table(toy_settings, {("calmframe@1", "hate/symbol", "frame"): "9 of 10 on a named set"})
    (row,) = [line for line in said.splitlines() if line.startswith("| hateful imagery")]
    image, frame = row.split(" | ")[2:4]
    assert "`hate/symbol`: calmframe (9 of 10 on a named set)" in frame
    assert f"`hate/symbol`: calmframe ({UNMEASURED})" in image


def test_another_version_has_no_figure(toy_settings: Callable[..., Settings]) -> None:
    """What was measured on one version is not cited for another."""
    assert "old news" not in table(toy_settings, {("calmframe@0", "hate/symbol", "frame"): "old news"})


def test_what_is_missing_says_what_an_extra_would_add(toy_settings: Callable[..., Settings]) -> None:
    """A category without a model names what it needs, and what an extra model was measured to do."""
    settings = toy_settings(frame_classifiers=(), backend="procedural", nudenet="off")
    stages = assemble(settings, "table-test", generator=True)
    figures = {("nudenet@3.4.2", "sexual", "frame"): "0 of 300"}
    said = coverage_table(stages, figures, [Extra("the `[nudenet]` extra", "nudenet@3.4.2", ("sexual",))])
    needs = "not evaluated: needs the `[nudenet]` extra or an open_clip model"
    assert f"`sexual`: {needs}; with the `[nudenet]` extra: 0 of 300" in said
    assert "`hate/symbol`: not evaluated: needs an open_clip model |" in said


@pytest.mark.parametrize(
    "document",
    [
        {"figures": [{"category": "hate", "stages": ["frame"], "says": "x"}]},
        {"model": "a@1", "figures": [{"category": "hate", "stages": ["nowhere"], "says": "x"}]},
        {"model": "a@1", "figures": [{"category": "hate", "stages": ["frame"]}]},
        {"model": "a@1", "figures": [{"category": "hate", "stages": ["frame", "frame"], "says": "x"}]},
    ],
)
def test_a_broken_file_of_figures_is_refused(tmp_path: Path, document: dict[str, object]) -> None:
    """No model, an unknown stage, no words, the same cell twice: not a table with holes."""
    (tmp_path / "x.figures.json").write_text(json.dumps(document))
    with pytest.raises((KeyError, ValueError)):
        read_figures(tmp_path)


def test_the_figures_speak_of_models_that_ship() -> None:
    """Every figure is of the present version of one of our models, and of a category that exists."""
    from safety.prompt import EmbeddedPromptClassifier

    present = {f"{one.name}@{one.version}" for one in (OcrClassifier, OpenClipClassifier, CanaryClassifier)}
    present |= {f"{NudenetClassifier.name}@3.4.2", f"embedded-prompt@{EmbeddedPromptClassifier.version}"}
    figures = read_figures(CARDS)
    ours = {key for key in figures if key[0].partition("@")[0] in {name.partition("@")[0] for name in present}}
    assert {model for model, _, _ in ours} <= present
    assert all(is_category(category) for _, category, _ in figures)
    assert all(words for words in figures.values())


def test_a_stale_table_is_noticed(tmp_path: Path) -> None:
    """--verify fails where a figure changed and the table did not, and says which file and what to run."""
    for name in ("scripts", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "README.md", tmp_path / "README.md")
    readme = (tmp_path / "README.md").read_text()
    (tmp_path / "README.md").write_text(readme.replace("| extreme violence |", "| extreme silence |", 1))
    ran = subprocess.run(
        [sys.executable, str(tmp_path / "scripts" / "coverage-table"), "--verify"],
        cwd=ROOT, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": ""}, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "README.md: the coverage table is stale; run scripts/coverage-table" in ran.stderr
