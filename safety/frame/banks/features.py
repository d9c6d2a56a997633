"""Finds a known picture inside a frame: corners that look alike propose where it is, its PDQ hash there decides.

A PDQ hash moves by 80 bits when the picture is framed 5 % off, so hashing windows of a frame finds only what fills one
of them. ORB corners (256 bits each) of the frame are looked up among those of the bank's pictures; where several agree
on one place, size and turn, the frame is cut out along it and hashed. Only that hash can match.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from media import UsageError
from safety.frame.banks.corners import Corners
from safety.frame.banks.index import HammingIndex
from safety.frame.banks.pdq import QUALITY, Hash, pdq

MOST = 160  # corners kept of a bank's picture
_FRAME_MOST = 1500  # corners of a frame
_PICTURE, _FRAME = 256, 960  # pixels of the longer side at which corners are found
_NEAR = 47  # bits within which two corners are alike; what the index can look up quickly
_VOTES, _AGREE = 6, 5  # corners alike, and of those the ones that agree on a place
_PROPOSALS = 4  # pictures of the bank looked for in one frame
_CELLS = 128  # pixels a side of what is cut out to be hashed
_SMALLEST = 24  # pixels of the frame: what is smaller has no readable hash
_TOLERANCE = 4.0  # pixels between where a corner is and where the agreed place has it


class Found(NamedTuple):
    """A place in the frame where a picture of the bank may be: which one, the hash there, the box in pixels."""

    entry: int
    hashed: Hash
    box: tuple[int, int, int, int]


def corners_of(pixels: NDArray[np.uint8], most: int = MOST, longest: int = _PICTURE) -> Corners:
    """The most telling corners of a picture, uint8 RGB (H, W, 3)."""
    height, width = pixels.shape[:2]
    scale = longest / max(height, width)
    size = (max(32, round(width * scale)), max(32, round(height * scale)))
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    # A border, because corners at the very edge of a logo are its outline; a low threshold, because logos are flat.
    orb = _orb(most)
    margin = 16
    gray = cv2.copyMakeBorder(gray, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    points, looks = orb.detectAndCompute(gray, None)
    if looks is None or not len(points):
        return Corners(np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8))
    places = (np.array([point.pt for point in points], np.float32) - margin) / np.array(size, np.float32)
    inside = ((places >= 0) & (places <= 1)).all(axis=1)
    return Corners(places[inside].astype(np.float32), np.asarray(looks, np.uint8)[inside])


def _orb(most: int) -> Any:
    create: Any = vars(cv2)["ORB_create"]  # its stub does not know it
    return create(nfeatures=most, scaleFactor=1.2, nlevels=10, edgeThreshold=16, patchSize=31, fastThreshold=8)


class Finder:
    """Looks for some pictures inside frames."""

    def __init__(self, pictures: list[Corners], aspects: NDArray[np.float64]) -> None:
        if len(pictures) != len(aspects):
            raise UsageError(f"{len(pictures)} pictures and {len(aspects)} aspects")
        self._pictures, self._aspects = pictures, aspects
        self._owner = np.repeat(np.arange(len(pictures)), [len(one.looks) for one in pictures])
        self._places = np.concatenate([one.places for one in pictures] or [np.zeros((0, 2), np.float32)])
        looks = np.concatenate([one.looks for one in pictures] or [np.zeros((0, 32), np.uint8)])
        self._index = HammingIndex(looks, _NEAR)

    def find(self, pixels: NDArray[np.uint8]) -> list[Found]:
        """Where pictures may be; every one still has to be confirmed by its hash."""
        if not len(self._owner):
            return []
        height, width = pixels.shape[:2]
        seen = corners_of(pixels, _FRAME_MOST, min(_FRAME, max(height, width) * 2))
        query, near, distance = self._index.near(seen.looks)
        if not len(query):
            return []
        query, near = _nearest(query, near, distance, self._owner)
        votes = np.bincount(self._owner[near], minlength=len(self._pictures))
        found = []
        for entry in np.argsort(-votes, kind="stable")[:_PROPOSALS].tolist():
            if votes[entry] < _VOTES:
                break
            mine = self._owner[near] == entry
            shown = seen.places[query[mine]] * np.array([width, height], np.float32)
            if (proposal := self._propose(pixels, entry, self._places[near[mine]], shown)) is not None:
                found.append(proposal)
        return found

    def _propose(
        self, pixels: NDArray[np.uint8], entry: int, known: NDArray[np.float32], shown: NDArray[np.float32]
    ) -> Found | None:
        """The picture's place by the corners that agree, and the hash of what is there."""
        aspect = float(self._aspects[entry])
        height, width = pixels.shape[:2]
        shape = np.array([_CELLS * min(1.0, aspect), _CELLS / max(1.0, aspect)], np.float32)  # its own proportions
        tolerance = _TOLERANCE * max(1.0, max(width, height) / 640)
        cv2.setRNGSeed(0)  # the same frame always gives the same place
        turn, agree = cv2.estimateAffinePartial2D(
            known * shape, shown, method=cv2.RANSAC, ransacReprojThreshold=tolerance, maxIters=1000
        )
        if turn is None or int(agree.sum()) < _AGREE:
            return None
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * shape @ turn[:, :2].T + turn[:, 2]
        low, high = corners.min(axis=0), corners.max(axis=0)
        if (high - low).min() < _SMALLEST or (low < -0.2 * (high - low)).any():
            return None
        # From the square that is hashed to the frame: stretch to the picture's proportions, then to its place.
        to_frame = turn @ np.array([[shape[0] / _CELLS, 0, 0], [0, shape[1] / _CELLS, 0], [0, 0, 1]])
        hashed = pdq(_cut(pixels, to_frame))
        if hashed.quality < QUALITY:
            return None
        x0, y0 = np.floor(low.clip(0)).astype(int).tolist()
        x1, y1 = np.ceil(high.clip(0, [width, height])).astype(int).tolist()
        return Found(entry, hashed, (x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)))


def _cut(pixels: NDArray[np.uint8], to_frame: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The square that the transform takes into the frame, sampled finely enough not to alias."""
    step = float(np.hypot(to_frame[0, 0], to_frame[1, 0]))  # pixels of the frame a pixel of the square
    finer = int(np.clip(np.ceil(step), 1, 8))
    fine = to_frame @ np.diag([1 / finer, 1 / finer, 1.0])
    square = cv2.warpAffine(
        pixels, fine, (_CELLS * finer, _CELLS * finer), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.asarray(square, np.uint8)


def _nearest(
    query: NDArray[np.int64], near: NDArray[np.int64], distance: NDArray[np.int64], owner: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each corner of the frame and each picture, the nearest corner only: a pattern must not outvote itself."""
    order = np.lexsort((near, distance, owner[near], query))
    query, near = query[order], near[order]
    first = np.ones(len(query), bool)
    first[1:] = (query[1:] != query[:-1]) | (owner[near[1:]] != owner[near[:-1]])
    return query[first], near[first]
