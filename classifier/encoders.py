"""Downloaded picture encoders for the scores of `d3`, `restrav` and `stall`. None ships, none is used unless named.

A name or folder, safetensors only, no code from the folder, no network unless `download` says so. What the encoders
are worth with their published weights was not measured here: they cannot be fetched from where this was written, and
the tests use tiny encoders with random weights, which shows that the plumbing holds and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from safety import ModelUnavailable

Family = Literal["openclip", "dinov2", "xclip"]
Embeddings = NDArray[np.float64]
Pictures = NDArray[np.uint8]


class FrameEncoder(Protocol):
    """Turns pictures into vectors. Deterministic: the same pictures give the same vectors."""

    @property
    def version(self) -> str:
        """Names the family, the model and the first digits of the hash of its weights."""
        ...

    def embed(self, pictures: Pictures) -> Embeddings:
        """Unit vectors (T, dim) of consecutive pictures uint8 (T, H, W, 3) RGB."""
        ...


@dataclass(frozen=True)
class EncoderModel:
    """Which encoder.

    family      openclip: any model of open_clip; dinov2, xclip: through transformers
    model       a folder, a hub name, or for openclip an architecture
    pretrained  for an architecture of openclip: a tag, or a safetensors file
    download    may a hub name be fetched? (open_clip fetches what is named by tag or hub name)
    """

    family: Family
    model: str
    pretrained: str | None = None
    download: bool = False


def encoder_of(where: EncoderModel) -> FrameEncoder:
    """The encoder, loaded; ModelUnavailable where the extra, the model or its weights are missing or unfit."""
    if where.family == "openclip":
        return OpenClipEncoder(where)
    if where.family == "dinov2":
        return Dinov2Encoder(where)
    return XclipEncoder(where)


class OpenClipEncoder:
    """The picture tower of a model of open_clip."""

    def __init__(self, where: EncoderModel) -> None:
        from safety.frame import OpenClipClassifier

        # The classifier loads, hashes and prepares; it wants a text to compare with, which nothing here reads.
        self._net = OpenClipClassifier(where.model, where.pretrained, {"depiction": ("a picture",)})
        self.version = _version(where, str(self._net.weights_sha256))

    def embed(self, pictures: Pictures) -> Embeddings:
        """See `FrameEncoder`."""
        return np.stack([self._net.embedding(picture) for picture in pictures])


class _Transformers:
    """What DINOv2 and X-CLIP share: loading without network or code, squeezing to the model's square, unit vectors."""

    architecture: str

    def __init__(self, where: EncoderModel) -> None:
        torch, transformers = _libraries()
        transformers.utils.logging.disable_progress_bar()
        options = {"local_files_only": not where.download, "trust_remote_code": False}
        try:
            net = getattr(transformers, self.architecture).from_pretrained(
                where.model, use_safetensors=True, dtype=torch.float32, **options
            )
            self._mean, self._std, self._side = _preparation(transformers, where.model, options, net.config)
        except Exception as error:  # it raises whatever the hub, the file or the configuration made it raise
            hint = "" if where.download else "; a hub name is only fetched with download = true"
            raise ModelUnavailable(f"{where.family} encoder {where.model!r}: {error!s:.400}{hint}") from error
        self._torch, self._net = torch, net.eval()
        self.version = _version(where, _hash(Path(where.model), net))

    def embed(self, pictures: Pictures) -> Embeddings:
        """See `FrameEncoder`."""
        import cv2

        side = self._side
        small = np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in pictures])
        scaled = (small.astype(np.float32) / 255.0 - self._mean) / self._std  # (T, side, side, 3)
        with self._torch.inference_mode():
            found = self._pooled(self._torch.from_numpy(scaled.transpose(0, 3, 1, 2).astype(np.float32)))
        vectors = np.asarray(found.double().numpy(), np.float64)  # (T, dim)
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float64)

    def _pooled(self, batch: Any) -> Any:
        raise NotImplementedError


class Dinov2Encoder(_Transformers):
    """The class token of DINOv2, picture by picture."""

    architecture = "Dinov2Model"

    def _pooled(self, batch: Any) -> Any:
        return self._net(pixel_values=batch).pooler_output  # (T, dim)


class XclipEncoder(_Transformers):
    """The picture tower of X-CLIP, whose pictures exchange messages in groups of the length it was trained for."""

    architecture = "XCLIPVisionModel"

    def _pooled(self, batch: Any) -> Any:
        group = int(self._net.config.num_frames)
        left = -len(batch) % group
        padded = self._torch.cat([batch, batch[-1:].expand(left, -1, -1, -1)]) if left else batch
        return self._net(pixel_values=padded).pooler_output[: len(batch)]  # (T, dim)


def _libraries() -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise ModelUnavailable("this encoder needs the extra: pip install 'assay-video[transformers]'") from error
    return torch, transformers


def _preparation(
    transformers: Any, model: str, options: dict[str, Any], config: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Mean and deviation of the colours, and the side in pixels, as the model's own preparation has them."""
    prepared = transformers.AutoImageProcessor.from_pretrained(model, **options)
    mean, std = np.asarray(prepared.image_mean, np.float64), np.asarray(prepared.image_std, np.float64)
    size = dict(getattr(prepared, "crop_size", None) or {}) or dict(prepared.size)
    side = int(size.get("height") or size.get("shortest_edge") or config.image_size)
    return mean, std, side


def _hash(folder: Path, net: Any) -> str:
    from safety.frame import folder_hash, tensor_hash

    return folder_hash(folder) or tensor_hash(net.state_dict())


def _version(where: EncoderModel, sha256: str) -> str:
    return f"{where.family} {Path(where.model).name} {sha256[:12]}"
