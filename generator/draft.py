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

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from generator.geometry import Given
from generator.layers import Layers, few, into_layer, warped
from generator.world.sheet import SUBJECT, View
from generator.world.track import Track, moved

_MOVES: Final = (-0.04, -0.02, 0.0, 0.02, 0.04), (-0.03, -0.015, 0.0, 0.015, 0.03), (0.95, 1.0, 1.05)
_LOOKED_AT: Final = 3  # given frames, when a track is fitted
AT_ONCE: Final = 64  # frames that are drawn at once: memory stays bounded in clips of a minute


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


def draft_of(shots: Sequence[Shot], layers: Sequence[Layers], given: Given, *, fit: bool = True) -> Tensor:
    """The draft (N, h, w, 3) in [0, 255], one set of layers for each shot, on their device.

    Known frames stand, and what they show is carried on. fit: tracks are moved to where the known frames show their
    subjects; in training they are there already.
    """
    device = layers[0].landscape.device
    known = torch.from_numpy(given.native[given.known]).to(device).float().movedim(-1, 1)  # (n, 3, h, w)
    truth = dict(zip(np.flatnonzero(given.known).tolist(), known, strict=True))
    clip = torch.empty((len(given.native), 3, *given.native.shape[1:3]), device=device)
    for shot, layer in zip(shots, layers, strict=True):
        mine = {i: picture for i, picture in truth.items() if i in shot.frames}
        fitted = _fitted(shot, layer, mine) if fit else shot
        for first in range(shot.first, shot.frames.stop, AT_ONCE):
            some = range(first, min(first + AT_ONCE, shot.frames.stop))
            clip[some.start : some.stop] = layer.pictures([fitted.view(i) for i in some])
        _carry(clip, fitted, layer, mine)
        for i, picture in mine.items():
            clip[i] = picture
    return clip.movedim(1, -1)


def _fitted(shot: Shot, layers: Layers, truth: dict[int, Tensor]) -> Shot:
    """The shot moved by at most a jitter, so that its pictures are nearest to the known frames."""
    if not truth:
        return shot
    known = sorted(truth)
    some = sorted({known[0], known[len(known) // 2], known[-1]})[:_LOOKED_AT]
    shown = torch.stack([truth[i] for i in some])  # (n, 3, h, w)
    size = few(shot.size) if shot.view(some[0]).blocks else shot.size
    if size != shot.size:
        shown = F.adaptive_avg_pool2d(shown, size[::-1])
    ground = layers.landscapes([shot.view(i).scaled(size) for i in some])

    def error(candidate: Shot) -> float:
        made = layers.with_subject(ground, [candidate.view(i).scaled(size) for i in some])
        return float((made - shown).square().mean())

    return min((replace(shot, track=moved(shot.track, x, y, k)) for x, y, k in product(*_MOVES)), key=error)


def _carry(clip: Tensor, shot: Shot, layers: Layers, truth: dict[int, Tensor]) -> None:
    """Adds to each frame that is not known what the known ones beside it have and their composed pictures have not."""
    beside: dict[int, list[int]] = {k: [] for k in truth}  # of each known frame, those that it is the nearest of a side
    for i in shot.frames:
        if i not in truth:
            before = max((k for k in truth if k < i), default=None)
            after = min((k for k in truth if k > i), default=None)
            for k in (before, after):
                if k is not None:
                    beside[k].append(i)
    total, weight = torch.zeros_like(clip), torch.zeros(len(clip), 1, 1, 1, device=clip.device)
    for k, frames in beside.items():
        for first in range(0, len(frames), AT_ONCE):
            some = frames[first : first + AT_ONCE]
            share = 1.0 / torch.tensor(some, device=clip.device).sub(k).abs()[:, None, None, None]
            total[some] += share * _moved(truth[k] - clip[k], (shot.view(k), [shot.view(i) for i in some]), layers)
            weight[some] += share
    clip.add_(total / weight.clamp_min(1e-9)).clamp_(0, 255)


def _moved(rest: Tensor, views: tuple[View, list[View]], layers: Layers) -> Tensor:
    """What differs in one view (3, H, W), moved to n others: with the landscape, and where the subject is, with it."""
    here, there = views
    mine, theirs = layers.covers([here])[0, 3], layers.covers(there)[:, 3:]  # (H, W), (n, 1, H, W)
    ground = warped(rest * (1 - mine), _joined(here.into_landscape(), [v.into_landscape() for v in there]), here.size)
    body = warped(rest * mine, _joined(_subject(here), [_subject(v) for v in there]), here.size)
    return ground * (1 - theirs) + body * theirs


def _subject(view: View) -> NDArray[np.float64]:
    return into_layer(view.pose, SUBJECT)


def _joined(here: NDArray[np.float64], there: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The affine maps from pixels of each of `there` to pixels of `here`, all mapped into one plane: (n, 2, 3)."""
    square = [np.vstack([m, (0, 0, 1)]) for m in (here, *there)]
    return np.stack([np.linalg.solve(square[0], other)[:2] for other in square[1:]])
