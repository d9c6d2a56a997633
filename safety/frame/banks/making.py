"""From files to signals: the hashes of a picture, of a video's distinct frames, of the file itself."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from media import Frame, MediaError, UsageError, probe
from safety.frame.banks.features import corners_of
from safety.frame.banks.pdq import QUALITY, pdq, sides
from safety.frame.banks.signal import Kind, Signal

APART = 24  # bits between two frames of a video that are worth a signal each
MOST_FRAMES = 2000  # signals of one video


def signals_of(
    path: Path, content: str | None = None, *, corners: bool = False, mirrored: bool = False
) -> list[Signal]:
    """The signals of a picture or a video: SHA-256 and MD5 of the file, and a PDQ hash of each distinct frame.

    corners   also what finds the picture inside a frame, for banks that look at crops
    mirrored  also the hashes of the picture in a mirror

    Of a picture with transparency each look is hashed: over black, over white. UsageError where no frame says enough to
    be found by (a flat picture), MediaError where a frame does not decode.
    """
    name = path.name if content is None else content
    name = "".join(letter if letter.isprintable() else "?" for letter in name)[:300]
    signals: list[Signal] = []
    for frame in probe(path).frames():
        if not isinstance(frame, Frame):
            raise MediaError(f"{path}: frame {frame.index} does not decode ({frame.reason}); add a whole copy")
        looks = [frame.pixels, *([np.ascontiguousarray(frame.pixels[:, ::-1])] if mirrored else [])]
        for pixels in looks:
            signal = _signal(pixels, name, corners)
            if signal is not None and _is_new(signal, signals):
                signals.append(signal)
        if len(signals) > MOST_FRAMES:
            raise UsageError(f"{path}: more than {MOST_FRAMES} distinct frames; add it in parts")
    if not signals:
        raise UsageError(f"{path}: too flat to be found by its picture (PDQ quality below {QUALITY}); use its sha256")
    return [*file_signals(path, name), *signals]


def file_signals(path: Path, content: str) -> list[Signal]:
    """The signals of the very file."""
    return [Signal(kind, value, content) for kind, value in file_hashes(path).items()]


def file_hashes(path: Path) -> dict[Kind, bytes]:
    """SHA-256 and MD5 in one reading; MediaError where it cannot be read."""
    made = {Kind.SHA256: hashlib.sha256(), Kind.MD5: hashlib.md5(usedforsecurity=False)}
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                for digest in made.values():
                    digest.update(block)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror})") from error
    return {kind: digest.digest() for kind, digest in made.items()}


def _signal(pixels: NDArray[np.uint8], content: str, corners: bool) -> Signal | None:
    small = _small(pixels)
    hashed = pdq(small)
    if hashed.quality < QUALITY:
        return None
    aspect = float(np.clip(pixels.shape[1] / pixels.shape[0], 0.05, 20.0))
    found = corners_of(pixels).to_bytes() if corners else b""
    return Signal(Kind.PDQ, hashed.value, content, aspect=aspect, corners=found, sides=sides(small))


def _small(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As frames are looked at."""
    scale = min(1.0, 320 / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _is_new(signal: Signal, known: list[Signal]) -> bool:
    value = np.frombuffer(signal.value, np.uint64)
    others = np.frombuffer(b"".join(one.value for one in known), np.uint64).reshape(-1, 4)
    return not len(others) or int(np.bitwise_count(others ^ value).sum(axis=1).min()) > APART
