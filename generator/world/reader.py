"""Measures the attributes of a scene back off the frames of a clip: the yardstick of caption following.

Analysis by synthesis: the setting is read first (`generator.world.setting`), then every subject on every path is
compared with what stands out from that landscape, and the one that explains most wins. It knows the world and nothing
of captions or networks. It reads clips as the model makes them: about two seconds, any small size, one subject, clear
weather.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from generator.request import Pixels
from generator.world.looks import shown, toned
from generator.world.path import PILLAR, Pose, poses
from generator.world.render import SceneRenderer
from generator.world.scene import COLOURLESS, COLOURS, EMBLEM, FACES_RIGHT, MOTIONS, OWN, SHAPES, SPRITES
from generator.world.setting import Setting, read_setting
from generator.world.sprites import sprite

SIDE: Final = 20  # subjects are compared at SIDE x SIDE
RIM: Final = 1.1  # the window, in subjects
PRESENT: Final = 0.02  # the share of what stands out that a subject has to explain
_OFFSETS: Final = (-0.04, -0.02, 0.0, 0.02, 0.04), (-0.03, 0.0, 0.03)  # widths, heights
_SCALES: Final = (1.0,)
_LOOKED_AT: Final = (0, 1, 3, 6, 10, 13, 15)  # of sixteen frames; who passes behind a pillar is seen in five
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Measured:
    """What a clip shows; a subject that cannot be found leaves its three attributes None."""

    kind: str | None
    colour: str | None  # None too where the subject has its own, and in black and white
    motion: str | None
    background: str
    camera: str
    style: str
    light: str
    first: str | None = None  # the kind in the first frame alone
    last: str | None = None  # and in the last

    def words(self) -> dict[str, str | None]:
        """The attributes by name, as `SceneSpec.words` gives them."""
        names = ("kind", "colour", "motion", "background", "camera", "style", "light")
        return {name: getattr(self, name) for name in names}


def visible(words: Mapping[str, str]) -> dict[str, str]:
    """Of the words of a scene or a caption those that frames can show: no colour in black and white."""
    hidden = "colour" if words.get("style") == COLOURLESS else ""
    return {name: value for name, value in words.items() if name != hidden}


def measure(clip: Pixels, fps: float = 8.0) -> Measured:
    """The attributes of a clip uint8 (T, H, W, 3)."""
    setting = read_setting(clip)
    size, total = (clip.shape[2], clip.shape[1]), len(clip)
    at = [round(i * (total - 1) / 15) for i in _LOOKED_AT]
    seen = [cv2.GaussianBlur(clip[i].astype(np.float32), (0, 0), 0.8) for i in at]
    plain = SceneRenderer(setting.scene(), size)
    behind = SceneRenderer(setting.scene(motion="behind"), size)
    made = [shown(plain.landscape(i / total, raw=True), setting.style, None) for i in at]
    walled = [shown(behind.landscape(i / total, raw=True), setting.style, None) for i in at]
    errors = {name: sum(float(np.square(a - b).sum()) for a, b in zip(seen, m, strict=True))
              for name, m in (("plain", made), ("walled", walled))}  # fmt: skip
    best: tuple[float, str, Floats] = (-np.inf, "", np.zeros(0, np.float32))
    for motion in MOTIONS[:-1]:
        ground = walled if motion == "behind" else made
        gains = _gains(seen, ground, setting, motion, [(i / fps, i / total) for i in at])  # (offsets, frames, N)
        joined = gains.sum(axis=1)  # (offsets, N)
        offset, _ = np.unravel_index(int(joined.argmax()), joined.shape)
        left = errors["walled" if motion == "behind" else "plain"] - float(joined.max())
        if -left > best[0]:
            best = (-left, motion, gains[offset])
    _, motion, gains = best
    unexplained = errors["walled" if motion == "behind" else "plain"]
    if gains.sum(axis=0).max() < max(PRESENT * unexplained, 100.0 * len(at)):
        return Measured(None, None, None, setting.background, setting.camera, setting.style, setting.light)
    names = _names()
    kind, colour = names[int(gains.sum(axis=0).argmax())]
    ends = (names[int(gains[row].argmax())][0] for row in (0, -1))
    unseen = colour == OWN or setting.style == COLOURLESS
    return Measured(
        kind, None if unseen else colour, motion, setting.background, setting.camera, setting.style,
        setting.light, *ends,
    )  # fmt: skip


@lru_cache(maxsize=1)
def _names() -> list[tuple[str, str]]:
    """Every subject in every colour it can have."""
    sprites = [(kind, colour) for kind, colour in product(SPRITES, (OWN, *COLOURS))]
    return [*sprites, *product(SHAPES, COLOURS), (EMBLEM, OWN)]


def _gains(
    seen: list[Floats], made: list[Floats], setting: Setting, motion: str, times: list[tuple[float, float]]
) -> Floats:
    """How much of the error each subject takes away on a path, at each offset and frame: (offsets, frames, N)."""
    size = (seen[0].shape[1], seen[0].shape[0])
    inside = np.ones((*seen[0].shape[:2], 1), np.float32)
    if motion == "behind":
        left, right = (round((0.5 + side * PILLAR) * size[0]) for side in (-1, 1))
        inside[:, left:right] = 0  # who is behind the pillar is not seen
    stacked = [np.dstack([(a - b) * inside, b * inside, inside]) for a, b in zip(seen, made, strict=True)]  # (H, W, 7)
    crops, areas = [], []
    for x, y, scale in product(*_OFFSETS, _SCALES):
        scene = replace(setting.scene(motion=motion), x=x, y=y, scale=scale)
        for layers, (t, u) in zip(stacked, times, strict=True):
            pose = poses(scene, size, t, u)[0]
            crops.append(_crop(layers, pose))
            areas.append((2 * pose.radius * RIM / SIDE) ** 2)
    features = np.stack(crops)  # (n, S, S, 7)
    rest, ground, inner = features[..., :3], features[..., 3:6], features[..., 6:]
    known = np.concatenate(
        [rest, (rest * ground).sum(3, keepdims=True), ground, np.square(ground).sum(3, keepdims=True), inner], axis=3
    ).reshape(len(crops), -1)  # (n, S x S x 9)
    bank = _bank(setting.style, motion in ("right", "behind"))
    gain = -(known @ bank.T) * np.array(areas, np.float32)[:, None]  # (n, N)
    return np.asarray(gain.reshape(-1, len(seen), len(bank)), np.float32)


def _crop(layers: Floats, pose: Pose) -> Floats:
    """The window of a pose, upright, (S, S, 7): what stands out from the landscape, the landscape, what can be seen."""
    k = 2 * pose.radius * RIM / SIDE  # pixels of the picture a pixel of the window
    c, s, h = np.cos(pose.turn) * k, np.sin(pose.turn) * k, SIDE / 2 - 0.5
    matrix = np.array([[c, -s, pose.x - 0.5 - h * (c - s)], [s, c, pose.y - 0.5 - h * (s + c)]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    parts = [cv2.warpAffine(part, matrix, (SIDE, SIDE), flags=flags) for part in np.split(layers, (3, 6), axis=2)]
    return np.dstack(parts)


@lru_cache(maxsize=16)
def _bank(style: str, ahead: bool) -> Floats:
    """What a window is multiplied with to find the error that each subject adds: (N, S x S x 9)."""
    rows = []
    for kind, colour in _names():
        mirrored = ahead != (kind in FACES_RIGHT) and kind in SPRITES
        layer = sprite(kind, colour, mirrored, 64)
        inner = round(SIDE / RIM)
        small = cv2.resize(layer, (inner, inner), interpolation=cv2.INTER_AREA)
        low = (SIDE - inner) // 2
        placed = np.zeros((SIDE, SIDE, 4), np.float32)
        placed[low : low + inner, low : low + inner] = small
        alpha = placed[..., 3:]
        paint = toned((placed[..., :3] / np.maximum(alpha, 1e-3)).astype(np.float32), style)
        own = np.square(alpha * paint).sum(2, keepdims=True)
        rows.append(np.dstack([-2 * alpha * paint, 2 * alpha, -2 * alpha**2 * paint, alpha**2, own]).ravel())
    return np.stack(rows)
