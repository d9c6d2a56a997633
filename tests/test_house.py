"""The house itself: public names, quick roots, honest README, model cards that match their weights."""

from __future__ import annotations

import hashlib
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("assay", "classifier", "generator", "media", "provenance", "safety", "safety.frame", "safety.prompt")
CARDS = sorted((ROOT / "docs" / "model-cards").glob("*.md"))


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_resolve(name: str) -> None:
    """Every name that a package root promises is there."""
    package = importlib.import_module(name)
    for public in package.__all__:
        assert getattr(package, public) is not None


def test_roots_import_nothing_heavy() -> None:
    """Importing every package root loads no model library."""
    code = f"import sys, {', '.join(PACKAGES)}; print(' '.join(sys.modules))"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"torch", "cv2", "onnxruntime", "c2pa", "av", "open_clip", "nudenet", "rapidocr", "sqlalchemy"}


def test_readme_table_is_fresh() -> None:
    """The README's table of what evaluates what is the one that the assembled classifiers give."""
    subprocess.run([sys.executable, "scripts/coverage-table", "--verify"], cwd=ROOT, check=True)


def test_there_are_model_cards() -> None:
    """The models that ship have cards."""
    assert {"prompt-classifier.md", "embedded-generator.md"} <= {card.name for card in CARDS}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_model_card_is_whole(card: Path) -> None:
    """A card says purpose, input, output, training, licence, measured figures and limits."""
    text = card.read_text("utf-8").lower()
    for word in ("purpose", "input", "output", "licen", "limit", "measured"):
        assert word in text, word
    assert re.search(r"train", text), "training data, or that there is none"


def test_committed_weights_match_a_card() -> None:
    """Every committed weight file has its sha256 in a model card, and is no pickle."""
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    weights = [
        ROOT / name for name in files if name.endswith((".safetensors", ".npz", ".onnx", ".pt", ".pth", ".pkl", ".bin"))
    ]
    cards = "\n".join(card.read_text("utf-8") for card in CARDS)
    assert weights
    for path in weights:
        assert path.suffix in (".safetensors", ".npz", ".onnx"), path
        assert hashlib.sha256(path.read_bytes()).hexdigest() in cards, path
    assert sum(path.stat().st_size for path in weights) < 120e6
