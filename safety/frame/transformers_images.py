"""Frame classification by any image classifier of transformers, through a map from its labels to our categories.

By folder or by hub name; safetensors only, no code from the folder, and no network unless `download` says so. What a
label means is the operator's word: nothing here guesses that `porn` is `sexual`.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media import Frame
from safety.category import is_category
from safety.errors import ModelUnavailable
from safety.frame.scale import Scale, read_scale
from safety.stages import FrameScore

_HASHED = ("*.safetensors", "config.json", "preprocessor_config.json")


@dataclass(frozen=True)
class ImageModel:
    """Which model, and what its labels mean.

    model        a folder with config.json, preprocessor_config.json and safetensors, or a hub name
    labels       label (or its number) -> our category; labels that are left out mean nothing to us
    licence      of the weights, as the operator knows it; it goes into the posture
    calibration  a file of `safety.frame.scale`
    download     may a hub name be fetched?
    """

    model: str
    labels: Mapping[str, str]
    licence: str = "not stated"
    calibration: Path | None = None
    download: bool = False


class TransformersImageClassifier:
    """One value a frame and category: the sum of what the model gives to the category's labels.

    Where the model answers each label by itself (`problem_type: multi_label_classification`), their largest. Frames are
    squeezed to the model's square, not cropped, so that edges are seen too.

    Raises ModelUnavailable where the extra, the model, safetensors or a label is missing.
    """

    version = "1"

    def __init__(self, where: ImageModel) -> None:
        self._torch, self._net, self._prepare = _loaded(where)
        self.name = "images-" + re.sub(r"[^a-z0-9_.-]+", "-", Path(where.model).name.lower()).strip("-.")
        self.licence = where.licence
        self._columns = _columns(where, self._net.config.id2label)
        self.categories: tuple[str, ...] = tuple(self._columns)
        self._each = self._net.config.problem_type == "multi_label_classification"
        labels = json.dumps(dict(where.labels), sort_keys=True)
        weights = folder_hash(Path(where.model)) or _tensor_hash(self._net.state_dict())
        self.weights_sha256: str | None = hashlib.sha256(f"{weights}\n{labels}".encode()).hexdigest()
        self._scale: Scale | None = read_scale(where.calibration, weights) if where.calibration else None
        self.runtime: str | None = (
            f"transformers {metadata.version('transformers')}, torch {self._torch.__version__} cpu fp32, "
            f"weights {weights[:12]}, {'calibrated' if self._scale else 'not calibrated'}"
        )
        started = time.thread_time()
        self._score(np.zeros((360, 640, 3), np.uint8))
        self.cost_ms = max(0.1, (time.thread_time() - started) * 1000)

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """One mapping a frame, one frame at a time: on a CPU a batch gains nothing, and would change the last bits."""
        return [self._score(frame.pixels) for frame in frames]

    def _score(self, pixels: NDArray[np.uint8]) -> dict[str, FrameScore]:
        with self._torch.inference_mode():
            logits = (
                self._net(**self._prepare(pixels)).logits[0].double().numpy()
            )  # (labels,); NaN stays NaN, and fails
        if self._each:
            given = 1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0)))
            values = {c: float(given[columns].max()) for c, columns in self._columns.items()}
        else:
            given = np.exp(logits - logits.max())
            given /= given.sum()
            values = {c: min(1.0, float(given[columns].sum())) for c, columns in self._columns.items()}
        scale = self._scale
        return {c: (raw if scale is None else scale.value(c, raw), None) for c, raw in values.items()}


def _columns(where: ImageModel, id2label: Mapping[int, str]) -> dict[str, list[int]]:
    """Category -> numbers of the labels that mean it."""
    numbers = {str(number): number for number in id2label} | {label: number for number, label in id2label.items()}
    columns: dict[str, list[int]] = {}
    for label, category in where.labels.items():
        if not is_category(category):
            raise ModelUnavailable(f"{where.model}: {category!r} is no category; see safety.CATEGORIES")
        if label not in numbers:
            known = ", ".join(list(id2label.values())[:20])
            raise ModelUnavailable(f"{where.model} has no label {label!r}; its labels are {known}")
        columns.setdefault(category, []).append(numbers[label])
    if not columns:
        raise ModelUnavailable(f"{where.model}: say which of its labels mean which category (`labels`)")
    return {category: sorted(set(found)) for category, found in columns.items()}


def _loaded(where: ImageModel) -> tuple[Any, Any, Any]:
    """torch, the network, and what turns a picture into its inputs."""
    try:
        import torch
        import transformers
    except ImportError as error:
        raise ModelUnavailable(
            "an image classifier of transformers needs the extra: pip install 'assay-video[transformers]'"
        ) from error
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # standard error is the command's
    options = {"local_files_only": not where.download, "trust_remote_code": False}
    try:
        net = transformers.AutoModelForImageClassification.from_pretrained(
            where.model, use_safetensors=True, dtype=torch.float32, **options
        )
        processor = transformers.AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            where.model, **options
        )
        squeeze = _squeezed(processor)
    except Exception as error:  # it raises whatever the hub, the file or the configuration made it raise
        hint = "" if where.download else "; a hub name is only fetched with download = true"
        raise ModelUnavailable(f"image classifier {where.model!r}: {error!s:.400}{hint}") from error
    net.eval()

    def prepare(pixels: NDArray[np.uint8]) -> Any:
        from PIL import Image

        return processor(images=Image.fromarray(pixels), return_tensors="pt", **squeeze)

    return torch, net, prepare


def _squeezed(processor: Any) -> dict[str, Any]:
    """Options that squeeze a picture to the model's square where its own would cut the middle out."""
    if not getattr(processor, "do_center_crop", False):
        return {}
    crop = processor.crop_size
    return {"do_center_crop": False, "size": {"height": int(crop["height"]), "width": int(crop["width"])}}


def folder_hash(folder: Path) -> str | None:
    """sha256 over the files that decide what a local model answers, by name; None where it is no folder."""
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _HASHED for path in folder.glob(pattern)}):
        with path.open("rb") as stream:
            digest.update(f"{path.name} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def _tensor_hash(tensors: Mapping[str, Any]) -> str:
    """The hash of weights that came without a folder of their own."""
    from safety.frame.openclip import tensor_hash

    return tensor_hash(tensors)
