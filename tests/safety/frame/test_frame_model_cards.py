from __future__ import annotations

import hashlib
from importlib import metadata, resources
from pathlib import Path

import pytest

from safety.frame import CanaryClassifier, NudenetClassifier, OcrClassifier, OpenClipClassifier
from safety.frame.nudenet import COUNTED
from safety.frame.ocr import LANGUAGE_LETTERS, MIN_CONFIDENCE, MIN_LETTERS
from safety.frame.reader import MEASURED

CARDS = Path(__file__).parents[3] / "docs" / "model-cards"


@pytest.mark.parametrize("model", [CanaryClassifier, OcrClassifier, OpenClipClassifier])
def test_a_card_speaks_of_the_version_that_ships(model: type) -> None:
    """The card of each model of ours is about its present version."""
    card = (CARDS / f"{model.name}.md").read_text()
    assert card.startswith(f"# {model.name}@{model.version}:")


def test_the_card_of_nudenet_is_about_the_weights_that_are_installed() -> None:
    """Hash, licence and counted classes in the card are those of the adapter."""
    card, model = (CARDS / "nudenet.md").read_text(), NudenetClassifier()
    assert model.weights_sha256 is not None
    assert model.weights_sha256 in card
    assert model.licence in card
    assert all(name in card for name in COUNTED)


def test_the_card_of_ocr_is_about_the_weights_that_were_measured() -> None:
    """The card names rapidocr's models with the hashes of the installed ones, and the minimum of a text."""
    card = (CARDS / "ocr.md").read_text()
    for name in MEASURED.values():
        content = (resources.files("rapidocr") / "models" / name).read_bytes()
        assert f"`{name}` `{hashlib.sha256(content).hexdigest()}`" in card
    assert f"rapidocr {metadata.version('rapidocr')}" in card
    assert f"confidence of {MIN_CONFIDENCE}" in card
    assert f"{MIN_LETTERS} letters" in card
    assert f"{LANGUAGE_LETTERS} letters" in card


def test_the_cards_of_configured_models_say_that_nothing_was_measured() -> None:
    """Models that an operator brings have a card of their adapter, and no figure that is not theirs."""
    for name, title in (("vlm", "# vlm@1:"), ("images", "# images-NAME@1:")):
        card = (CARDS / f"{name}.md").read_text()
        assert card.startswith(title)
        assert "**Measured.** Nothing about any category" in card
    assert "**No figure is claimed for any category**" in (CARDS / "openclip.md").read_text()
