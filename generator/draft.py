"""From sheets and tracks to a draft of the clip: each shot's parts are put where its track says.

Where frames are given, the track is moved until the draft is nearest to them, and what then still differs is carried
along to the other frames: the landscape's part as the camera moves, the subject's as the subject does. The draft is
what the last network is told (`generator.sampler`); it does not leave by itself but as the preview of early steps.
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
from generator.world.sheet import Layers, View
from generator.world.track import Track, moved

Clip = NDArray[np.float32]  # (N, h, w, 3) in [0, 255]
_MOVES: Final = (-0.04, -0.02, 0.0, 0.02, 0.04), (-0.03, -0.015, 0.0, 0.015, 0.03), (0.95, 1.0, 1.05)
_LOOKED_AT: Final = 3  # given frames, when a track is fitted


@dataclass(frozen=True, eq=False)
class Shot:
    """A part of a clip under one prompt: where its subject and camera are from native frame `first` on."""

    track: Track  # (n, NUMBERS)
    first: int
    size: tuple[int, int]

    @property
    def frames(self) -> range:
        """Its native frames."""
        return range(self.first, self.first + len(self.track))

    def view(self, frame: int) -> View:
        """The view at a native frame of the clip."""
        return View.of(self.track[frame - self.first], self.size)


def draft_of(shots: Sequence[Shot], layers: Sequence[Layers], given: Given, *, fit: bool = True) -> Clip:
    """The draft (N, h, w, 3): one set of layers for each shot; known frames stand, and what they show is carried on.

    fit: tracks are moved to where the known frames show their subjects; in training they are there already.
    """
    clip = np.empty(given.native.shape, np.float32)
    for shot, layer in zip(shots, layers, strict=True):
        truth = {i: given.native[i].astype(np.float32) for i in shot.frames if given.known[i]}
        fitted = _fitted(shot, layer, truth) if fit else shot
        for i in shot.frames:
            clip[i] = layer.picture(fitted.view(i))
        _carry(clip, fitted, layer, truth)
        for i, picture in truth.items():
            clip[i] = picture
    return clip


def _fitted(shot: Shot, layers: Layers, truth: dict[int, Clip]) -> Shot:
    """The shot moved by at most a jitter, so that its pictures are nearest to the known frames."""
    if not truth:
        return shot
    known = sorted(truth)
    some = sorted({known[0], known[len(known) // 2], known[-1]})[:_LOOKED_AT]
    candidates = [replace(shot, track=moved(shot.track, x, y, k)) for x, y, k in product(*_MOVES)]

    def error(candidate: Shot) -> float:
        return sum(float(np.square(layers.picture(candidate.view(i)) - truth[i]).mean()) for i in some)

    return min(candidates, key=error)


def _carry(clip: Clip, shot: Shot, layers: Layers, truth: dict[int, Clip]) -> None:
    """Adds to each frame that is not known what the known ones beside it have and their composed pictures have not."""
    if not truth:
        return
    known = sorted(truth)
    rest = {i: truth[i] - clip[i] for i in known}
    for i in shot.frames:
        if i in truth:
            continue
        before = max((k for k in known if k < i), default=None)
        after = min((k for k in known if k > i), default=None)
        total, weight = np.zeros_like(clip[i]), 0.0
        for k in (before, after):
            if k is not None:
                share = 1.0 / abs(k - i)
                total += share * _moved(rest[k], (shot.view(k), shot.view(i)), layers)
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
