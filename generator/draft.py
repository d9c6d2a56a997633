"""From sheets and tracks to a draft of the clip: each shot's parts are put where its track says.

Where frames are given, the track is moved until the draft is nearest to them, and what then still differs is carried
to the other frames: the landscape's part as the camera moves, the subject's as the subject does. The draft is
what the last network is told (`generator.sampler`); it does not leave by itself but as the preview of early steps.
"""

from __future__ import annotations

import math
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
_LEAST: Final = 0.3  # of what is seen, below which it fades out
AT_ONCE: Final = 16  # frames that are drawn at once: memory stays bounded in clips of a minute


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

    def view(self, frame: float) -> View:
        """The view at a native frame of the clip, or between two of them."""
        early, late = math.floor(frame) - self.first, math.ceil(frame) - self.first
        share = frame - math.floor(frame)
        numbers = self.track[early] * (1 - share) + self.track[late] * share
        return View.of(np.asarray(numbers, np.float32), self.size)


def draft_of(shots: Sequence[Shot], layers: Sequence[Layers], given: Given) -> Tensor:
    """The draft (N, h, w, 3) in [0, 255], one set of layers for each shot, on their device.

    Known frames stand, and what they show besides the shots' parts is carried to the others.
    """
    truth = _truth(given, layers[0].landscape.device)
    clip = torch.empty((len(given.native), 3, *given.native.shape[1:3]), device=layers[0].landscape.device)
    for shot, layer in zip(shots, layers, strict=True):
        for first in range(shot.first, shot.frames.stop, AT_ONCE):
            some = range(first, min(first + AT_ONCE, shot.frames.stop))
            clip[some.start : some.stop] = layer.pictures([shot.view(i) for i in some])
        known = [i for i in shot.frames if i in truth]
        rests = {i: truth[i] - clip[i] for i in known}
        for i in shot.frames:
            if i in truth:
                clip[i] = truth[i]
            elif known:
                beside = _beside(i, known)
                nearness = [1 / abs(k - i) for k in beside]
                shares = [one / sum(nearness) for one in nearness]
                views = [shot.view(k) for k in beside]
                more = carried([rests[k] for k in beside], views, shares, (shot.view(i), layer))
                clip[i] = (clip[i] + more).clamp(0, 255)
    return clip.movedim(1, -1)


def fitted(shot: Shot, layers: Layers, given: Given) -> Shot:
    """The shot moved by at most a jitter, so that its pictures are nearest to the known frames."""
    truth = _truth(given, layers.landscape.device)
    known = [i for i in shot.frames if i in truth]
    if not known:
        return shot
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


def carried(
    rests: Sequence[Tensor], views: Sequence[View], shares: Sequence[float], to: tuple[View, Layers]
) -> Tensor:  # fmt: skip
    """What pictures (3, H, W) have besides their parts, moved from their views to another one and mixed by shares.

    It moves with the landscape, and where the subject is, with the subject. Each is averaged over what of it is seen,
    so what a subject uncovers is filled from beside it.
    """
    there, layers = to
    covers = layers.covers([*views, there])[:, 3:]  # (k + 1, 1, H, W)
    grounds, bodies = [], []
    for rest, view, share, cover in zip(rests, views, shares, covers, strict=False):
        onto_land = _joined(view.into_landscape(), there.into_landscape())
        onto_body = _joined(into_layer(view.pose, SUBJECT), into_layer(there.pose, SUBJECT))
        bare = torch.cat([rest * (1 - cover), 1 - cover])  # (4, H, W)
        grounds.append(share * warped(bare, onto_land, there.size, beyond="border")[0])
        bodies.append(share * warped(torch.cat([rest * cover, cover]), onto_body, there.size)[0])
    ground, body = (sum(parts[1:], parts[0]) for parts in (grounds, bodies))
    land, subject = (part[:3] / part[3:].clamp_min(_LEAST) for part in (ground, body))
    return land * (1 - covers[-1]) + subject * covers[-1]


def _truth(given: Given, device: torch.device) -> dict[int, Tensor]:
    """The known frames, (3, h, w) each."""
    known = torch.from_numpy(given.native[given.known]).to(device).float().movedim(-1, 1)  # (n, 3, h, w)
    return dict(zip(np.flatnonzero(given.known).tolist(), known, strict=True))


def _beside(frame: int, known: Sequence[int]) -> list[int]:
    """The nearest known frames before and after one that is not."""
    before, after = [k for k in known if k < frame], [k for k in known if k > frame]
    return [*before[-1:], *after[:1]]


def _joined(here: NDArray[np.float64], there: NDArray[np.float64]) -> NDArray[np.float64]:
    """The affine map from pixels of `there` to pixels of `here`, both mapped into one plane: (1, 2, 3)."""
    square = [np.vstack([m, (0, 0, 1)]) for m in (here, there)]
    return np.asarray(np.linalg.solve(square[0], square[1])[None, :2])
