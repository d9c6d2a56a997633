"""Measures the five attributes of a scene back off the frames of a clip, by rules: the yardstick of caption following.

It knows the world's palette and drawings and nothing of captions or networks. It reads clips as the model makes them
(about two seconds, any small size). The emblem is not read here: the canary detector does that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from generator.request import Pixels
from generator.world.backdrop import SIGNATURES
from generator.world.render import BOUNCE_HEIGHT, BOUNCE_S, SPIN_S, camera_at
from generator.world.scene import CAMERAS, COLOURS, KINDS
from generator.world.shapes import BODY, LIGHT, drawing, tone

SIDE: Final = 40  # silhouettes are compared at SIDE x SIDE, centred and scaled to one area
AREA: Final = 0.2  # of that square
TURNS: Final = 24  # orientations that a silhouette is compared at
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Measured:
    """What a clip shows; a subject that cannot be found leaves its three attributes None."""

    kind: str | None
    colour: str | None
    motion: str | None
    background: str
    camera: str

    def words(self) -> dict[str, str | None]:
        """The attributes by name, as `SceneSpec.words` gives them."""
        return {
            "kind": self.kind,
            "colour": self.colour,
            "motion": self.motion,
            "background": self.background,
            "camera": self.camera,
        }


def measure(clip: Pixels, fps: float = 8.0) -> Measured:
    """The attributes of a clip uint8 (T, H, W, 3)."""
    background = _background(clip)
    colour, masks = _subject(clip, background)
    camera = _camera(clip, masks)
    if colour is None:
        return Measured(None, None, None, background, camera)
    silhouettes = np.stack([_normalised(mask) for mask in masks])  # (T, SIDE, SIDE)
    motion = _motion(clip, masks, silhouettes, fps)
    return Measured(_kind(silhouettes, turned=motion == "spin"), colour, motion, background, camera)


def _background(clip: Pixels) -> str:
    """By the colours along the top and the foot of the picture, where a subject rarely is."""
    edge = max(1, clip.shape[1] // 12)
    seen = np.stack([np.median(part, axis=(0, 1, 2)) for part in (clip[:, :edge], clip[:, -edge:])])  # (2, 3)
    return min(SIGNATURES, key=lambda name: float(np.abs(seen - np.array(SIGNATURES[name])).sum()))


@cache
def _muted() -> NDArray[np.float32]:
    """Colours that are not a subject's: what the backgrounds are painted with, sampled from them, (N, 3)."""
    from generator.world.backdrop import backdrop

    painted = [backdrop(name, seed, (64, 40)).pixels.reshape(-1, 3) for name in SIGNATURES for seed in (1, 2)]
    details = np.array([tone("dark", (0, 0, 0)), tone("wood", (0, 0, 0))])
    coarse = np.unique(np.concatenate([*painted, details]) // 12, axis=0) * 12 + 6  # bins of 12 levels
    return coarse.astype(np.float32)


@cache
def _lookup() -> NDArray[np.int8]:
    """The subject colour (its number) that each colour in steps of 8 levels is nearest to, -1 where it is muted."""
    axis = np.arange(32) * 8 + 4
    cube = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3).astype(np.float32)  # (32^3, 3)
    vivid = np.array(list(COLOURS.values()), np.float32)  # (8, 3)
    to_vivid = np.linalg.norm(cube[:, None] - vivid, axis=2)  # (32^3, 8)
    to_muted = np.min([np.linalg.norm(cube - colour, axis=1) for colour in _muted()], axis=0)  # (32^3,)
    number = np.where(to_vivid.min(1) < to_muted, to_vivid.argmin(1), -1)
    return number.astype(np.int8).reshape(32, 32, 32)


def _subject(clip: Pixels, background: str) -> tuple[str | None, list[Mask]]:
    """The subject's colour, and in each frame the largest patch of it with its holes filled."""
    coarse = clip >> 3
    numbers = _lookup()[coarse[..., 0], coarse[..., 1], coarse[..., 2]]  # (T, H, W)
    # The colour of the largest single patches: specks of another colour do not add up to a subject.
    sizes = [sum(int(_largest(frame == n).sum()) for frame in numbers[::3]) for n in range(len(COLOURS))]
    best = int(np.argmax(sizes))
    if sizes[best] < 8 * len(numbers[::3]):  # fewer than 8 pixels a frame
        return None, [np.zeros(clip.shape[1:3], bool)] * len(clip)
    return tuple(COLOURS)[best], [_filled(_largest(_closed(frame == best, 3))) for frame in numbers]


def _largest(mask: Mask) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros_like(mask)
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))


def _closed(mask: Mask, width: int) -> Mask:
    """Gaps narrower than `width` pixels closed: a mast does not part the sails."""
    near = cv2.copyMakeBorder(mask.astype(np.uint8), width, width, width, width, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((width, width), np.uint8))
    return closed[width:-width, width:-width].astype(bool)


def _filled(mask: Mask) -> Mask:
    outer, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    canvas = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(canvas, outer, -1, 1, cv2.FILLED)
    return canvas.astype(bool)


def _normalised(mask: Mask) -> NDArray[np.float32]:
    """A mask centred and scaled to AREA of a SIDE x SIDE picture."""
    area = float(mask.sum())
    if area == 0:
        return np.zeros((SIDE, SIDE), np.float32)
    y, x = (float(axis.mean()) for axis in np.nonzero(mask))
    zoom = SIDE * np.sqrt(AREA / area)
    move = np.array([[zoom, 0, SIDE / 2 - 0.5 - zoom * x], [0, zoom, SIDE / 2 - 0.5 - zoom * y]])
    return np.asarray(cv2.warpAffine(mask.astype(np.float32), move, (SIDE, SIDE), flags=cv2.INTER_LINEAR), np.float32)


@cache
def _templates() -> NDArray[np.float32]:
    """Silhouettes of every kind at every turn, six ways: (kinds, 6, TURNS, SIDE x SIDE), each of norm 1.

    As drawn and mirrored; with wide or narrow gaps closed, as in a small picture, and open.
    """
    rows = []
    for kind in KINDS:
        for mirror, gap in ((1, 15), (-1, 15), (1, 8), (-1, 8), (1, 1), (-1, 1)):
            for turn in range(TURNS):
                mask = _normalised(_silhouette(kind, mirror, 2 * np.pi * turn / TURNS, gap))
                rows.append(mask.ravel() / np.linalg.norm(mask))
    return np.stack(rows).reshape(len(KINDS), 6, TURNS, SIDE * SIDE).astype(np.float32)


def _silhouette(kind: str, mirror: int, angle: float, gap: int) -> Mask:
    """What is seen of a drawing at 110 pixels: the largest patch of its colour, gaps narrower than `gap` closed."""
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.array([[c * mirror, -s], [s * mirror, c]])
    canvas = np.zeros((160, 160), np.uint8)
    for name, points in drawing(kind):
        if name in (BODY, "shade", LIGHT):  # a trunk is of another colour and is not seen
            placed = np.rint((points @ matrix.T * 55 + 80) * 16).astype(np.int32)
            cv2.fillPoly(canvas, [placed], 1, cv2.LINE_8, 4)
    return _filled(_largest(_closed(canvas.astype(bool), gap)))


def _kind(silhouettes: NDArray[np.float32], turned: bool) -> str | None:
    """The drawing whose silhouette agrees best over all frames; turned ones count where the subject spins."""
    flat = silhouettes.reshape(len(silhouettes), -1)  # (T, S)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    templates = _templates() if turned else _templates()[:, :, :1]
    likeness = (flat @ templates.reshape(-1, SIDE * SIDE).T).reshape(len(flat), len(KINDS), -1)  # (T, kinds, poses)
    best = likeness.max(axis=2).mean(axis=0)  # (kinds,)
    return KINDS[int(best.argmax())] if best.max() > 0.5 else None


def _motion(clip: Pixels, masks: list[Mask], silhouettes: NDArray[np.float32], fps: float) -> str:
    """By the path, the size and the pose of the subject over the clip."""
    height, width = clip.shape[1:3]
    present = np.array([mask.any() for mask in masks])
    centre = np.array([np.argwhere(m).mean(0) if m.any() else (np.nan, np.nan) for m in masks])  # (T, 2) y, x
    area = np.array([m.sum() for m in masks], float)
    t = np.flatnonzero(present)
    slope_y, slope_x = (np.polyfit(t, centre[t, axis], 1)[0] * (len(masks) - 1) for axis in (0, 1))
    # Each figure is 1 where the motion is drawn exactly, about 0 where it is not.
    arcs = -np.abs(np.sin(np.pi * t / fps / BOUNCE_S))
    growth = np.polyfit(t, np.sqrt(area[t]), 1)[0] * (len(masks) - 1) / np.sqrt(area[t]).mean()
    signs = {
        "right": slope_x / (0.43 * width),
        "left": -slope_x / (0.43 * width),
        "down": slope_y / (0.37 * height),
        "up": -slope_y / (0.37 * height),
        "bounce": _share(centre[t, 0], arcs) / (BOUNCE_HEIGHT * height),
        "grow": growth / 0.78,
        "spin": _turning(clip, masks, silhouettes),
    }
    best = max(signs, key=lambda name: signs[name])
    return best if signs[best] > 0.45 else "still"


def _share(path: NDArray[np.float64], shape: NDArray[np.float64]) -> float:
    """How much of a shape lies in a path, by least squares beside a straight line."""
    line = np.linspace(-1, 1, len(path))
    columns = np.stack([shape, line, np.ones_like(line)], axis=1)
    return float(np.linalg.lstsq(columns, path, rcond=None)[0][0])


def _turning(clip: Pixels, masks: list[Mask], silhouettes: NDArray[np.float32]) -> float:
    """About 1 where the subject turns at the world's pace: its frames, turned back, agree better than as they are."""
    crops = np.stack([_crop(frame, mask) for frame, mask in zip(clip, masks, strict=True)])  # (T, S, S, 4)
    step = 360.0 / (8.0 * SPIN_S)  # degrees a frame at 8 fps
    upright, turned = [], []
    for lag in (2, 5):  # 45 and 112.5 degrees: no drawing looks the same after either
        for i in range(len(crops) - lag):
            # Both pictures are turned in both comparisons, so that interpolation blurs them alike.
            later, same, back = (_turned(crops[j], a * step * lag) for j, a in ((i + lag, 0.5), (i, 0.5), (i, -0.5)))
            upright.append(np.abs(later - same).mean())
            turned.append(np.abs(later - back).mean())
    still, spun = float(np.median(upright)), float(np.median(turned))
    return float(np.clip(2 * (still - spun) / max(still + spun, 1e-6) + 0.25, 0, 1.5))


def _turned(crop: NDArray[np.float32], degrees: float) -> NDArray[np.float32]:
    about = cv2.getRotationMatrix2D((SIDE / 2 - 0.5, SIDE / 2 - 0.5), degrees, 1.0)
    return np.asarray(cv2.warpAffine(crop, about, (SIDE, SIDE), flags=cv2.INTER_LINEAR), np.float32)


def _crop(frame: Pixels, mask: Mask) -> NDArray[np.float32]:
    """The subject alone, centred and scaled like its silhouette: colour where it is, and the silhouette, (S, S, 4)."""
    area = max(float(mask.sum()), 1.0)
    y, x = (float(axis.mean()) for axis in np.nonzero(mask)) if mask.any() else (0.0, 0.0)
    zoom = SIDE * np.sqrt(AREA / area)
    move = np.array([[zoom, 0, SIDE / 2 - 0.5 - zoom * x], [0, zoom, SIDE / 2 - 0.5 - zoom * y]])
    layers = np.dstack([frame * mask[..., None], mask * 255]).astype(np.float32)
    crop = cv2.warpAffine(layers, move, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), 2.0), np.float32)  # the jagged rim of a mask does not turn with it


def _camera(clip: Pixels, masks: list[Mask]) -> str:
    """The camera whose warp of frames to later ones explains them better than a camera that stands, on the same pixels.

    The subject and its rim are left out.
    """
    colours = clip.astype(np.float32)  # (T, H, W, 3)
    height, width = clip.shape[1:3]
    free = [cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0 for mask in masks]
    moving = CAMERAS[1:]
    errors = np.full((len(moving), 2), 0.5)  # under the camera, under the one that stands; never 0 / 0
    for gap in (len(clip) // 3, len(clip) // 2, 3 * len(clip) // 4):
        for i in range(0, len(clip) - gap, 2):
            stood = np.abs(colours[i] - colours[i + gap]).sum(2)  # (H, W)
            for number, camera in enumerate(moving):
                warp = _warp(camera, i / len(clip), (i + gap) / len(clip), width, height)
                moved = cv2.warpAffine(colours[i], warp, (width, height), flags=cv2.INTER_LINEAR)
                inside = cv2.warpAffine(free[i].astype(np.float32), warp, (width, height)) > 0.99
                seen = inside & free[i] & free[i + gap]
                if seen.any():
                    errors[number] += np.abs(moved - colours[i + gap]).sum(2)[seen].mean(), stood[seen].mean()
    ratio = errors[:, 0] / errors[:, 1]
    return moving[int(ratio.argmin())] if ratio.min() < 0.9 else CAMERAS[0]


def _warp(camera: str, u: float, v: float, width: int, height: int) -> NDArray[np.float64]:
    """The affine map of background pixels from the share u of a clip to the share v."""
    (shift0, zoom0), (shift1, zoom1) = camera_at(camera, u), camera_at(camera, v)
    k = zoom1 / zoom0
    middle_x, middle_y = width / 2, height / 2
    dx = zoom1 * (shift0 - shift1) * width
    return np.array([[k, 0, middle_x * (1 - k) + dx], [0, k, middle_y * (1 - k)]])
