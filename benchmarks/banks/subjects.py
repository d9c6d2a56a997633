"""Pictures from other people's files: stills, and distinct frames of videos; and what happens to copies of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from media import AssayError, Frame, probe
from safety.frame.banks.pdq import QUALITY, pdq

Pixels = NDArray[np.uint8]
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".mp4", ".webm", ".mkv", ".avi", ".mpg", ".mov"}
DISTINCT = 64  # bits: pictures of one scene that are nearer to each other than this would count as copies


def pictures(folders: list[Path], most: int, per_video: int = 4) -> tuple[Pixels, list[Pixels], dict[str, int]]:
    """The hashes (N, 32), the pictures (small, at most 480 pixels) and how many came from which folder.

    At most `most` pictures, no two within 64 bits; flat ones are left out, as they are in use. Where the files hold too
    few, the quarters of each picture are pictures as well (counted as `quarters`).
    """
    hashes, kept, counts = np.zeros((most, 4), np.uint64), [], {}
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    order = np.random.default_rng(0).permutation(len(files))
    for index in order:
        for name, pixels in _cut(files[index], per_video):
            made = pdq(pixels)
            value = np.frombuffer(made.value, np.uint64)
            near = np.bitwise_count(hashes[: len(kept)] ^ value).sum(axis=1) < DISTINCT
            if made.quality < QUALITY or near.any():
                continue
            hashes[len(kept)] = value
            kept.append(pixels)
            counts[name] = counts.get(name, 0) + 1
            if len(kept) == most:
                return hashes.view(np.uint8), kept, counts
    return hashes[: len(kept)].view(np.uint8), kept, counts


def _cut(path: Path, most: int) -> Iterator[tuple[str, Pixels]]:
    """Frames of the file, and the upper left and lower right quarter of each, with what they count as."""
    for pixels in _frames(path, most):
        yield path.parent.name, pixels
        height, width = pixels.shape[:2]
        if min(height, width) >= 200:
            yield "quarters", np.ascontiguousarray(pixels[: height // 2, : width // 2])
            yield "quarters", np.ascontiguousarray(pixels[height // 2 :, width // 2 :])


def _frames(path: Path, most: int) -> Iterator[Pixels]:
    """One frame in ten; of a picture the picture."""
    found = 0
    try:
        for frame in probe(path).frames():
            if isinstance(frame, Frame) and frame.principal and frame.index % 10 == 0:
                yield _small(frame.pixels)
                found += 1
            if found == most or frame.index > 10 * most:
                return
    except AssayError:
        return


def _small(pixels: Pixels) -> Pixels:
    scale = min(1.0, 480 / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Through JPEG."""
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1), np.uint8)


def resized(pixels: Pixels, scale: float) -> Pixels:
    """Smaller or larger."""
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=way), np.uint8)


def stamped(pixels: Pixels, part: float, seed: int) -> Pixels:
    """With an opaque emblem in a corner, of that part of the shorter side."""
    random, drawn = np.random.default_rng(seed), pixels.copy()
    side = max(8, int(min(pixels.shape[:2]) * part))
    emblem = emblem_of(seed % 50)
    at = 6 + int(random.integers(0, 10))
    rows = slice(-side - at, -at) if random.random() < 0.5 else slice(at, at + side)
    columns = slice(-side - at, -at) if random.random() < 0.5 else slice(at, at + side)
    target = drawn[rows, columns]
    target[:] = cv2.resize(emblem, target.shape[1::-1], interpolation=cv2.INTER_AREA)
    return drawn


def emblem_of(seed: int, side: int = 160) -> Pixels:
    """A rendered emblem: flat colours, hard edges, two letters."""
    random = np.random.default_rng(900 + seed)
    drawn = np.full((side, side, 3), random.integers(0, 256, 3), np.uint8)
    for _ in range(6):
        colour = [int(c) for c in random.integers(0, 256, 3)]
        a, b = ([int(v) for v in random.integers(10, side - 10, 2)] for _ in range(2))
        if random.random() < 0.5:
            cv2.circle(drawn, a, int(random.integers(10, side // 3)), colour, -1)
        else:
            cv2.rectangle(drawn, a, b, colour, -1)
    letters = "".join(chr(65 + int(n)) for n in random.integers(0, 26, 2))
    cv2.putText(drawn, letters, (side // 8, side * 3 // 4), 0, side / 60, (255, 255, 255), side // 18)
    return drawn


COPIES = {
    "JPEG 40": lambda p, n: jpeg(p, 40),
    "half size, JPEG 60": lambda p, n: jpeg(resized(p, 0.5), 60),
    "1.6 times the size, JPEG 70": lambda p, n: jpeg(resized(p, 1.6), 70),
    "squeezed to 4:3, JPEG 70": lambda p, n: jpeg(
        np.asarray(cv2.resize(p, (320, 240), interpolation=cv2.INTER_AREA)), 70
    ),
    "emblem 15 % of the height": lambda p, n: jpeg(stamped(p, 0.15, n), 70),
    "emblem 25 % of the height": lambda p, n: jpeg(stamped(p, 0.25, n), 70),
    "brighter, more contrast": lambda p, n: jpeg(np.asarray(cv2.convertScaleAbs(p, alpha=1.25, beta=15)), 70),
    "half size, emblem 15 %, JPEG 50": lambda p, n: jpeg(stamped(resized(p, 0.5), 0.15, n), 50),
}
# Copies that no distance finds: said, so that nobody relies on it.
LOST = {
    "cropped by 5 % a side": lambda p, n: jpeg(_cropped(p, 0.05), 70),
    "cropped by 10 % a side": lambda p, n: jpeg(_cropped(p, 0.10), 70),
    "mirrored": lambda p, n: jpeg(np.ascontiguousarray(p[:, ::-1]), 70),
    "black bars of 12 % above and below": lambda p, n: jpeg(
        np.asarray(cv2.copyMakeBorder(p, p.shape[0] // 8, p.shape[0] // 8, 0, 0, cv2.BORDER_CONSTANT)), 70
    ),
}


def _cropped(pixels: Pixels, part: float) -> Pixels:
    y, x = (int(size * part) for size in pixels.shape[:2])
    return pixels[y:-y, x:-x].copy()
