"""From sheets to frames: each prompt's part of a clip is laid out and composed; given frames are fitted and carried on.

Where frames are given, the layout is moved until the composed picture is nearest to them, and what then still differs
is carried along to the other frames: the landscape's part as the camera moves, the subject's as the subject does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from generator.geometry import Given
from generator.world.scene import SceneSpec
from generator.world.sheet import Layers, View

Clip = NDArray[np.float32]  # (N, h, w, 3) in [0, 255]
_MOVES: Final = (-0.04, -0.02, 0.0, 0.02, 0.04), (-0.03, -0.015, 0.0, 0.015, 0.03), (0.95, 1.0, 1.05)
_LOOKED_AT: Final = 3  # given frames, when a layout is fitted


@dataclass(frozen=True)
class Shot:
    """A part of a clip under one prompt: its scene, when it begins, how long it is and the size of its pictures."""

    scene: SceneSpec
    start_s: float
    length_s: float
    size: tuple[int, int]

    def holds(self, t: float) -> bool:
        """Whether a moment of the clip lies in it."""
        return self.start_s <= t < self.start_s + self.length_s

    def view(self, t: float) -> View:
        """The view at a moment of the clip."""
        return View.of(self.scene, self.size, max(t - self.start_s, 0.0), self.length_s)


def clip_of(shots: Sequence[Shot], layers: Sequence[Layers], given: Given, fps: float) -> Clip:
    """The clip (N, h, w, 3): one set of layers for each shot, and what the known frames have that these have not."""
    clip = np.empty(given.native.shape, np.float32)
    for number, (shot, layer) in enumerate(zip(shots, layers, strict=True)):
        last = number == len(shots) - 1
        frames = [i for i in range(len(clip)) if shot.holds(i / fps) or (last and i / fps >= shot.start_s)]
        known = [i for i in frames if given.known[i]]
        truth = {i: given.native[i].astype(np.float32) for i in known}
        fitted = _fitted(shot, layer, truth, fps)
        for i in frames:
            clip[i] = layer.picture(fitted.view(i / fps))
        _carry(clip, fitted, layer, (truth, frames), fps)
    return clip


def _fitted(shot: Shot, layers: Layers, truth: dict[int, Clip], fps: float) -> Shot:
    """The shot moved by at most a jitter, so that its pictures are nearest to the known frames."""
    if not truth:
        return shot
    known = sorted(truth)
    some = sorted({known[0], known[len(known) // 2], known[-1]})[:_LOOKED_AT]
    candidates = [replace(shot, scene=replace(shot.scene, x=x, y=y, scale=k)) for x, y, k in product(*_MOVES)]

    def error(candidate: Shot) -> float:
        return sum(float(np.square(layers.picture(candidate.view(i / fps)) - truth[i]).mean()) for i in some)

    return min(candidates, key=error)


def _carry(clip: Clip, shot: Shot, layers: Layers, given: tuple[dict[int, Clip], list[int]], fps: float) -> None:
    """Adds to each frame that is not known what the known ones beside it have and their composed pictures have not."""
    truth, frames = given
    if not truth:
        return
    known = sorted(truth)
    rest = {i: truth[i] - clip[i] for i in known}
    for i in frames:
        if i in truth:
            continue
        before = max((k for k in known if k < i), default=None)
        after = min((k for k in known if k > i), default=None)
        total, weight = np.zeros_like(clip[i]), 0.0
        for k in (before, after):
            if k is not None:
                share = 1.0 / abs(k - i)
                total += share * _moved(rest[k], (shot.view(k / fps), shot.view(i / fps)), layers)
                weight += share
        clip[i] = np.clip(clip[i] + total / weight, 0, 255)


def _moved(rest: Clip, views: tuple[View, View], layers: Layers) -> Clip:
    """What differs in one view (H, W, 3), moved to another: with the landscape, and where the subject is, with it."""
    here, there = views
    mine, theirs = here.alpha(layers.subject)[..., None], there.alpha(layers.subject)[..., None]
    ground = _warped(rest * (1 - mine), _joined(here.into_landscape(), there.into_landscape()), here.size)
    body = _warped(rest * mine, _joined(here.into_subject(), there.into_subject()), here.size)
    return np.asarray(ground * (1 - theirs) + body * theirs, np.float32)


def _joined(here: NDArray[np.float64], there: NDArray[np.float64]) -> NDArray[np.float64]:
    """The affine map from pixels of `there` to pixels of `here`, both mapped into one plane: (2, 3)."""
    square = [np.vstack([m, (0, 0, 1)]) for m in (here, there)]
    return np.asarray(np.linalg.solve(square[0], square[1])[:2])


def _warped(picture: Clip, matrix: NDArray[np.float64], size: tuple[int, int]) -> Clip:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=flags, borderValue=(0, 0, 0)), np.float32)
