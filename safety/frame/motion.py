"""How things move, patch by patch: what tells a brawl from a walk, whatever the place looks like.

Fights are hard to see in one picture and easy to confuse with the place they are filmed in. Their motion is local:
fast, torn in several directions within an arm's length, changing from one tenth of a second to the next. So the dense
optical flow between pictures about 1/16 s apart, freed of what the camera does, is averaged over a grid, and every
patch that moves is described over about half a second (a cuboid) by 40 numbers. Nothing in them says where it was.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

CUBOID_NUMBERS = 40

SIDE = 160  # pixels of the longer side for the flow: half the canonical small picture, and the halving is nearly free
THINNEST = 48  # pixels of the shorter side
STEP_S = 0.062  # at least so far apart are two pictures: 12 to 16 pairs a second from video of 24 to 60 frames/s
GRID = (20, 12)  # cells, across and down
PATCH = 3  # cells; patches overlap
DEEP = 6  # pairs in a cuboid
STRIDE = 3  # pairs between one cuboid and the next
MOVING = 0.02  # picture widths a second; a slower patch is at rest
CUT = 30.0  # grey levels by which two pictures differ on average across a cut, where no flow means anything
_USUAL_S, _LONGEST_S, _SHORTEST_S = 0.04, 1.0, 1 / 240  # of a frame; times that no clock would give count as usual
_GAP_S = 0.2  # pairs further apart count as this far: their flow is no longer what happened in between

Plane = NDArray[Any]  # OpenCV's own types do not tell uint8 from float32
Map = NDArray[np.float32]  # (10, 18, 14): patches, down and across, and measures
Cuboids = NDArray[np.float32]  # (cuboids, 40)
_FLIPPED = tuple(itertools.chain.from_iterable((12 * b + 1, 12 * b, *range(12 * b + 2, 12 * b + 12)) for b in range(3)))
MIRROR = (*_FLIPPED, *range(36, CUBOID_NUMBERS))  # the numbers of the same cuboid seen in a mirror: right is left


class Motion:
    """The motion along one stream of one video; feed it every frame in order."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._before: tuple[Plane, Plane] | None = None  # grey at 160 and at 80, of the last picture of a pair
        self._velocity: Plane | None = None
        self._pts: float | None = None
        self._elapsed = 0.0
        self.maps: deque[Map] = deque(maxlen=DEEP)  # the last pairs
        self._fresh = 0

    def see(self, small: NDArray[np.uint8], pts: float) -> Cuboids | None:
        """The cuboids that end with this frame, (n, 40) with n = 0 where nothing moves; None until the next are due."""
        self._elapsed += self._since(pts)
        if self._before is not None and self._elapsed < STEP_S:
            return None
        grey = _grey(small)
        coarse = _area(grey, grey.shape[1] // 2, grey.shape[0] // 2)
        before, elapsed = self._before, min(self._elapsed, _GAP_S)
        self._before, self._elapsed = (grey, coarse), 0.0
        if before is None or before[0].shape != grey.shape or _is_cut(before[1], coarse):
            self._velocity = None
            return None
        flow = self._flow.calc(before[0], grey, None)  # type: ignore[call-overload]  # None: a fresh array
        made, self._velocity = _map(flow, self._velocity, elapsed, before[1], coarse)
        self.maps.append(made)
        self._fresh += 1
        if len(self.maps) < DEEP or self._fresh < STRIDE:
            return None
        self._fresh = 0
        return cuboids(np.stack(self.maps))

    def _since(self, pts: float) -> float:
        """Seconds since the last frame; a clock that stands, runs back or jumps is not believed."""
        passed = _USUAL_S if self._pts is None else pts - self._pts
        self._pts = pts
        return max(passed, _SHORTEST_S) if 0.0 < passed <= _LONGEST_S else _USUAL_S


def cuboids(maps: NDArray[np.float32]) -> Cuboids:
    """The moving patches of DEEP maps (6, 10, 18, 14) as float32 (n, 40)."""
    speed = maps[..., 4]
    thirds = maps.reshape(3, DEEP // 3, *maps.shape[1:]).mean(1)  # (3, 10, 18, 14)
    moving = speed.mean(0) > MOVING  # (10, 18)
    through = thirds[:, moving]  # (3, n, 14)
    course = np.stack([speed.max(0), speed.std(0)], axis=-1)[moving]  # (n, 2)
    movement = through[..., :12].transpose(1, 0, 2).reshape(-1, 36)
    described = np.concatenate([movement, through[1, :, 12:], course], axis=-1)  # (n, 40)
    return np.log(described + np.float32(0.01))


def _grey(small: NDArray[np.uint8]) -> Plane:
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    scale = SIDE / max(height, width)
    # OpenCV's flow reads beyond its buffers (and crashes) below 32 rows: a thin strip is stretched.
    return _area(grey, max(THINNEST, round(width * scale)), max(THINNEST, round(height * scale)))


def _area(plane: Plane, width: int, height: int) -> Plane:
    return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA))


def _is_cut(before: Plane, now: Plane) -> bool:
    return float(cv2.norm(before, now, cv2.NORM_L1)) / now.size > CUT


def _map(flow: Plane, before: Plane | None, elapsed: float, was: Plane, now: Plane) -> tuple[Map, Plane]:
    """Fourteen measures of a pair on the grid, and the velocity (picture widths a second) that the next pair needs."""
    height, width = now.shape
    velocity = _area(flow, width, height) * np.float32(1 / (elapsed * max(flow.shape[:2])))  # (h, w, 2)
    velocity -= np.median(velocity[::2, ::3].reshape(-1, 2), axis=0)  # what all of the picture does is the camera
    measures = list(_measures(velocity, before, was, now))
    grid = np.concatenate([_area(cv2.merge(measures[i : i + 4]), *GRID) for i in range(0, len(measures), 4)], axis=-1)
    patches = cv2.blur(grid, (PATCH, PATCH))[1:-1, 1:-1]  # (10, 18, 14)
    patches[..., 5] = np.sqrt(patches[..., 5])  # root mean square
    return np.asarray(patches, np.float32), velocity


def _measures(velocity: Plane, before: Plane | None, was: Plane, now: Plane) -> Iterator[Plane]:
    across, down = cv2.split(velocity)
    speed = cv2.magnitude(across, down)
    for one in (across, down):
        yield np.maximum(one, 0)
        yield np.maximum(-one, 0)
    yield speed
    yield speed * speed
    for one in (across, down):  # how torn the motion is
        yield np.abs(cv2.Scharr(one, -1, 1, 0))
        yield np.abs(cv2.Scharr(one, -1, 0, 1))
    yield cv2.absdiff(was, now).astype(np.float32) / 255
    yield np.zeros_like(speed) if before is None else cv2.magnitude(*cv2.split(velocity - before))
    yield np.abs(cv2.Sobel(now, cv2.CV_32F, 1, 0)) / 255
    yield np.abs(cv2.Sobel(now, cv2.CV_32F, 0, 1)) / 255
