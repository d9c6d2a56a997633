"""How the tests run the command line: this checkout, the toys on the path, a home in the test's folder."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOYS = ROOT / "tests" / "toys"


def assay_environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a command: this checkout, the toys, a home in the test's folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    return {**kept, "ASSAY_HOME": str(home / "home"), "PYTHONPATH": f"{ROOT}:{TOYS}", **more}


TOY_ENVIRONMENT = {
    "ASSAY_BACKEND": "assay_toys:ToyGenerator",
    "ASSAY_PROMPT_CLASSIFIERS": '["assay_toys:CalmPrompt"]',
    "ASSAY_FRAME_CLASSIFIERS": '["assay_toys:CalmFrame"]',
    "ASSAY_NUDENET": "off",
}
