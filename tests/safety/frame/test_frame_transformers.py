"""Image classifiers of transformers, by a map from labels to categories."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import numpy as np
import pytest

from media import Frame
from safety import FrameClassifier, ModelUnavailable
from safety.frame.scale import scale_document
from safety.frame.transformers_images import ImageModel, TransformersImageClassifier
from tests.safety.frame.contract import FrameClassifierContract

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 40), "blue": (30, 40, 220), "dark blue": (10, 15, 90)}
LABELS = {"red": "canary", "blue": "hate/symbol", "3": "hate/symbol"}  # 3: the number of "dark blue"


def painted(colour: str, rng: np.random.Generator) -> np.ndarray:
    """A picture of one colour with grain. (36, 64, 3)"""
    return np.clip(np.array(COLOURS[colour]) + rng.normal(0, 15, (36, 64, 3)), 0, 255).astype(np.uint8)


def built(folder: Path, problem: str | None = None, crop: bool = False) -> Path:
    """A tiny ViT, trained for seconds to name colours, saved as its users save theirs."""
    import torch
    from PIL import Image
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=16,
        id2label=dict(enumerate(COLOURS)), label2id={name: i for i, name in enumerate(COLOURS)}, problem_type=problem,
    )  # fmt: skip
    net = ViTForImageClassification(config)
    processor = ViTImageProcessor(size={"height": 32, "width": 32})
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2)
    wanted = torch.arange(4).repeat(4)
    for _ in range(40):
        pictures = [Image.fromarray(painted(name, rng)) for name in [*COLOURS] * 4]
        logits = net(**processor(images=pictures, return_tensors="pt")).logits
        loss = torch.nn.functional.cross_entropy(logits, wanted)
        if problem:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.eye(4)[wanted])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    net.save_pretrained(folder)
    processor.save_pretrained(folder)
    if crop:
        path = folder / "preprocessor_config.json"
        facts = json.loads(path.read_text())
        extra = {"do_center_crop": True, "crop_size": {"height": 32, "width": 32}, "size": {"shortest_edge": 32}}
        path.write_text(json.dumps(facts | extra | {"image_processor_type": "CLIPImageProcessor"}))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's folder."""
    return built(tmp_path_factory.mktemp("Tiny ViT"))


def refuse(*_: object, **__: object) -> None:
    """A network that is not there."""
    raise OSError("no network in this test")


@pytest.fixture(scope="module")
def images(folder: Path) -> TransformersImageClassifier:
    """The classifier, loaded with every socket refused."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        return TransformersImageClassifier(ImageModel(str(folder), LABELS, licence="Apache-2.0"))


class TestTransformersImages(FrameClassifierContract):
    @pytest.fixture
    def classifier(self, images: TransformersImageClassifier) -> FrameClassifier:
        return images


def test_labels_become_categories(images: TransformersImageClassifier) -> None:
    """Pictures never seen score in the category that their label means; two labels of one category add up."""
    rng = np.random.default_rng(9)
    assert images.categories == ("canary", "hate/symbol")
    assert images.licence == "Apache-2.0"
    for colour, high in (("red", "canary"), ("blue", "hate/symbol"), ("dark blue", "hate/symbol"), ("green", None)):
        for answer in images.score([Frame(painted(colour, rng), i, 0.0) for i in range(3)]):
            for category, (value, where) in answer.items():
                assert isinstance(value, float)
                assert where is None
                assert value > 0.6 if category == high else value < 0.4, (colour, category, value)


def test_a_model_of_many_labels_answers_each_by_itself(tmp_path: Path) -> None:
    """With independent labels, a category's value is the largest of its labels, and values need not add up to one."""
    classifier = TransformersImageClassifier(
        ImageModel(str(built(tmp_path / "multi", "multi_label_classification")), LABELS | {"green": "illicit"})
    )
    (answer,) = classifier.score([Frame(painted("blue", np.random.default_rng(1)), 0, 0.0)])
    assert float(answer["hate/symbol"][0]) > 0.5 > float(answer["canary"][0])  # type: ignore[arg-type]


def test_edges_are_seen_where_the_model_would_crop(tmp_path: Path) -> None:
    """A processor that cuts out the middle is made to squeeze, so a change at the edge changes the value."""
    classifier = TransformersImageClassifier(ImageModel(str(built(tmp_path / "crop", crop=True)), LABELS))
    plain = np.full((32, 160, 3), 120, np.uint8)
    edged = plain.copy()
    edged[:, :40] = edged[:, -40:] = COLOURS["red"]
    values = [answer["canary"][0] for answer in classifier.score([Frame(plain, 0, 0.0), Frame(edged, 1, 0.0)])]
    assert values[0] != values[1]


def test_a_calibration_is_applied(folder: Path, tmp_path: Path) -> None:
    """A calibration for these weights maps the raw value; one for others is refused."""
    from safety.frame.transformers_images import folder_hash

    frame = Frame(painted("green", np.random.default_rng(2)), 0, 0.0)
    raw = TransformersImageClassifier(ImageModel(str(folder), LABELS)).score([frame])[0]["canary"][0]
    path = tmp_path / "scale.json"
    path.write_text(scale_document(str(folder_hash(folder)), {"canary": [float(raw)] * 1000}, "one picture"))  # type: ignore[arg-type]
    mapped = TransformersImageClassifier(ImageModel(str(folder), LABELS, calibration=path))
    assert float(raw) < float(mapped.score([frame])[0]["canary"][0]) < 0.5  # type: ignore[arg-type]
    path.write_text(scale_document("ab" * 32, {"canary": [0.1] * 1000}, "another model"))
    with pytest.raises(ModelUnavailable, match="calibrate again"):
        TransformersImageClassifier(ImageModel(str(folder), LABELS, calibration=path))


def test_other_labels_or_weights_are_another_model(images: TransformersImageClassifier, folder: Path) -> None:
    """The hash that the posture cites covers the weights and what the labels were said to mean."""
    other = TransformersImageClassifier(ImageModel(str(folder), {"red": "canary"}))
    assert other.weights_sha256 != images.weights_sha256
    assert TransformersImageClassifier(ImageModel(str(folder), LABELS)).weights_sha256 == images.weights_sha256
    assert images.name == "images-tiny-vit0"


@pytest.mark.parametrize(
    ("labels", "why"),
    [({}, "say which"), ({"purple": "canary"}, "no label 'purple'"), ({"red": "nonsense"}, "no category")],
)
def test_a_map_that_does_not_fit_is_refused(folder: Path, labels: dict[str, str], why: str) -> None:
    """No labels, labels that the model lacks and categories that nobody knows are ModelUnavailable."""
    with pytest.raises(ModelUnavailable, match=why):
        TransformersImageClassifier(ImageModel(str(folder), labels))


def test_what_cannot_be_loaded_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub name without permission to download, a pickle, an empty folder and a missing extra say what to do."""
    with pytest.raises(ModelUnavailable, match="download = true"):
        TransformersImageClassifier(ImageModel("nobody/such-model", LABELS))
    with pytest.raises(ModelUnavailable, match="image classifier"):
        TransformersImageClassifier(ImageModel(str(tmp_path), LABELS))
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (pickled / name).write_bytes((folder / name).read_bytes())
    (pickled / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(ModelUnavailable, match="image classifier"):
        TransformersImageClassifier(ImageModel(str(pickled), LABELS))
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelUnavailable, match=r"pip install 'assay-video\[transformers\]'"):
        TransformersImageClassifier(ImageModel(str(folder), LABELS))
