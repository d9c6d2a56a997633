"""Zero-shot frame classification: any open_clip model, described by the policy's own texts. Not configured by default.

For every category that the policy describes in pictures (`zero_shot`), a frame's value is the mass that a softmax over
all descriptions, neutral ones among them, puts on the category's own. Values are not calibrated: a policy that acts on
them should be tuned on pictures of its own. Nothing is downloaded unless `model` is a hub name or `pretrained` a tag.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media import Frame
from safety.errors import ModelUnavailable, PolicyError
from safety.policy import Policy
from safety.stages import FrameScore

# What most frames show: the softmax needs somewhere to go.
NEUTRAL = (
    "a photo of a street", "a landscape", "people talking", "a person in everyday clothes", "an animal", "a room",
    "food on a table", "a drawing of an everyday scene", "text on a plain background", "an abstract pattern",
    "a blurred picture", "a dark picture",
)  # fmt: skip
_FOLDER = "local-dir:"


class OpenClipClassifier:
    """One value a frame for each described category.

    model       an architecture of open_clip (`ViT-B-32`), a hub id (`hf-hub:...`), or a folder with
                `open_clip_config.json` and weights in safetensors
    pretrained  for an architecture: a tag that open_clip downloads, or the path of a safetensors file
    texts       category -> descriptions of pictures that violate

    Raises ModelUnavailable where the extra, the model or its weights are missing.
    """

    name, version = "openclip", "1"
    licence = "MIT (open_clip); the weights' own licence is their author's"

    def __init__(
        self,
        model: str,
        pretrained: str | None,
        texts: Mapping[str, Sequence[str]],
        neutral: Sequence[str] = NEUTRAL,
    ) -> None:
        self.categories: tuple[str, ...] = tuple(texts)
        if not texts or not neutral or not all(texts.values()):
            raise ValueError("zero-shot needs descriptions for every category, and neutral ones")
        weights = _weights_file(model, pretrained)
        torch, self._net, self._preprocess, tokenizer = _loaded(model, pretrained)
        self._torch = torch
        self.weights_sha256: str | None = _file_hash(weights) if weights else _tensor_hash(self._net.state_dict())
        described = json.dumps([list(neutral), {name: list(some) for name, some in texts.items()}], sort_keys=True)
        self.runtime: str | None = (
            f"open_clip {metadata.version('open_clip_torch')}, torch {torch.__version__} cpu fp32, "
            f"{' '.join([Path(model).name, *([Path(pretrained).name] if pretrained else [])])}, "
            f"texts {hashlib.sha256(described.encode()).hexdigest()[:16]}"
        )
        with torch.inference_mode():
            self._scale = float(self._net.logit_scale.exp())
            every = [*neutral, *(text for some in texts.values() for text in some)]
            self._texts = self._net.encode_text(tokenizer(every), normalize=True).double().numpy()  # (texts, dim)
        # The row of texts -> the category that it describes, -1 for the neutral ones.
        self._owner = np.repeat([-1, *range(len(texts))], [len(neutral), *map(len, texts.values())])
        started = time.thread_time()
        self._embedding(np.zeros((360, 640, 3), np.uint8))
        self.cost_ms = max(0.1, (time.thread_time() - started) * 1000)

    @classmethod
    def of_policy(cls, model: str, pretrained: str | None, policy: Policy) -> OpenClipClassifier:
        """The classifier of the policy's own descriptions; PolicyError where it has none."""
        texts = {category: text.zero_shot for category, text in policy.categories.items() if text.zero_shot}
        if not texts:
            raise PolicyError(f"policy {policy.id} describes no pictures: give a category `zero_shot` texts")
        return cls(model, pretrained, texts)

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """One mapping a frame. One at a time: on a CPU a batch gains nothing, and would change the last bits."""
        return [self._score(frame.pixels) for frame in frames]

    def _score(self, pixels: NDArray[np.uint8]) -> dict[str, FrameScore]:
        logits = self._scale * (self._texts @ self._embedding(pixels))  # (texts,); NaN stays NaN, and so fails
        mass = np.exp(logits - logits.max())
        mass /= mass.sum()
        return {
            c: (float(np.clip(mass[self._owner == i].sum(), 0.0, 1.0)), None) for i, c in enumerate(self.categories)
        }

    def _embedding(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        from PIL import Image

        with self._torch.inference_mode():
            batch = self._preprocess(Image.fromarray(pixels)).unsqueeze(0)  # (1, 3, side, side)
            found = self._net.encode_image(batch, normalize=True)  # (1, dim)
        return np.asarray(found[0].double().numpy(), np.float64)


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


def _tensor_hash(tensors: Mapping[str, Any]) -> str:
    """sha256 over names, shapes and bytes of the tensors, by name: weights that came without a file of their own."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
