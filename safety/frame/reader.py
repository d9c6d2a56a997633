"""Reads the words in a picture with the models that rapidocr's wheel carries, and nothing from the network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata, resources
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from safety.errors import ModelUnavailable
from safety.frame.runtime import Network, Tolerance, load_network
from safety.frame.textnet import Quad, finder_input, quads, spelled, speller_input, strip

# What the figures in the model card were measured with (rapidocr 3.10); other weights work, and the posture says so.
MEASURED = {"det": "PP-OCRv6_det_small.onnx", "rec": "PP-OCRv6_rec_small.onnx"}
_INPUT = "x"  # as both networks call it
_SMALLEST = 32  # pixels; the finder's input is a multiple of this, and a thinner picture would round to nothing
_LONGEST = 4  # long side to short side; a longer picture is read in overlapping pieces, or its text would melt
# A line read less surely may stand upside down: it is read that way too. Upright captions were read at 0.97 and more,
# the same turned by 180 degrees at 0.80 and less.
_UPRIGHT = 0.9


@dataclass(frozen=True)
class Line:
    """A line of text: what it says, how sure the reader is in [0, 1], its box x0, y0, x1, y1 and its rectangle."""

    text: str
    confidence: float
    box: tuple[int, int, int, int]
    quad: Quad | None = field(default=None, compare=False)  # None where it stands upright in its box


class Reader(Protocol):
    """Finds lines, and reads them; the two steps of `TextReader`, for those who bring their own."""

    weights_sha256: str
    runtime: str

    def find(self, pixels: NDArray[np.uint8], side: int) -> list[Quad]:
        """Where lines of text are, in pixels of the picture; they are looked for at that longer side."""
        ...

    def spell(self, pixels: NDArray[np.uint8], quad: Quad) -> Line:
        """What one of them says."""
        ...


class TextReader:
    """Finds and reads lines of text in any direction, in the scripts of the speller (Latin, Chinese, Japanese).

    Raises ModelUnavailable where the wheel carries no models.
    """

    def __init__(self) -> None:
        paths = _models()
        self.weights_sha256 = hashlib.sha256(b"".join(path.read_bytes() for path in paths.values())).hexdigest()
        known = all(paths[part].name == name for part, name in MEASURED.items())
        weights = "" if known else ", other weights than the model card's"
        words = _probe()
        self._finder = _network(paths["det"], finder_input(words, words.shape[1]))
        self._speller = _network(paths["rec"], speller_input(words[8:56]))
        computed_by = dict.fromkeys([self._finder.description, self._speller.description])
        self.runtime = f"rapidocr {metadata.version('rapidocr')}, {' and '.join(computed_by)}{weights}"
        self._signs = _signs(paths["rec"])

    def find(self, pixels: NDArray[np.uint8], side: int) -> list[Quad]:
        """Where lines of text are, however unsure. pixels uint8 (H, W, 3) RGB."""
        found: list[Quad] = []
        for left, top, piece in _pieces(pixels):
            map = self._finder.run({_INPUT: finder_input(piece, side)})[0]  # (1, 1, h, w)
            found += [quad.moved(left, top) for quad in quads(map[0, 0], piece.shape[1], piece.shape[0])]
        return found

    def spell(self, pixels: NDArray[np.uint8], quad: Quad) -> Line:
        """What the line says, the right way up; an empty text where it says nothing."""
        flat = strip(pixels, quad)  # (48, w, 3)
        text, confidence = self._spell(flat)
        if confidence < _UPRIGHT:
            text, confidence = max((text, confidence), self._spell(flat[::-1, ::-1]), key=lambda pair: pair[1])
        return Line(text, confidence, box(quad.corners, pixels.shape), quad)

    def read(self, pixels: NDArray[np.uint8], side: int = 640) -> list[Line]:
        """Every line of a picture, however unsure, in no order."""
        return [self.spell(pixels, quad) for quad in self.find(pixels, side)]

    def _spell(self, flat: NDArray[np.uint8]) -> tuple[str, float]:
        return spelled(self._speller.run({_INPUT: speller_input(flat)})[0][0], self._signs)


def _models() -> dict[str, Path]:
    """The model files in the installed package: what finds lines, and what reads them."""
    try:
        folder = Path(str(resources.files("rapidocr"))) / "models"
    except ModuleNotFoundError as error:
        raise ModelUnavailable("on-screen text needs rapidocr: pip install 'rapidocr>=3.10'") from error
    paths = {part: sorted(folder.glob(f"*{part}*.onnx")) for part in MEASURED}
    if missing := [part for part, found in paths.items() if not found]:
        raise ModelUnavailable(
            f"{folder} holds no {', '.join(missing)} model, and Assay downloads none: reinstall rapidocr 3.10, whose "
            "wheel carries both"
        )
    return {part: found[0] for part, found in paths.items()}


def _signs(speller: Path) -> Sequence[str]:
    """The signs that the speller's outputs stand for: none, those that its file lists, and the space."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(speller), options, providers=["CPUExecutionProvider"])
    listed = session.get_modelmeta().custom_metadata_map.get("character", "").splitlines()
    signs = ["", *listed, " "]
    if session.get_outputs()[0].shape[-1] != len(signs):
        raise ModelUnavailable(f"{speller.name} lists {len(listed)} signs, not its own: reinstall rapidocr 3.10")
    return signs


def _network(path: Path, probe: NDArray[np.float32]) -> Network:
    """The network on one thread of the fastest runtime that reads as the reference does.

    On 120 captions over footage bf16 and fp32 read the same number right (113), and on the probe no
    probability differed by more than 0.071.
    """
    return load_network(path.read_bytes(), tolerance=Tolerance(bf16=0.1), probe={_INPUT: probe}, streams=1)


def _probe() -> NDArray[np.uint8]:
    """A small picture with words, on which runtimes are compared: uint8 (64, 192, 3)."""
    import cv2

    picture = np.full((64, 192, 3), 70, np.uint8)
    cv2.putText(picture, "read me", (20, 42), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (240, 240, 240), 2, cv2.LINE_AA)
    return picture


def _pieces(pixels: NDArray[np.uint8]) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """The picture, or overlapping pieces of a very long one: left, top and pixels, none too thin for the finder."""
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


def box(corners: NDArray[np.float64], whole: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The upright box of four corners, at least one pixel, inside a picture of that shape."""
    height, width = whole[:2]
    left, top = (int(v) for v in np.clip(np.floor(corners.min(axis=0)), 0, (width - 1, height - 1)))
    right, bottom = (int(v) for v in np.clip(np.ceil(corners.max(axis=0)), 1, (width, height)))
    return left, top, max(right, left + 1), max(bottom, top + 1)
