"""Frame classification by any open_clip model: zero-shot by the policy's own texts, and by heads trained on top.

For every category that the policy describes in pictures (`zero_shot`), a frame's value is the mass that a softmax over
all descriptions, neutral ones among them, puts on the category's own. A category that a trained head scores is the
head's alone. Values are raw unless a calibration file says otherwise: a policy that acts on raw ones should be tuned on
pictures of its own. Nothing is downloaded unless `model` is a hub name or `pretrained` a tag. None is configured
by default.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media import Frame
from safety.errors import ModelUnavailable, PolicyError
from safety.frame.heads import Head, embedding_categories, read_head
from safety.frame.scale import Scale, read_scale
from safety.policy import Policy
from safety.stages import FrameScore

# What most frames show: the softmax needs somewhere to go.
NEUTRAL = (
    "a photo of a street", "a landscape", "people talking", "a person in everyday clothes", "an animal", "a room",
    "food on a table", "a drawing of an everyday scene", "text on a plain background", "an abstract pattern",
    "a blurred picture", "a dark picture",
)  # fmt: skip
_FOLDER = "local-dir:"


@dataclass(frozen=True)
class Trained:
    """Files that belong to a model: heads on its embeddings (`safety.frame.heads`), a calibration (`.scale`)."""

    heads: tuple[Path, ...] = ()
    calibration: Path | None = None


class OpenClipClassifier:
    """One value a frame for each described category, and for each that a head scores.

    model       an architecture of open_clip (`ViT-B-32`), a hub id (`hf-hub:...`), or a folder with
                `open_clip_config.json` and weights in safetensors
    pretrained  for an architecture: a tag that open_clip downloads, or the path of a safetensors file
    texts       category -> descriptions of pictures that violate; may be empty where there are heads

    Raises ModelUnavailable where the extra, the model, its weights or what was trained on them is missing or unfit.
    """

    name, version = "openclip", "2"
    licence = "MIT (open_clip); weights and heads have their authors'"

    def __init__(
        self,
        model: str,
        pretrained: str | None,
        texts: Mapping[str, Sequence[str]],
        neutral: Sequence[str] = NEUTRAL,
        trained: Trained = Trained(),
    ) -> None:
        if not (texts or trained.heads) or not neutral or not all(texts.values()):
            raise ValueError("zero-shot needs descriptions for every category, and neutral ones")
        weights = _weights_file(model, pretrained)
        torch, self._net, self._preprocess, tokenizer = _loaded(model, pretrained)
        self._torch = torch
        own = _file_hash(weights) if weights else tensor_hash(self._net.state_dict())
        self._heads = tuple(read_head(path, own) for path in trained.heads)
        headed = _headed(self._heads)
        # Descriptions of what a head scores stay in the softmax: without them, their mass would fall to others.
        self._described = tuple(texts)
        self.categories: tuple[str, ...] = tuple(dict.fromkeys([*texts, *headed]))
        parts = [own, *(head.sha256 for head in self._heads)]
        self.weights_sha256: str | None = own if len(parts) == 1 else _joined_hash(parts)
        self._scale_file: Scale | None = None
        if trained.calibration is not None:
            self._scale_file = read_scale(trained.calibration, self.weights_sha256)
        described = json.dumps([list(neutral), {name: list(some) for name, some in texts.items()}], sort_keys=True)
        names = [Path(name).name for name in (model, pretrained) if name]
        names += [f"head {head.name} {head.sha256[:12]}" for head in self._heads]
        self.runtime: str | None = (
            f"open_clip {metadata.version('open_clip_torch')}, torch {torch.__version__} cpu fp32, {', '.join(names)}, "
            f"texts {hashlib.sha256(described.encode()).hexdigest()[:16]}, "
            f"{'calibrated' if self._scale_file else 'not calibrated'}"
        )
        with torch.inference_mode():
            self._scale = float(self._net.logit_scale.exp())
            every = [*neutral, *(text for some in texts.values() for text in some)]
            self._texts = self._net.encode_text(tokenizer(every), normalize=True).double().numpy()  # (texts, dim)
        # The row of texts -> the category that it describes, -1 for the neutral ones.
        self._owner = np.repeat([-1, *range(len(texts))], [len(neutral), *map(len, texts.values())])
        started = time.thread_time()
        seen = self.embedding(np.zeros((360, 640, 3), np.uint8))
        self.cost_ms = max(0.1, (time.thread_time() - started) * 1000)
        if wrong := [head.name for head in self._heads if head.width != seen.size]:
            raise ModelUnavailable(f"{', '.join(wrong)}: not made for embeddings of {seen.size} numbers")

    @classmethod
    def of_policy(
        cls,
        model: str,
        pretrained: str | None,
        policy: Policy,
        trained: Trained = Trained(),
    ) -> OpenClipClassifier:
        """The classifier of the policy's own descriptions; PolicyError where it has none, and there are no heads."""
        texts = {category: text.zero_shot for category, text in policy.categories.items() if text.zero_shot}
        if not texts and not trained.heads:
            raise PolicyError(f"policy {policy.id} describes no pictures: give a category `zero_shot` texts")
        return cls(model, pretrained, texts, trained=trained)

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """One mapping a frame. One at a time: on a CPU a batch gains nothing, and would change the last bits."""
        return [self._score(frame.pixels) for frame in frames]

    def _score(self, pixels: NDArray[np.uint8]) -> dict[str, FrameScore]:
        embedding = self.embedding(pixels)
        raw = self._zero_shot(embedding)
        for head in self._heads:
            raw |= head.values(embedding)
        scale = self._scale_file
        return {c: (raw[c] if scale is None else scale.value(c, raw[c]), None) for c in self.categories}

    def _zero_shot(self, embedding: NDArray[np.float64]) -> dict[str, float]:
        logits = self._scale * (self._texts @ embedding)  # (texts,); NaN stays NaN, and so fails
        mass = np.exp(logits - logits.max())
        mass /= mass.sum()
        return {c: float(np.clip(mass[self._owner == i].sum(), 0.0, 1.0)) for i, c in enumerate(self._described)}

    def embedding(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """What heads are trained on: the unit vector (dim,) of a picture uint8 (H, W, 3) RGB."""
        from PIL import Image

        with self._torch.inference_mode():
            batch = self._preprocess(Image.fromarray(pixels)).unsqueeze(0)  # (1, 3, side, side)
            found = self._net.encode_image(batch, normalize=True)  # (1, dim)
        return np.asarray(found[0].double().numpy(), np.float64)


def _headed(heads: Sequence[Head]) -> tuple[str, ...]:
    try:
        return embedding_categories(heads)
    except ValueError as error:
        raise ModelUnavailable(f"heads of an open_clip model: {error}; leave one out") from error


def _joined_hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _loaded(model: str, pretrained: str | None) -> tuple[Any, Any, Any, Any]:
    """torch, the network, its picture transform and its tokenizer."""
    try:
        import open_clip
        import torch
    except ImportError as error:
        raise ModelUnavailable("open_clip needs the extra openclip: pip install 'assay-video[openclip]'") from error
    name = f"{_FOLDER}{model}" if Path(model).is_dir() else model
    try:
        # The default cuts a square from the middle: a frame is squeezed instead, so that its edges are seen too.
        net, preprocess = open_clip.create_model_from_pretrained(name, pretrained, image_resize_mode="squash")
        tokenizer = open_clip.get_tokenizer(name)
    except Exception as error:  # it raises whatever the hub, the file or the configuration made it raise
        raise ModelUnavailable(f"open_clip model {model!r}, weights {pretrained!r}: {error!s:.500}") from error
    return torch, net.eval(), preprocess, tokenizer


def _weights_file(model: str, pretrained: str | None) -> Path | None:
    """The local file that the weights come from; None where open_clip fetches them by name. Refuses pickles."""
    if Path(model).is_dir():
        found = sorted(Path(model).glob("*.safetensors"))
        if len(found) != 1:
            raise ModelUnavailable(f"{model}: needs exactly one .safetensors file of weights, not {len(found)}")
        return found[0]
    if pretrained is None:
        if model.startswith("hf-hub:"):
            return None
        raise ModelUnavailable(f"open_clip model {model!r} is no folder and has no weights: give `pretrained`")
    path = Path(pretrained)
    if path.suffix and path.is_file() and path.suffix != ".safetensors":
        raise ModelUnavailable(f"{pretrained}: weights are read from .safetensors only, never from a pickle")
    return path if path.is_file() else None


def _file_hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def tensor_hash(tensors: Mapping[str, Any]) -> str:
    """sha256 over names, shapes and bytes of the tensors, by name: weights that came without a file of their own."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
