"""Trained heads on the embeddings of an image model: a linear layer or a small perceptron, in one safetensors file.

    tensors    layers.0.weight (out, in), layers.0.bias (out,), layers.1.weight ...; float32
    metadata   assay: JSON {"format": "assay-head/1", "name", "categories": [...], "embedding_sha256", "licence"}

Between layers stands a ReLU, after the last a sigmoid: one value for each category, independent of the others. A head
belongs to the weights on whose embeddings it was trained and is refused by any other. `scripts/train-head` makes one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safety.category import is_category
from safety.errors import ModelUnavailable

FORMAT = "assay-head/1"
_LARGEST = 256 << 20  # bytes; a perceptron of 1024 to 4096 to 16 has 17 MB
_STEPS, _RIDGE = 25, 1e-2

Layer = tuple[NDArray[np.float64], NDArray[np.float64]]  # weight (out, in), bias (out,)


@dataclass(frozen=True)
class Head:
    """Layers, what they score, and the embedding that they were trained on."""

    name: str
    categories: tuple[str, ...]
    embedding_sha256: str
    licence: str
    layers: tuple[Layer, ...]
    sha256: str = ""  # of the file it came from

    def __post_init__(self) -> None:
        """ValueError where layers do not fit each other or the categories."""
        if not self.layers or not self.categories or len(set(self.categories)) != len(self.categories):
            raise ValueError("a head needs layers, and categories that differ")
        if unknown := [name for name in self.categories if not is_category(name)]:
            raise ValueError(f"{', '.join(unknown)}: no category; see safety.CATEGORIES")
        if "sexual/minors" in self.categories:
            raise ValueError("sexual/minors is a rule, not a head: nobody trains on such pictures here")
        width = self.width
        for weight, bias in self.layers:
            if weight.ndim != 2 or weight.shape != (bias.size, width) or bias.ndim != 1:
                raise ValueError(f"a layer {weight.shape} with bias {bias.shape} does not follow one of {width}")
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise ValueError("a layer holds what is no number")
            width = bias.size
        if width != len(self.categories):
            raise ValueError(f"the last layer gives {width} values for {len(self.categories)} categories")

    @property
    def width(self) -> int:
        """Numbers of an embedding."""
        return int(self.layers[0][0].shape[-1])

    def values(self, embedding: NDArray[np.float64]) -> dict[str, float]:
        """The value of each category for an embedding (width,); NaN in, NaN out."""
        signal = embedding
        for weight, bias in self.layers[:-1]:
            signal = np.maximum(weight @ signal + bias, 0.0)
        weight, bias = self.layers[-1]
        logits = np.clip(weight @ signal + bias, -60.0, 60.0)  # (categories,)
        return {c: float(v) for c, v in zip(self.categories, 1.0 / (1.0 + np.exp(-logits)), strict=True)}

    def save(self, path: Path) -> None:
        """Writes the file that `read_head` reads."""
        from safetensors.numpy import save

        facts = {"format": FORMAT, "name": self.name, "categories": self.categories}
        facts |= {"embedding_sha256": self.embedding_sha256, "licence": self.licence}
        tensors = {
            f"layers.{place}.{part}": np.ascontiguousarray(values, np.float32)
            for place, layer in enumerate(self.layers)
            for part, values in zip(("weight", "bias"), layer, strict=True)
        }
        path.write_bytes(save(tensors, {"assay": json.dumps(facts)}))


def read_head(path: Path, embedding_sha256: str | None) -> Head:
    """The head in a file; ModelUnavailable where it is none, or belongs to other weights than these."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"larger than {_LARGEST} bytes")
        content = path.read_bytes()
        facts, tensors = _opened(content)
        layers: list[Layer] = []
        while f"layers.{len(layers)}.weight" in tensors:
            weight, bias = (tensors[f"layers.{len(layers)}.{part}"] for part in ("weight", "bias"))
            layers.append((weight.astype(np.float64), bias.astype(np.float64)))
        if len(tensors) != 2 * len(layers):
            raise ValueError("it holds tensors that belong to no layer")
        head = Head(
            facts["name"], tuple(facts["categories"]), facts["embedding_sha256"], facts["licence"], tuple(layers),
            hashlib.sha256(content).hexdigest(),
        )  # fmt: skip
    except Exception as error:  # safetensors has an error of its own, and a hostile header may raise anything else
        raise ModelUnavailable(f"{path}: no head that can be used ({error!s:.300}); see docs/models.md") from error
    if head.embedding_sha256 != embedding_sha256:
        raise ModelUnavailable(
            f"{path}: trained on embeddings of weights {head.embedding_sha256[:12]}, not {str(embedding_sha256)[:12]}; "
            "train it again with scripts/train-head"
        )
    return head


def _opened(content: bytes) -> tuple[Mapping[str, Any], dict[str, NDArray[Any]]]:
    from safetensors.numpy import load

    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    facts = json.loads(header["__metadata__"]["assay"])
    if facts["format"] != FORMAT:
        raise ValueError(f"its format is {facts['format']!r}, not {FORMAT!r}")
    return facts, dict(load(content))


def fit_linear(embeddings: NDArray[np.float64], labels: NDArray[np.bool_]) -> Layer:
    """A logistic regression per category by Newton's method with a small ridge, classes weighed alike.

    embeddings (N, width), labels (N, categories); deterministic. ValueError where a category has no picture, or all.
    """
    shown = labels.sum(axis=0)  # (categories,)
    if not ((shown > 0) & (shown < len(labels))).all():
        raise ValueError("every category needs pictures that show it and pictures that do not")
    design = np.hstack([embeddings, np.ones((len(embeddings), 1))])  # (N, width + 1)
    fitted = np.array([_newton(design, labels[:, column]) for column in range(labels.shape[1])])
    return fitted[:, :-1], fitted[:, -1]


def _newton(design: NDArray[np.float64], wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
    weighing = np.where(wanted, 0.5 / wanted.sum(), 0.5 / (~wanted).sum())  # (N,) sums to 1
    ridge = np.full(design.shape[1], _RIDGE)
    ridge[-1] = 1e-9  # the bias is free
    found = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        guess = 1.0 / (1.0 + np.exp(-np.clip(design @ found, -30, 30)))
        gradient = design.T @ (weighing * (guess - wanted)) + ridge * found
        curvature = (design * (weighing * guess * (1 - guess))[:, None]).T @ design + np.diag(ridge)
        found = found - np.linalg.solve(curvature, gradient)
    return found


def embedding_categories(heads: Sequence[Head]) -> tuple[str, ...]:
    """The categories of several heads; ValueError where two score the same one."""
    names = [name for head in heads for name in head.categories]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two heads score {', '.join(sorted(twice))}")
    return tuple(names)
