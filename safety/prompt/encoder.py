"""The fine-tuned sentence encoder at run time: onnxruntime on one thread, no torch, no tokenizer library.

A text is judged in windows of pieces. Each window is run alone, never in a batch: in int8 the scale of activations is
taken over a whole batch, so that a text's neighbours would change its score. The session is opened on first use.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safety.errors import ModelUnavailable
from safety.prompt.views import View
from safety.prompt.wordpiece import WordPiece

PIECES_MAX = 126  # of a window, without its first and last; the length it was trained at
STRIDE = 96
WINDOWS_MAX = 64  # of one text: about 30,000 characters; what lies beyond is drawn evenly (see `_windows`)
_KEPT = 512  # texts remembered: the same prompt comes again and again


@dataclass(frozen=True)
class Judged:
    """What the encoder says of one text: logits (C,), and for each category the stretch of text that says it most."""

    logits: NDArray[np.float32]
    spans: tuple[tuple[int, int], ...]


def encoded_text(view: View) -> str:
    """The text of a view as the encoder reads it."""
    return view.text


class Encoder:
    """An ONNX model of pieces, with its vocabulary; `categories` are those of its heads, in order."""

    def __init__(self, raw: bytes, cutter: WordPiece) -> None:
        self._raw: bytes | None = raw
        self._session: Any = None
        self._lock = threading.Lock()
        self._cutter = cutter
        self._remembered = lru_cache(maxsize=_KEPT)(self._judge)

    @classmethod
    def load(cls, folder: Traversable | Path, sha256: str) -> Encoder:
        """Reads encoder.onnx and vocabulary.txt; raises ModelUnavailable where one is missing or not the stated one."""
        try:
            raw = (folder / "encoder.onnx").read_bytes()
            vocabulary = (folder / "vocabulary.txt").read_text(encoding="utf-8")
        except OSError as error:
            raise ModelUnavailable(f"{folder}: cannot be read ({error}); reinstall Assay") from error
        found = hashlib.sha256(raw).hexdigest()
        if found != sha256:
            raise ModelUnavailable(
                f"{folder / 'encoder.onnx'}: sha256 is {found}, expected {sha256}; reinstall Assay, or recalibrate"
            )
        return cls(raw, WordPiece(vocabulary))

    def judge(self, text: str) -> Judged | None:
        """The largest logit of each category over the windows of a text; None where no piece is left to judge."""
        return self._remembered(text)

    def run(self, ids: Sequence[int] | NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits (C,) of one window of pieces, first and last included, and what each piece says (T, C)."""
        batch = np.asarray(ids, np.int64)[None]
        logits, said = self._opened().run(None, {"ids": batch, "mask": np.ones_like(batch)})
        return logits[0], said[0]

    def _judge(self, text: str) -> Judged | None:
        pieces = self._cutter.pieces(text)
        best: NDArray[np.float32] | None = None
        spans: list[tuple[int, int]] = []
        for start, end in _windows(len(pieces.ids)):
            logits, said = self.run([self._cutter.first, *pieces.ids[start:end], self._cutter.last])
            better = np.ones(len(logits), bool) if best is None else logits > best
            best = logits if best is None else np.maximum(best, logits)
            spans = spans or [(0, 0)] * len(logits)
            inner = said[1:-1]  # (T, C), without the first and last piece
            levels = np.median(inner, axis=0)
            for column in np.flatnonzero(better):
                first, last = _loudest(inner[:, column], levels[column])
                spans[column] = (pieces.starts[start + first], pieces.ends[start + last])
        return None if best is None else Judged(best, tuple(spans))

    def _opened(self) -> Any:
        with self._lock:
            if self._session is None:
                import onnxruntime

                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = options.inter_op_num_threads = 1
                options.log_severity_level = 3
                self._session = onnxruntime.InferenceSession(self._raw, options, providers=["CPUExecutionProvider"])
                self._raw = None
        return self._session


def _windows(count: int) -> list[tuple[int, int]]:
    """Overlapping windows over the pieces of a text; of a very long text WINDOWS_MAX of them, evenly drawn."""
    if count == 0:
        return []
    starts = range(0, max(count - PIECES_MAX, 0) + STRIDE if count > PIECES_MAX else 1, STRIDE)
    cut = [(min(start, max(count - PIECES_MAX, 0)), min(start + PIECES_MAX, count)) for start in starts]
    if len(cut) > WINDOWS_MAX:
        cut = [cut[i] for i in np.linspace(0, len(cut) - 1, WINDOWS_MAX).astype(int)]
    return list(dict.fromkeys(cut))


def _loudest(said: NDArray[np.float32], middle: np.floating[Any]) -> tuple[int, int]:
    """The first and last of the run of pieces round the loudest that speak at least half as loudly above the middle."""
    level = float(middle)
    peak = int(said.argmax())
    floor = level + 0.5 * (float(said[peak]) - level)
    first = last = peak
    while first > 0 and said[first - 1] >= floor:
        first -= 1
    while last + 1 < len(said) and said[last + 1] >= floor:
        last += 1
    return first, last
