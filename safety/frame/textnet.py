"""The two networks that read: where lines of text are, and what a line says. Their weights are rapidocr's.

Pictures are prepared and outputs decoded here, in arrays, so that any runtime can compute them and each part can be run
by itself: lines are looked for in every frame, and read only where they changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

# Of the finder's map of probabilities: what belongs to a line, how sure a line must be on average, and by how much of
# its area over its perimeter a line is larger than what was learned as its core. The authors' own: at 0.4 no more of
# 120 captions were read, at 0.6 two fewer.
_INK, _SURE, _MARGIN = 0.3, 0.5, 1.6
_THINNEST = 3.0  # cells; thinner spots are noise
_MOST = 60  # lines a picture; a page of small print has more, and is no frame of a video
_HEIGHT = 48  # pixels of a line as the speller sees it
# Widths it is shown: each is compiled once, so memory stays bounded; a longer line is squeezed into the last.
WIDTHS = (96, 192, 320, 480, 640, 960, 1440)
_TALL = 1.5  # height to width from which a line runs downwards, and is turned

THOUGHT_OF = 0.1  # probability of a space: measured 0.18 to 0.56 between words in capitals, below 0.005 inside them


@dataclass(frozen=True)
class Quad:
    """A rectangle around a line: its centre, half its length along the text, half its height; float64 (2,), pixels."""

    centre: NDArray[np.float64]
    along: NDArray[np.float64]
    across: NDArray[np.float64]

    @property
    def corners(self) -> NDArray[np.float64]:
        """The four corners from the upper left, clockwise: (4, 2)."""
        c, u, v = self.centre, self.along, self.across
        return np.array([c - u - v, c + u - v, c + u + v, c - u + v])

    def scaled(self, factor: float) -> Quad:
        """The same rectangle in a picture so many times as large."""
        return Quad(self.centre * factor, self.along * factor, self.across * factor)

    def moved(self, left: float, top: float) -> Quad:
        """The same rectangle in the coordinates of a picture in which this one begins at left, top."""
        return Quad(self.centre + np.array([left, top]), self.along, self.across)


def finder_input(pixels: Pixels, side: int) -> NDArray[np.float32]:
    """float32 (1, 3, h, w) in [-1, 1], blue first; the longer side is `side`, both are multiples of 32."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = tuple(max(32, round(edge * scale / 32) * 32) for edge in (width, height))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(pixels, size, interpolation=how), np.float32)
    return np.ascontiguousarray((small[..., ::-1] / 127.5 - 1.0).transpose(2, 0, 1)[None], np.float32)


def quads(probability: NDArray[np.float32], width: int, height: int) -> list[Quad]:
    """The lines in the finder's map (h, w) of a picture of that size, surest first, in pixels of the picture.

    RuntimeError where the map holds no numbers.
    """
    if probability.ndim != 2 or not np.isfinite(probability).all():
        raise RuntimeError(f"the finder gave a map of shape {probability.shape}, or one that holds no numbers")
    ink = cv2.dilate((probability > _INK).astype(np.uint8), np.ones((2, 2), np.uint8))
    outlines, _ = cv2.findContours(ink, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found: list[tuple[float, Quad]] = []
    scale = np.array([width / probability.shape[1], height / probability.shape[0]])
    for outline in outlines:
        centre, (w, h), angle = cv2.minAreaRect(outline)
        if min(w, h) < _THINNEST:
            continue
        sure = _inside(probability, np.asarray(outline, np.int32))
        if sure >= _SURE:
            found.append((sure, _grown(np.array(centre), w, h, np.deg2rad(angle), scale)))
    found.sort(key=lambda pair: -pair[0])
    return [quad for _, quad in found[:_MOST]]


def _inside(probability: NDArray[np.float32], outline: NDArray[np.int32]) -> float:
    """The mean of the map inside an outline."""
    left, top, w, h = cv2.boundingRect(outline)
    mask = np.zeros((h, w), np.uint8)
    cv2.fillPoly(mask, [outline - np.array([left, top], np.int32)], 1)
    return float(cv2.mean(probability[top : top + h, left : left + w], mask)[0])


def _grown(centre: NDArray[np.float64], w: float, h: float, angle: float, scale: NDArray[np.float64]) -> Quad:
    """The rectangle with its margin, in pixels; `along` is the side nearer to the horizontal, towards the right."""
    if abs(np.sin(angle)) > abs(np.cos(angle)):
        w, h, angle = h, w, angle - np.pi / 2
    if np.cos(angle) < 0:
        angle += np.pi
    margin = w * h * _MARGIN / (2 * (w + h))
    along = np.array([np.cos(angle), np.sin(angle)]) * (w / 2 + margin)
    across = np.array([-np.sin(angle), np.cos(angle)]) * (h / 2 + margin)
    return Quad(centre * scale, along * scale, across * scale)


def strip(pixels: Pixels, quad: Quad) -> Pixels:
    """The line laid flat, 48 pixels high: uint8 (48, w, 3). One that runs downwards is turned to the left."""
    length, height = 2 * float(np.linalg.norm(quad.along)), 2 * float(np.linalg.norm(quad.across))
    corners = quad.corners
    if height >= _TALL * length:
        corners, length, height = np.roll(corners, -1, axis=0), height, length
    # Much larger lines are reduced by averaging first: sampling every fifth pixel would tear the strokes.
    shrink = max(1.0, height / (2 * _HEIGHT))
    if shrink > 1.0:
        size = tuple(max(1, round(edge / shrink)) for edge in pixels.shape[1::-1])
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        corners = corners / shrink
    width = int(np.clip(round(length / max(height, 1.0) * _HEIGHT), 16, WIDTHS[-1]))
    target = np.array([[0, 0], [width, 0], [width, _HEIGHT]], np.float32)
    matrix = cv2.getAffineTransform(corners[:3].astype(np.float32), target)
    flat = cv2.warpAffine(pixels, matrix, (width, _HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(flat, np.uint8)


def speller_input(line: Pixels) -> NDArray[np.float32]:
    """float32 (1, 3, 48, w) in [-1, 1], blue first, padded with grey to one of `WIDTHS`."""
    width = line.shape[1]
    padded = np.zeros((1, 3, _HEIGHT, next(w for w in WIDTHS if w >= width)), np.float32)
    padded[0, :, :, :width] = (line[..., ::-1].astype(np.float32) / 127.5 - 1.0).transpose(2, 0, 1)
    return padded


def spelled(probability: NDArray[np.float32], signs: Sequence[str]) -> tuple[str, float]:
    """The text in the speller's output (steps, signs), and the mean probability of its signs; sign 0 is "none".

    The speller grudges spaces between capitals, and words run together are words no judge knows: where it thought of a
    space between two signs at all, there is one. RuntimeError where the output holds no probabilities.
    """
    likeliest, values = probability.argmax(axis=1), probability.max(axis=1)  # (steps,) each; NaN wins a maximum
    if not (np.isfinite(values).all() and values.min() >= 0.0 and values.max() <= 1.001):
        raise RuntimeError("the speller gave an output that holds no probabilities")
    kept = (likeliest != 0) & np.append(True, likeliest[1:] != likeliest[:-1])
    if not kept.any():
        return "", 0.0
    text = "".join(signs[index] for index in likeliest[kept])
    if " " in signs:
        text = _spaced(text, np.flatnonzero(kept), probability[:, list(signs).index(" ")])
    return text, min(1.0, float(values[kept].mean()))


def _spaced(text: str, steps: NDArray[np.intp], space: NDArray[np.float32]) -> str:
    """The text with a space between signs where the speller gave one `THOUGHT_OF` or more; Latin letters alone."""
    out = text[0]
    for before, after, start, stop in zip(text, text[1:], steps, steps[1:], strict=False):
        latin = before.isascii() and after.isascii() and before != " " and after != " "
        if latin and stop - start > 1 and float(space[start + 1 : stop].max()) >= THOUGHT_OF:
            out += " "
        out += after
    return out
