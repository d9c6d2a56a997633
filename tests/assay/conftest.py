"""Settings with toy stages, and a way to run the command line in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_run import assay_environment

from assay.settings import Settings


@pytest.fixture
def toy_settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with calm toy stages; a test replaces one of them by a broken one."""

    def make(**changes: Any) -> Settings:
        calm = {
            "home": tmp_path / "home",
            "backend": "assay_toys:ToyGenerator",
            "prompt_classifiers": ("assay_toys:CalmPrompt",),
            "frame_classifiers": ("assay_toys:CalmFrame",),
            "nudenet": "off",
        }
        return Settings(**{**calm, **changes})

    return make


@pytest.fixture
def run_assay(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `python -m assay ...` as a user would, with a home of its own."""

    def run(*arguments: str, stdin: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "assay", *arguments], input=stdin, capture_output=True, text=True, check=False,
            cwd=tmp_path, env=assay_environment(tmp_path, **environment), timeout=240,
        )  # fmt: skip

    return run
