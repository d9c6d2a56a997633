"""A clip that can be looked at between its frames: what moves is drawn where it then is, not in two places at once.

The parts of the sheets are drawn at the moment asked for, and what the frames on both sides have besides (weather,
blur, what given frames show) is moved there with them. At a frame of the clip its picture is that frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generator.draft import Shot, carried
from generator.layers import Layers

_KEPT: Final = 3
Clip = NDArray[np.float32]  # (N, h, w, 3) in [0, 255]


@dataclass(frozen=True, eq=False)
class Film:
    """A native clip, and the shots and layers that its draft was made of."""

    clip: Clip
    shots: Sequence[Shot]
    layers: Sequence[Layers]  # one set for each shot
    _rests: dict[int, Tensor] = field(default_factory=dict, init=False, repr=False)

    def with_clip(self, clip: Clip) -> Film:
        """Other pictures of the same shots."""
        return Film(clip, self.shots, self.layers)

    def at(self, position: float) -> NDArray[np.float32]:
        """The picture (h, w, 3) at a position from 0 to N - 1, in native frames."""
        early, late = math.floor(position), math.ceil(position)
        row = max(i for i, shot in enumerate(self.shots) if shot.first <= early)
        shot, layers = self.shots[row], self.layers[row]
        if early == late or late not in shot.frames:  # at a cut nothing lies between
            return np.array(self.clip[early if position - early < 0.5 else late])
        there, shares = shot.view(position), (late - position, position - early)
        rests = [self._rest(frame, row) for frame in (early, late)]
        if there.blocks:  # large pixels do not move
            more = rests[0] * shares[0] + rests[1] * shares[1]
        else:
            more = carried(rests, [shot.view(early), shot.view(late)], shares, (there, layers))
        picture = layers.pictures([there])[0] + more  # (3, h, w)
        return np.asarray(picture.clamp(0, 255).movedim(0, -1).numpy(), np.float32)

    def _rest(self, frame: int, row: int) -> Tensor:
        """What a frame has besides its parts, (3, h, w). The last few are kept: positions come in order."""
        if frame not in self._rests:
            while len(self._rests) >= _KEPT:
                self._rests.pop(next(iter(self._rests)))
            picture = torch.from_numpy(self.clip[frame]).movedim(-1, 0)
            self._rests[frame] = picture - self.layers[row].pictures([self.shots[row].view(frame)])[0]
        return self._rests[frame]
