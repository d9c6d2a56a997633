"""A scan of many files without the command line: settings with toys, the rows, the run's id."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.batch.plan import Plan
from assay.batch.run import local, opened
from assay.settings import Settings


@pytest.fixture
def toy_batch(tmp_path: Path) -> Settings:
    """Settings with one calm frame classifier that counts its calls."""
    return Settings(
        home=tmp_path / "home", backend="assay_toys:ToyGenerator", prompt_classifiers=("assay_toys:CalmPrompt",),
        frame_classifiers=("batch_toys:CountingFrame",), nudenet="off",
    )  # fmt: skip


Scan = Callable[..., tuple[str, list[dict[str, Any]]]]


@pytest.fixture
def scan(toy_batch: Settings) -> Scan:
    """Scans what is named with one worker; gives the run's id and its rows in the order in which they were told."""

    def run(*names: object, settings: Settings = toy_batch, resume: bool = False, workers: int = 1, **plan: Any) -> Any:
        rows: list[dict[str, Any]] = []
        with opened(settings, local(settings, workers)) as batch:
            asked = Plan(tuple(map(str, names)), **plan)
            id = batch.scan(asked, resume, lambda _, one: rows.append(one.row), lambda _: None)
        return id, rows

    return run
