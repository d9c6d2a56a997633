from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media import Frame
from safety import Absence, FrameClassifier, ModelUnavailable, Policy, PolicyError
from safety.frame import OpenClipClassifier
from safety.frame.asking import ask
from safety.frame.heads import Head, fit_linear
from safety.frame.openclip import Trained
from safety.frame.scale import scale_document
from tests.safety.frame.contract import FrameClassifierContract

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 40), "blue": (30, 40, 220), "yellow": (230, 220, 20)}
CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
}
TEXTS = {"canary": ("a red picture",), "hate/symbol": ("a blue picture", "a picture in blue")}
NEUTRAL = ("a green picture", "a yellow picture")


def painted(colour: str, rng: np.random.Generator, size: tuple[int, int] = (64, 36)) -> np.ndarray:
    """A picture mostly of one colour, with shade and grain. (H, W, 3)"""
    base = np.array(COLOURS[colour]) * rng.uniform(0.6, 1.0)
    return np.clip(base + rng.normal(0, 20, (size[1], size[0], 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny open_clip model, trained for some seconds to tell colours apart, saved as its users save theirs."""
    import open_clip
    import torch
    from PIL import Image
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("tiny-clip")
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG))
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    name = f"local-dir:{folder}"
    save_file(
        open_clip.create_model(name, require_pretrained=False).state_dict(), folder / "open_clip_model.safetensors"
    )
    model, preprocess = open_clip.create_model_from_pretrained(name, image_resize_mode="squash")
    tokens = open_clip.get_tokenizer(name)
    names = list(COLOURS)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    model.train()
    for step in range(60):
        pictures = torch.stack([preprocess(Image.fromarray(painted(c, rng))) for c in names * 4])
        words = "a {} picture" if step % 2 else "a picture in {}"
        features = model.encode_image(pictures, normalize=True)
        texts = model.encode_text(tokens([words.format(c) for c in names]), normalize=True)
        loss = torch.nn.functional.cross_entropy(features @ texts.T * 20, torch.arange(4).repeat(4))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="module")
def openclip(folder: Path) -> OpenClipClassifier:
    """The classifier over the tiny model, loaded with every socket refused."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        return OpenClipClassifier(str(folder), None, TEXTS, NEUTRAL)


def refuse(*_: object, **__: object) -> None:
    """A network that is not there."""
    raise OSError("no network in this test")


class TestOpenClip(FrameClassifierContract):
    @pytest.fixture
    def classifier(self, openclip: OpenClipClassifier) -> FrameClassifier:
        return openclip


def test_a_signal_goes_from_texts_to_values(openclip: OpenClipClassifier) -> None:
    """Pictures the model never saw score high in the category whose texts describe them, and low in the others."""
    rng = np.random.default_rng(99)
    for colour, high in (("red", "canary"), ("blue", "hate/symbol"), ("green", None), ("yellow", None)):
        frames = [Frame(painted(colour, rng), i, 0.0) for i in range(5)]
        for answer in openclip.score(frames):
            for category, (value, _) in answer.items():
                assert isinstance(value, float)
                assert value > 0.9 if category == high else value < 0.2, (colour, category, value)


def test_the_edges_of_a_wide_frame_are_seen(openclip: OpenClipClassifier) -> None:
    """What stands outside the middle square of a wide picture changes the value: nothing is cropped away."""
    rng = np.random.default_rng(3)
    wide = painted("green", rng, (160, 40))
    edged = wide.copy()
    edged[:, :50] = edged[:, -50:] = COLOURS["red"]
    values = [float(a["canary"][0]) for a in openclip.score([Frame(wide, 0, 0.0), Frame(edged, 1, 0.0)])]  # type: ignore[arg-type]
    assert values[1] > values[0] + 0.1


def test_a_model_that_says_nan_has_failed(openclip: OpenClipClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """A NaN in the model's output is a failure of the frame, never a value."""
    monkeypatch.setattr(openclip, "_scale", float("nan"))
    (answer,), faults = ask(openclip, [Frame(painted("red", np.random.default_rng(0)), 0, 0.0)])
    assert {value for value, _ in answer.values()} == {Absence.FAILED}
    assert len(faults) == len(TEXTS)


@pytest.fixture(scope="module")
def headed(openclip: OpenClipClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head for yellow, trained on the tiny model's embeddings of pictures, beside a category that texts describe."""
    rng = np.random.default_rng(5)
    colours = [*COLOURS] * 12
    embeddings = np.array([openclip.embedding(painted(colour, rng)) for colour in colours])
    labels = np.array([[colour == "yellow", colour == "blue"] for colour in colours])
    path = tmp_path_factory.mktemp("heads") / "yellow.safetensors"
    assert openclip.weights_sha256 is not None
    layers = (fit_linear(embeddings * 8, labels),)
    weight, bias = layers[0]
    Head("colours", ("illicit", "hate/symbol"), openclip.weights_sha256, "Apache-2.0", ((weight * 8, bias),)).save(path)
    return path


class TestOpenClipWithHead(FrameClassifierContract):
    @pytest.fixture
    def classifier(self, folder: Path, headed: Path) -> FrameClassifier:
        return OpenClipClassifier(str(folder), None, TEXTS, NEUTRAL, Trained(heads=(headed,)))


def test_a_head_scores_its_categories_alone(folder: Path, headed: Path, openclip: OpenClipClassifier) -> None:
    """The head's categories are the head's, others stay with the texts, and both tell pictures apart."""
    both = OpenClipClassifier(str(folder), None, TEXTS, NEUTRAL, Trained(heads=(headed,)))
    assert both.categories == ("canary", "hate/symbol", "illicit")
    rng = np.random.default_rng(77)
    for colour, high in (("red", "canary"), ("yellow", "illicit"), ("blue", "hate/symbol"), ("green", None)):
        for answer in both.score([Frame(painted(colour, rng), i, 0.0) for i in range(4)]):
            for category, (value, _) in answer.items():
                assert isinstance(value, float)
                assert value > 0.6 if category == high else value < 0.5, (colour, category, value)
    assert both.weights_sha256 != openclip.weights_sha256
    assert "head colours" in (both.runtime or "")
    alone = OpenClipClassifier(str(folder), None, {}, NEUTRAL, Trained(heads=(headed,)))
    assert alone.categories == ("illicit", "hate/symbol")


def test_a_calibration_maps_what_the_model_says(
    folder: Path, headed: Path, openclip: OpenClipClassifier, tmp_path: Path
) -> None:
    """With a calibration, values are the mapped ones and the posture says so; one for another model is refused."""
    rng = np.random.default_rng(8)
    frames = [Frame(painted("green", rng), 0, 0.0), Frame(painted("red", rng), 1, 0.0)]
    raw = [float(answer["canary"][0]) for answer in openclip.score(frames)]  # type: ignore[arg-type]
    path = tmp_path / "scale.json"
    path.write_text(scale_document(str(openclip.weights_sha256), {"canary": [raw[0]] * 1000}, "the green picture"))
    mapped = OpenClipClassifier(str(folder), None, TEXTS, NEUTRAL, Trained(calibration=path))
    green, red = (float(answer["canary"][0]) for answer in mapped.score(frames))  # type: ignore[arg-type]
    assert raw[0] < green < 0.5 < 0.8 < red
    assert mapped.score(frames)[0]["hate/symbol"] == openclip.score(frames)[0]["hate/symbol"]
    assert "not calibrated" in (openclip.runtime or "")
    assert "not calibrated" not in (mapped.runtime or "")
    with pytest.raises(ModelUnavailable, match="calibrate again"):
        OpenClipClassifier(str(folder), None, TEXTS, NEUTRAL, Trained(heads=(headed,), calibration=path))


def test_heads_that_do_not_fit_are_refused(
    folder: Path, headed: Path, tmp_path: Path, openclip: OpenClipClassifier
) -> None:
    """A head twice, a head of another width and a missing file are ModelUnavailable, before the first frame."""
    with pytest.raises(ModelUnavailable, match="two heads score"):
        OpenClipClassifier(str(folder), None, TEXTS, NEUTRAL, Trained(heads=(headed, headed)))
    narrow = Head("narrow", ("hate",), str(openclip.weights_sha256), "MIT", ((np.zeros((1, 3)), np.zeros(1)),))
    narrow.save(tmp_path / "narrow.safetensors")
    with pytest.raises(ModelUnavailable, match="embeddings of 32"):
        OpenClipClassifier(str(folder), None, TEXTS, NEUTRAL, Trained(heads=(tmp_path / "narrow.safetensors",)))
    with pytest.raises(ModelUnavailable, match="no head"):
        OpenClipClassifier(str(folder), None, TEXTS, NEUTRAL, Trained(heads=(tmp_path / "gone.safetensors",)))


def test_other_texts_are_another_runtime(openclip: OpenClipClassifier, folder: Path) -> None:
    """Scores depend on the descriptions, so the posture tells one set of them from another."""
    other = OpenClipClassifier(str(folder), None, {"canary": ("a crimson picture",)}, NEUTRAL)
    assert other.runtime != openclip.runtime
    assert other.weights_sha256 == openclip.weights_sha256


def test_the_hash_is_that_of_the_weights_file(openclip: OpenClipClassifier, folder: Path) -> None:
    """The posture cites the file that anybody can hash."""
    import hashlib

    content = (folder / "open_clip_model.safetensors").read_bytes()
    assert openclip.weights_sha256 == hashlib.sha256(content).hexdigest()
    assert folder.name in (openclip.runtime or "")
    assert str(folder) not in (openclip.runtime or "")


def test_an_architecture_takes_its_weights_from_a_file(tmp_path: Path) -> None:
    """A built-in name with a path to safetensors loads the same way, offline."""
    import open_clip
    from safetensors.torch import save_file

    open_clip.add_model_config(tiny(tmp_path))
    weights = tmp_path / "weights.safetensors"
    save_file(open_clip.create_model("assay-tiny").state_dict(), weights)
    classifier = OpenClipClassifier("assay-tiny", str(weights), TEXTS, NEUTRAL)
    assert set(classifier.score([Frame(np.zeros((9, 9, 3), np.uint8), 0, 0.0)])[0]) == set(TEXTS)


def tiny(folder: Path) -> Path:
    """An architecture file as open_clip keeps them."""
    path = folder / "assay-tiny.json"
    path.write_text(json.dumps(CONFIG["model_cfg"]))
    return path


def test_the_policys_own_texts_are_used(folder: Path) -> None:
    """Every category that the policy describes in pictures is scored, and no other; no minors among them."""
    policy = Policy.load("default")
    described = {name for name, text in policy.categories.items() if text.zero_shot}
    assert described
    classifier = OpenClipClassifier.of_policy(str(folder), None, policy)
    assert set(classifier.categories) == described
    assert "sexual/minors" not in described


def test_a_policy_without_descriptions_is_refused(folder: Path) -> None:
    """With nothing to look for, the model is not loaded in vain."""
    policy = Policy.load("default")
    bare = {name: text.model_copy(update={"zero_shot": ()}) for name, text in policy.categories.items()}
    with pytest.raises(PolicyError, match="describes no pictures"):
        OpenClipClassifier.of_policy(str(folder), None, policy.model_copy(update={"categories": bare}))
    with pytest.raises(ValueError, match="descriptions"):
        OpenClipClassifier(str(folder), None, {"hate": ()})


def test_pickles_and_missing_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    """No weights, two sets of weights, a pickle, an unknown name, a broken file: ModelUnavailable with the remedy."""
    (tmp_path / "open_clip_config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(ModelUnavailable, match="exactly one"):
        OpenClipClassifier(str(tmp_path), None, TEXTS)
    (tmp_path / "w.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelUnavailable, match=tmp_path.name):
        OpenClipClassifier(str(tmp_path), None, TEXTS)
    (tmp_path / "w.pt").write_bytes(b"pickle")
    with pytest.raises(ModelUnavailable, match="never from a pickle"):
        OpenClipClassifier("ViT-B-32", str(tmp_path / "w.pt"), TEXTS)
    with pytest.raises(ModelUnavailable, match="give `pretrained`"):
        OpenClipClassifier("ViT-B-32", None, TEXTS)
    with pytest.raises(ModelUnavailable, match="no-such-model"):
        OpenClipClassifier("no-such-model", "no-such-tag", TEXTS)


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Without open_clip, the adapter says what to install."""
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ModelUnavailable, match=r"pip install 'assay-video\[openclip\]'"):
        OpenClipClassifier(str(folder), None, TEXTS)


def test_fetched_weights_are_known_by_their_tensors(openclip: OpenClipClassifier) -> None:
    """Where weights came from a hub, names, shapes and values make the hash, and one changed value changes it."""
    import torch

    from safety.frame.openclip import tensor_hash

    tensors = {"a": torch.zeros(3), "b": torch.ones(2, 2)}
    assert tensor_hash(tensors) == tensor_hash(dict(reversed(tensors.items())))
    assert tensor_hash(tensors) != tensor_hash({"a": torch.zeros(3), "b": torch.tensor([[1.0, 1.0], [1.0, 1.001]])})


@pytest.mark.full
def test_the_script_trains_a_head_that_loads(folder: Path, tmp_path: Path) -> None:
    """From folders of pictures to a head file: figures on sources kept back are printed; the head finds its colour."""
    import subprocess

    from PIL import Image

    rng = np.random.default_rng(3)
    for name, colours in (("hate--symbol", ("blue",)), ("benign", ("red", "green", "yellow"))):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(30):
            picture = Image.fromarray(painted(colours[number % len(colours)], rng))
            picture.save(tmp_path / "pictures" / name / f"source{number // 2}{name}_{number}.png")
    root, out = Path(__file__).parents[3], tmp_path / "head.safetensors"
    command = [sys.executable, "scripts/train-head", str(folder), str(tmp_path / "pictures"), str(out)]
    alone = {"PYTHONPATH": str(root), "PATH": ""}
    ran = subprocess.run(command, cwd=root, env=alone, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "hate/symbol: AUC" in ran.stdout
    trained = OpenClipClassifier(str(folder), None, TEXTS, NEUTRAL, Trained(heads=(out,)))
    blue, red = (trained.score([Frame(painted(c, rng), 0, 0.0)])[0]["hate/symbol"][0] for c in ("blue", "red"))
    assert float(blue) > float(red)  # type: ignore[arg-type]
