"""Faces against galleries: people who must not be shown (block), and people who agreed to be (consent).

No weights ship. The operator supplies two ONNX models and says so in the settings:

- a detector with the outputs of YuNet (`cv2.FaceDetectorYN`): boxes and five landmarks of faces;
- an embedder: float32 (1, 3, side, side) RGB in [0, 255], aligned by the landmarks, to one vector a face.

Without them there is no classifier, and the category is not configured. A gallery says by which embedder (sha256) it
was made; one made by another is refused, for its numbers mean nothing here. A face in a consent gallery lifts nothing
by itself: it is told in the reason's words, and a person or a policy decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from media import Frame
from safety.errors import ModelUnavailable
from safety.frame.gallery import Gallery
from safety.frame.gate import LISTED
from safety.score import Where
from safety.stages import FrameScore

CATEGORY = "likeness/public-figure"
_SMALLEST = 24  # pixels of a face's shorter side; smaller ones embed to anything
_SURE = 0.6  # detector's own confidence
# Where the five landmarks lie in an aligned face of 112x112, as ArcFace's and SFace's authors published it.
_ALIGNED = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)


class FaceEmbedder:
    """Finds faces and turns each into one vector of length 1. Raises ModelUnavailable where a model does not load."""

    def __init__(self, detector: Path, embedder: Path) -> None:
        import onnxruntime

        for path in (detector, embedder):
            if not path.is_file():
                raise ModelUnavailable(f"{path}: no such model; likeness needs the paths of two ONNX files")
        self.detector_sha256, self.sha256 = _sha256(detector), _sha256(embedder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._find: Any = cv2.FaceDetectorYN.create(str(detector), "", (320, 320), _SURE, 0.3, 50)
            self._net: Any = onnxruntime.InferenceSession(str(embedder), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # both raise whatever the file made them raise
            raise ModelUnavailable(f"{detector.name}, {embedder.name}: cannot be loaded: {error!s:.300}") from error
        wanted = self._net.get_inputs()
        if len(wanted) != 1 or len(wanted[0].shape) != 4 or wanted[0].shape[1] != 3:
            raise ModelUnavailable(f"{embedder.name}: takes {[i.shape for i in wanted]}, not one (1, 3, side, side)")
        side = wanted[0].shape[2]
        self._input, self._side = wanted[0].name, side if isinstance(side, int) else 112
        self.name = embedder.stem
        self.runtime = f"onnxruntime {onnxruntime.__version__} cpu fp32, opencv {cv2.__version__}; {self.name}"

    def faces(self, pixels: NDArray[np.uint8]) -> list[tuple[NDArray[np.float32], tuple[int, int, int, int]]]:
        """Vector and box (x0, y0, x1, y1) of every face that is large enough; pixels uint8 RGB (H, W, 3)."""
        height, width = pixels.shape[:2]
        bgr = np.ascontiguousarray(pixels[..., ::-1])
        self._find.setInputSize((width, height))
        _, found = self._find.detect(bgr)
        faces = []
        for row in found if found is not None else ():  # x, y, w, h, five landmarks, confidence
            if not np.isfinite(row).all():
                raise RuntimeError("the face detector gave numbers that are none")
            x, y, w, h = row[:4]
            if min(w, h) < _SMALLEST:
                continue
            vector = self._vector(pixels, row[4:14].reshape(5, 2))
            box = (max(0, int(x)), max(0, int(y)), min(width, int(np.ceil(x + w))), min(height, int(np.ceil(y + h))))
            faces.append((vector, box))
        return faces

    def _vector(self, pixels: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        scale = self._side / 112
        turn, _ = cv2.estimateAffinePartial2D(landmarks, _ALIGNED * scale, method=cv2.LMEDS)
        if turn is None:
            raise RuntimeError("the landmarks of a face lie on one point")
        face = cv2.warpAffine(pixels, turn, (self._side, self._side))
        batch = np.ascontiguousarray(face.transpose(2, 0, 1)[None], np.float32)  # (1, 3, side, side)
        vector = np.asarray(self._net.run(None, {self._input: batch})[0], np.float32).reshape(-1)
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0.0:
            raise RuntimeError("the face embedder gave no direction")
        return vector / np.float32(length)


class LikenessClassifier:
    """`likeness/public-figure`: how near the nearest face comes to somebody in a block gallery.

    A gallery is a list: of faces that are in none of them it says nothing, so it never counts as the judge of the whole
    category (`evidence` is listed). Expired people are left out, and the posture counts them. A face that is as near to
    somebody who consented says so in the reason's words; the score stays what it is.
    """

    name, licence, evidence, cost_ms = "likeness", "Apache-2.0; models and galleries are the operator's", LISTED, 25.0
    categories: tuple[str, ...] = (CATEGORY,)

    def __init__(self, embedder: FaceEmbedder, galleries: Sequence[Gallery], today: date | None = None) -> None:
        today = today or datetime.now(UTC).date()
        self._embedder = embedder
        for gallery in galleries:
            gallery.require(embedder.sha256)
        self._block = [one for one in galleries if one.kind == "block"]
        self._consent = [one for one in galleries if one.kind == "consent"]
        self._today = today
        digest = hashlib.sha256((embedder.detector_sha256 + embedder.sha256).encode())
        for gallery in sorted(galleries, key=lambda one: one.sha256):
            digest.update(f"{gallery.sha256} {gallery.active(today)}".encode())
        self.weights_sha256: str | None = digest.hexdigest()
        self.version = digest.hexdigest()[:12]
        people = {kind: sum(len(g.active(today)) for g in some) for kind, some in self._kinds().items()}
        expired = sum(len(g.people) - len(g.active(today)) for g in galleries)
        words = f"{people['block']} people blocked, {people['consent']} consenting, {expired} expired"
        self.runtime: str | None = f"{embedder.runtime}; {words}"

    def _kinds(self) -> dict[str, list[Gallery]]:
        return {"block": self._block, "consent": self._consent}

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """One value a frame: 0.5 at a gallery's own threshold, 1 for the very vector."""
        return [{CATEGORY: self._score(frame.pixels)} for frame in frames]

    def _score(self, pixels: NDArray[np.uint8]) -> FrameScore:
        best: tuple[float, Where] | None = None
        for vector, box in self._embedder.faces(pixels):
            value, person = self._nearest(self._block, vector)
            if person is None or (best is not None and value <= best[0]):
                continue
            _, consenting = self._nearest(self._consent, vector)
            words = f"person {person}" + (f"; also {consenting}, who consented" if consenting else "")
            best = value, Where(text=words, box=box)
        return best or (0.0, None)

    def _nearest(self, galleries: Sequence[Gallery], vector: NDArray[np.float32]) -> tuple[float, str | None]:
        """The value and the pseudonym of whoever is nearest within a gallery's threshold."""
        best: tuple[float, str | None] = (0.0, None)
        for gallery in galleries:
            for person in gallery.active(self._today):
                likeness = float((gallery.people[person].vectors @ vector).max())  # cosine
                if likeness >= gallery.threshold:
                    value = 0.5 + 0.5 * (likeness - gallery.threshold) / max(1e-6, 1.0 - gallery.threshold)
                    best = max(best, (min(value, 1.0), person), key=lambda one: one[0])
        return best


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
