"""Category `sexual` from the nudenet detector: optional, for its code and model are AGPL-3.0; the core never needs it.

Only the bytes of its model are used; pictures are prepared and boxes decoded here, in arrays. Exposed genitalia, anus,
buttocks and female breasts count; faces, feet, armpits, bellies, male chests and covered parts do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from media import Frame
from safety.errors import ModelUnavailable
from safety.frame.runtime import Tolerance, load_network
from safety.score import Where
from safety.stages import FrameScore

_MODEL = "320n.onnx"
_TENSOR, _INPUT = "images", 320  # the input's name, and pixels a side
# In bf16 scores of video frames moved by 0.04 at most; in int8 the error was as large as the signal.
_TOLERANCE = Tolerance(bf16=0.02, judged=lambda outputs: outputs[0][:, 4:])
# A counted class that reaches this is asked again, of the whole picture and in fp32, as the package does it: what is
# reported is the package's own. Samples taken before RGB is made moved scores by 0.03 at most, bf16 by 0.04.
_DOUBTED = 0.15
# Columns of the model's output after the box (x, y, width, height), in the order of the package's own list.
_CLASSES = (
    "FEMALE_GENITALIA_COVERED", "FACE_FEMALE", "BUTTOCKS_EXPOSED", "FEMALE_BREAST_EXPOSED", "FEMALE_GENITALIA_EXPOSED",
    "MALE_BREAST_EXPOSED", "ANUS_EXPOSED", "FEET_EXPOSED", "BELLY_COVERED", "FEET_COVERED", "ARMPITS_COVERED",
    "ARMPITS_EXPOSED", "FACE_MALE", "BELLY_EXPOSED", "MALE_GENITALIA_EXPOSED", "ANUS_COVERED", "FEMALE_BREAST_COVERED",
    "BUTTOCKS_COVERED",
)  # fmt: skip
COUNTED = (
    "BUTTOCKS_EXPOSED", "FEMALE_BREAST_EXPOSED", "FEMALE_GENITALIA_EXPOSED", "ANUS_EXPOSED", "MALE_GENITALIA_EXPOSED",
)  # fmt: skip
_SURE, _OVERLAP = 0.25, 0.45  # the package's own: boxes it reports, and the overlap at which the surer one stays
_COLUMNS = np.array([_CLASSES.index(name) for name in COUNTED])


class NudenetClassifier:
    """The largest score of a counted class in the frame, with its box. A batch gains nothing on a CPU; there is none.

    Raises ModelUnavailable where the extra is not installed or its model is not the shape that is decoded here.
    """

    name, licence = "nudenet", "AGPL-3.0"
    categories: tuple[str, ...] = ("sexual",)
    look = "sampled"  # the package shrinks without averaging, and its thresholds are known for that
    cost_ms = 15.0

    def __init__(self, streams: int = 2) -> None:
        self.version, path = _installed()
        probe = {_TENSOR: np.random.default_rng(0).random((1, 3, _INPUT, _INPUT), np.float32)}
        self._network = load_network(path.read_bytes(), tolerance=_TOLERANCE, probe=probe, streams=streams)
        self._exact = self._network
        if "bf16" in self._network.description:
            exact = Tolerance(judged=_TOLERANCE.judged)
            self._exact = load_network(path.read_bytes(), tolerance=exact, probe=probe, streams=streams)
        self.streams = streams
        self.weights_sha256: str | None = self._network.sha256
        self.runtime: str | None = self._network.description
        if self._exact is not self._network:
            self.runtime += f"; from {_DOUBTED} on {self._exact.description}"
        (raw,) = self._network.run(probe)
        if raw.shape[1] != 4 + len(_CLASSES):
            raise ModelUnavailable(f"{path.name} of nudenet {self.version} gives {raw.shape}; install nudenet 3.4")

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """One value a frame: the probability of the surest exposed part."""
        return [{"sexual": self._score(frame)} for frame in frames]

    def _score(self, frame: Frame) -> FrameScore:
        (raw,) = self._network.run({_TENSOR: _prepared(frame)})
        # Of a broken output `decoded` says so; NaN compares as not doubted.
        if raw[0][4 + _COLUMNS].max() >= _DOUBTED:
            (raw,) = self._exact.run({_TENSOR: _prepared_whole(frame)})
        return decoded(raw[0], *frame.size)


def decoded(raw: NDArray[np.float32], width: int, height: int) -> FrameScore:
    """The surest exposed part in the model's output for one picture of that size.

    raw (4 + classes, boxes): centre x, y, width and height in pixels of the input, then a probability per class. As
    the package has it, a box speaks for its likeliest class only, and gives way to a surer one that it overlaps.
    RuntimeError where a probability is no number.
    """
    if raw.shape[0] != 4 + len(_CLASSES) or not np.isfinite(raw).all():
        raise RuntimeError(f"nudenet gave an output of shape {raw.shape}, or one that holds no numbers")
    likeliest, values = raw[4:].argmax(axis=0), raw[4:].max(axis=0)  # (boxes,) each
    counted = np.isin(likeliest, _COLUMNS)
    sure = np.flatnonzero(values >= _SURE)
    if sure.size and counted[sure].any():
        corners = np.vstack([raw[:2, sure] - raw[2:4, sure] / 2, raw[2:4, sure]]).T  # (sure, 4): x, y, width, height
        kept = cv2.dnn.NMSBoxes(corners.tolist(), values[sure].tolist(), _SURE, _OVERLAP)
        counted[sure] &= np.isin(np.arange(sure.size), np.asarray(kept, int))
    values = np.where(counted, values, 0.0)
    best = int(values.argmax()) if values.size else 0
    value = float(values[best]) if values.size else 0.0
    if value < _SURE:
        return 0.0, None  # the package does not report such boxes either
    return min(value, 1.0), Where(box=_box(raw[:4, best] * (max(width, height) / _INPUT), width, height))


def _installed() -> tuple[str, Path]:
    """The version of the package and the path of its model."""
    try:
        import nudenet
    except ImportError as error:
        raise ModelUnavailable("the nudenet detector is not installed: pip install 'assay-video[nudenet]'") from error
    from importlib import metadata

    path = Path(str(nudenet.__file__)).parent / _MODEL
    if not path.is_file():
        raise ModelUnavailable(f"nudenet is installed without its model {_MODEL}: pip install 'assay-video[nudenet]'")
    return metadata.version("nudenet"), path


def _prepared(frame: Frame) -> NDArray[np.float32]:
    """The picture in the upper left of a black square, at the model's size: float32 (1, 3, 320, 320) in [0, 1].

    Channels go in as blue, green, red: the package swaps what it reads twice, and its thresholds are known for that.
    """
    scale = _INPUT / max(frame.size)
    square = np.zeros((_INPUT, _INPUT, 3), np.uint8)
    sampled = frame.sampled(scale)
    square[: sampled.shape[0], : sampled.shape[1]] = sampled
    return np.asarray(cv2.dnn.blobFromImage(square, 1 / 255, swapRB=True), np.float32)


def _prepared_whole(frame: Frame) -> NDArray[np.float32]:
    """The same square, made of the whole picture and then shrunk, as the package makes it."""
    width, height = frame.size
    side = max(width, height)
    square = cv2.copyMakeBorder(frame.pixels, 0, side - height, 0, side - width, cv2.BORDER_CONSTANT)
    return np.asarray(cv2.dnn.blobFromImage(square, 1 / 255, (_INPUT, _INPUT), swapRB=True), np.float32)


def _box(centred: NDArray[np.float32], width: int, height: int) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 inside the picture from centre and size in pixels; at least one pixel."""
    x, y, w, h = (float(edge) for edge in centred)
    left, top = min(max(0, int(x - w / 2)), width - 1), min(max(0, int(y - h / 2)), height - 1)
    right, bottom = min(max(left + 1, round(x + w / 2)), width), min(max(top + 1, round(y + h / 2)), height)
    return left, top, right, bottom
