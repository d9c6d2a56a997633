"""The weights that are committed: small, whole, of this version's figures, and able to paint what is asked."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from generator import EmbeddedGenerator, Frames, GenerationRequest, Preview, weights_file
from generator.weights_file import FILE, FOLDER


def test_the_committed_weights_are_small_and_whole() -> None:
    """The weights in the package are at most 25 MB, match their card, and the network they make denoises to a clip."""
    assert (FOLDER / FILE).stat().st_size <= 25_000_000
    model = EmbeddedGenerator()
    request = GenerationRequest("a red ball over the sea", size=(64, 40), fps=Fraction(8), steps=4)
    previews = [event for event in model.generate(request) if isinstance(event, Preview)]
    first, last = previews[0].frames().astype(float), previews[-1].frames().astype(float)
    assert np.abs(first - last).mean() > 1  # steps change the picture
    assert last.std() > 5


@pytest.mark.parametrize("background", ["sea", "night", "desert"])
def test_the_committed_weights_paint_the_background_asked_for(background: str) -> None:
    """The reader finds the background of the prompt in what the committed network paints."""
    from generator.world.reader import measure

    request = GenerationRequest(f"a red ball stands still in the {background}", size=(64, 40), fps=Fraction(8), steps=8)
    clip = [event.pixels for event in EmbeddedGenerator().generate(request) if isinstance(event, Frames)]
    assert measure(np.concatenate(clip)).background == background


def test_the_figures_are_of_the_committed_weights() -> None:
    """The metrics and the model card beside them were measured on the weights that are committed."""
    cards = Path(__file__).parents[2] / "docs" / "model-cards"
    metrics = json.loads((cards / "embedded-generator.json").read_text())
    card = (cards / "embedded-generator.md").read_text()
    assert metrics["weights_sha256"] == weights_file.read_card().sha256
    assert f"`{metrics['weights_sha256']}`" in card
    for name, row in metrics["following"].items():
        assert f"| {name} | {row['accuracy']:.2f} |" in card
