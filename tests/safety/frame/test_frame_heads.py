"""Heads and calibration files of picture models."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from safety import ModelUnavailable
from safety.frame.heads import FORMAT, Head, embedding_categories, fit_linear, read_head
from safety.frame.scale import Scale, read_scale, scale_document

OWN = "ab" * 32


def head(seed: int = 0, widths: tuple[int, ...] = (8, 5, 2), categories: tuple[str, ...] = ("hate", "canary")) -> Head:
    """A perceptron with random weights, exact in float32."""
    rng = np.random.default_rng(seed)
    layers = tuple(
        (
            rng.normal(size=(b, a)).astype(np.float32).astype(np.float64),
            rng.normal(size=b).astype(np.float32).astype(float),
        )
        for a, b in pairwise(widths)
    )
    return Head("toy", categories, OWN, "Apache-2.0", layers)


@pytest.mark.parametrize("widths", [(8, 2), (8, 5, 2), (8, 16, 4, 2)])
def test_a_head_survives_its_file(tmp_path: Path, widths: tuple[int, ...]) -> None:
    """What is read scores as what was saved, linear or deep, and cites the hash of the file."""
    import hashlib

    path, saved = tmp_path / "head.safetensors", head(widths=widths)
    saved.save(path)
    read = read_head(path, OWN)
    embedding = np.random.default_rng(1).normal(size=8)
    assert read.values(embedding) == saved.values(embedding)
    assert (read.name, read.categories, read.licence, read.width) == ("toy", ("hate", "canary"), "Apache-2.0", 8)
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@given(st.lists(st.floats(-1e6, 1e6), min_size=8, max_size=8))
def test_values_are_probabilities(numbers: list[float]) -> None:
    """Whatever the embedding, each value lies in [0, 1]; what is no number stays none."""
    assert all(0.0 <= value <= 1.0 for value in head().values(np.array(numbers)).values())
    assert all(np.isnan(value) for value in head().values(np.full(8, np.nan)).values())


def test_a_head_of_other_weights_is_refused(tmp_path: Path) -> None:
    """Scores on another model's embeddings would be noise."""
    head().save(tmp_path / "h.safetensors")
    with pytest.raises(ModelUnavailable, match="train it again"):
        read_head(tmp_path / "h.safetensors", "cd" * 32)


@pytest.mark.parametrize("cut", [0, 7, 60, 200])
def test_a_cut_file_is_no_head(tmp_path: Path, cut: int) -> None:
    """A file that ends early is ModelUnavailable with its name."""
    path = tmp_path / "h.safetensors"
    head().save(path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ModelUnavailable, match=r"h\.safetensors: no head"):
        read_head(path, OWN)


@pytest.mark.parametrize(
    ("facts", "tensors", "why"),
    [
        ({"format": "other/1"}, {}, "format"),
        ({"categories": ["nonsense", "hate"]}, {}, "no category"),
        ({"categories": ["sexual/minors", "hate"]}, {}, "a rule, not a head"),
        ({"categories": ["hate"]}, {}, "gives 2 values for 1"),
        ({"categories": ["hate", "hate"]}, {}, "differ"),
        ({}, {"layers.1.weight": np.zeros((2, 9), np.float32), "layers.1.bias": np.zeros(2, np.float32)},
         "does not follow"),
        ({}, {"layers.0.bias": np.full(2, np.nan, np.float32)}, "no number"),
        ({}, {"stray": np.zeros(1, np.float32)}, "no layer"),
    ],
)  # fmt: skip
def test_an_unfit_head_says_why(
    tmp_path: Path, facts: dict[str, object], tensors: dict[str, np.ndarray], why: str
) -> None:
    """Foreign formats, unknown categories, minors, layers that do not fit, NaN and strays are refused by name."""
    from safetensors.numpy import save

    good = {"format": FORMAT, "name": "x", "categories": ["hate", "canary"], "embedding_sha256": OWN, "licence": "MIT"}
    layers = {"layers.0.weight": np.zeros((2, 8), np.float32), "layers.0.bias": np.zeros(2, np.float32)}
    path = tmp_path / "h.safetensors"
    path.write_bytes(save(layers | tensors, {"assay": json.dumps(good | facts)}))
    with pytest.raises(ModelUnavailable, match=why):
        read_head(path, OWN)


def test_two_heads_for_one_category_are_refused() -> None:
    """Which of them counts would be chance."""
    assert embedding_categories([head(categories=("hate", "canary")), head(categories=("illicit", "sexual"))]) == (
        "hate", "canary", "illicit", "sexual",
    )  # fmt: skip
    with pytest.raises(ValueError, match="two heads score hate"):
        embedding_categories([head(), head(categories=("hate", "sexual"))])


def test_a_linear_head_learns_what_is_there() -> None:
    """Two shifted clouds are told apart, each by its own direction; training twice gives the same numbers."""
    rng = np.random.default_rng(0)
    labels = rng.random((300, 2)) < 0.3
    embeddings = rng.normal(size=(300, 6)) + np.hstack([labels * 4.0, np.zeros((300, 4))])
    layer = fit_linear(embeddings, labels)
    assert np.array_equal(layer[0], fit_linear(embeddings, labels)[0])
    trained = Head("t", ("hate", "canary"), OWN, "Apache-2.0", (layer,))
    guesses = np.array([list(trained.values(e).values()) for e in embeddings])
    assert ((guesses > 0.5) == labels).mean() > 0.95
    with pytest.raises(ValueError, match="pictures that show it"):
        fit_linear(embeddings, np.zeros((300, 1), bool))


@settings(deadline=None)
@given(st.integers(0, 999), st.floats(0.05, 20.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_scale_keeps_order_and_its_promise(seed: int, skew: float, low: float, high: float) -> None:
    """A calibration rises, and flags no more of the pictures it was made on than it says."""
    benign = (0.998 * np.random.default_rng(seed).beta(skew, 2.0, 1000)).round(3).tolist()  # with ties
    document = json.loads(scale_document(OWN, {"hate": benign}, "noise"))
    knots = tuple(tuple(knot) for knot in document["categories"]["hate"]["knots"])
    scale = Scale(OWN, {"hate": knots})  # type: ignore[dict-item]
    low, high = sorted((low, high))
    assert 0.0 <= scale.value("hate", low) <= scale.value("hate", high) <= 1.0
    values = [scale.value("hate", value) for value in benign]
    assert sum(value >= 0.5 for value in values) <= 10
    assert sum(value >= 0.8 for value in values) <= 1


def test_a_scale_survives_its_file_and_belongs_to_one_model(tmp_path: Path) -> None:
    """What is read maps as it was written; categories without a map stay raw; another model is refused."""
    path = tmp_path / "scale.json"
    path.write_text(scale_document(OWN, {"hate": list(np.linspace(0.0, 0.4, 2000))}, "a ramp"))
    scale = read_scale(path, OWN)
    assert scale.value("hate", 0.1) < 0.5 < scale.value("hate", 0.399)
    assert scale.value("canary", 0.3) == 0.3
    assert np.isnan(scale.value("hate", float("nan")))
    with pytest.raises(ModelUnavailable, match="calibrate again"):
        read_scale(path, "cd" * 32)
    with pytest.raises(ValueError, match="cannot show"):
        scale_document(OWN, {"hate": [0.1] * 10}, "too few")


FORMAT_ONLY = {"format": "assay-picture-calibration/1", "model_sha256": OWN}
BROKEN_KNOTS = ([[0, 0]], [[0, 0.5], [1, 0.2]], [[0, 0], [0, 1]], [[0, 0], [2, 1]], "no")
BROKEN = [json.dumps(FORMAT_ONLY | {"categories": {"hate": {"knots": knots}}}) for knots in BROKEN_KNOTS]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "x"}', json.dumps(FORMAT_ONLY | {"categories": []}), *BROKEN]
)
def test_a_broken_calibration_is_refused(tmp_path: Path, text: str) -> None:
    """Other formats, maps that fall, single knots and numbers outside [0, 1] are ModelUnavailable."""
    (tmp_path / "scale.json").write_text(text)
    with pytest.raises(ModelUnavailable, match="no calibration file"):
        read_scale(tmp_path / "scale.json", OWN)
    with pytest.raises(ModelUnavailable, match="no calibration file"):
        read_scale(tmp_path / "missing.json", OWN)
