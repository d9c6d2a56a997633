"""Reads the words in a picture: rapidocr with the models that its wheel carries, and nothing from the network."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safety.errors import ModelUnavailable

# What the limits in the model card were measured with (rapidocr 3.10); other weights work, and the posture says so.
MEASURED = {
    "det": "PP-OCRv6_det_small.onnx",
    "rec": "PP-OCRv6_rec_small.onnx",
    "cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
}
_SMALLEST = 32  # pixels; the detector's input is a multiple of this, and a thinner picture would round to nothing
_FAINT = 0.2  # of a glance; with it, every one of 74 captions of 24 and 40 px at 640x360 earned a second look
_LONGEST = 4  # long side to short side; a longer picture is read in overlapping pieces, or its text would melt


@dataclass(frozen=True)
class Line:
    """A line of text: what it says, how sure the reader is in [0, 1], and its box x0, y0, x1, y1 in pixels."""

    text: str
    confidence: float
    box: tuple[int, int, int, int]


class TextReader:
    """Finds and reads lines of text in any direction, in the scripts of the recogniser (Latin, Chinese, Japanese).

    side    pixels of the longer side of the picture in which text is looked for; it is read at full size
    glance  pixels of a smaller picture that is looked at first, at a fifth of the certainty: where nothing at all looks
            like text there, the frame is not looked at again. 0 looks at every picture at `side` at once

    Raises ModelUnavailable where the wheel carries no models.
    """

    def __init__(self, side: int = 640, glance: int = 320) -> None:
        paths = _models()
        self.weights_sha256 = hashlib.sha256(b"".join(path.read_bytes() for path in paths.values())).hexdigest()
        known = all(paths[part].name == name for part, name in MEASURED.items())
        versions = f"rapidocr {metadata.version('rapidocr')}, onnxruntime {metadata.version('onnxruntime')} cpu fp32"
        weights = "" if known else ", other weights than the model card's"
        self.runtime = f"{versions}, 1 thread, text looked for at {glance} and {side} px{weights}"
        self._engine = _engine(paths, side)
        self._glance = glance
        self._glancer = _engine(paths, glance, {"Det.thresh": _FAINT, "Det.box_thresh": _FAINT}) if glance else None

    def read(self, pixels: NDArray[np.uint8]) -> list[Line]:
        """The lines in reading order, however sure. pixels uint8 (H, W, 3) RGB."""
        lines: list[Line] = []
        for left, top, piece in _pieces(pixels):
            lines += self._read(piece, left, top, pixels.shape[:2])
        return lines

    def _read(self, piece: NDArray[np.uint8], left: int, top: int, whole: tuple[int, ...]) -> list[Line]:
        picture = np.ascontiguousarray(piece[..., ::-1])  # its models want BGR
        if not self._glanced(picture):
            return []
        seen = self._engine(picture)
        texts = getattr(seen, "txts", None)
        if texts is None or seen.boxes is None:
            return []
        if not len(texts) == len(seen.scores) == len(seen.boxes):
            raise RuntimeError(f"rapidocr gave {len(texts)} texts, {len(seen.scores)} scores, {len(seen.boxes)} boxes")
        lines = []
        for text, confidence, corners in zip(texts, seen.scores, seen.boxes, strict=True):
            if not math.isfinite(confidence):
                raise RuntimeError(f"rapidocr is {confidence} sure of {text!r:.80}")
            box = _box(np.asarray(corners, np.float64) + np.array([left, top]), whole)
            lines.append(Line(str(text), min(1.0, max(0.0, float(confidence))), box))
        return lines

    def _glanced(self, picture: NDArray[np.uint8]) -> bool:
        """False where not even a glance at the small picture sees anything like text."""
        if self._glancer is None or max(picture.shape[:2]) <= self._glance:
            return True
        return self._glancer(picture, use_cls=False, use_rec=False).boxes is not None


def _models() -> dict[str, Path]:
    """The model files in the installed package: detector, recogniser, and the one that tells upside-down."""
    try:
        folder = Path(str(resources.files("rapidocr"))) / "models"
    except ModuleNotFoundError as error:
        raise ModelUnavailable("on-screen text needs rapidocr: pip install 'rapidocr>=3.10'") from error
    paths = {part: sorted(folder.glob(f"*{part}*.onnx")) for part in MEASURED}
    if missing := [part for part, found in paths.items() if not found]:
        raise ModelUnavailable(
            f"{folder} holds no {', '.join(missing)} model, and Assay downloads none: reinstall rapidocr 3.10, whose "
            "wheel carries all three"
        )
    return {part: found[0] for part, found in paths.items()}


def _engine(paths: dict[str, Path], side: int, settings: Mapping[str, object] = MappingProxyType({})) -> Any:
    import onnxruntime
    from rapidocr import RapidOCR

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    recogniser = onnxruntime.InferenceSession(str(paths["rec"]), options, providers=["CPUExecutionProvider"])
    if "character" not in recogniser.get_modelmeta().custom_metadata_map:
        raise ModelUnavailable(
            f"{paths['rec'].name} names no characters, and rapidocr would download them: reinstall rapidocr 3.10"
        )
    engine = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.text_score": 0.0,  # what is too unsure is decided here, not there
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Det.model_path": str(paths["det"]),  # a path given is a path used: nothing is looked up or downloaded
            "Rec.model_path": str(paths["rec"]),
            "Cls.model_path": str(paths["cls"]),
            "Det.limit_type": "max",
            "Det.limit_side_len": side,
            **settings,
        }
    )
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)  # it warns of every picture without text
    return engine


def _pieces(pixels: NDArray[np.uint8]) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """The picture, or overlapping pieces of a very long one: left, top and pixels, none too thin for the detector."""
    height, width = pixels.shape[:2]
    short, long = sorted((max(height, _SMALLEST), max(width, _SMALLEST)))
    size = short * _LONGEST
    starts = range(0, max(1, long - short), size - short) if long > size else (0,)
    for start in starts:
        left, top = (start, 0) if width >= height else (0, start)
        piece = pixels[top : top + size, left : left + size]
        low, thin = max(0, _SMALLEST - piece.shape[0]), max(0, _SMALLEST - piece.shape[1])
        if low or thin:
            piece = np.pad(piece, ((0, low), (0, thin), (0, 0)), mode="edge")
        yield left, top, piece


def _box(corners: NDArray[np.float64], whole: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The upright box of four corners, at least one pixel, inside the picture."""
    height, width = whole[:2]
    left, top = (int(v) for v in np.clip(np.floor(corners.min(axis=0)), 0, (width - 1, height - 1)))
    right, bottom = (int(v) for v in np.clip(np.ceil(corners.max(axis=0)), 1, (width, height)))
    return left, top, max(right, left + 1), max(bottom, top + 1)
