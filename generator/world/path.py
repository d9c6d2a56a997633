"""Where subjects are and where the camera looks, at any moment of a clip: motion without pictures.

Motions along a line, growing and the camera take the whole clip; bouncing and spinning keep their pace in seconds. The
camera follows the subject: it is the landscape that a pan, a tilt or a zoom moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from generator.world.scene import EMBLEM, FACES_RIGHT, NOBODY, OWN, SHAPES, SPIN_S, SceneSpec

RADIUS: Final = 0.32  # of the shorter side: a subject takes two thirds of it
PAIR: Final = 0.72  # of its size, where there are two
TRAVEL_X, TRAVEL_Y = 0.46, 0.34  # of the width and of the height, from the first frame to the last
BOUNCE_HEIGHT, BOUNCE_S = 0.26, 1.0  # of the height; seconds from ground to ground
GROW = (0.5, 1.2)
PAN = 0.3  # of the width
TILT = 0.3  # of the height
ZOOM = 1.5
APART: Final = 0.24  # of the width, each of two to its side
MEET: Final = (0.42, 0.2)  # of the width, from the middle: at first, and where they meet
BEHIND: Final = 0.36  # of the width, from the middle to each side; in the middle stands a pillar
PILLAR: Final = 0.15  # half its width, of the width


@dataclass(frozen=True)
class Pose:
    """Where one subject's middle is (pixels), half its side (pixels) and its turn (radians, clockwise)."""

    kind: str
    colour: str
    x: float
    y: float
    radius: float
    turn: float
    mirrored: bool


def poses(scene: SceneSpec, size: tuple[int, int], t: float, u: float) -> list[Pose]:
    """The subjects `t` seconds and the share `u` into the clip, from back to front."""
    width, height = size
    (dx, dy), turn, grown = _path(scene.motion, t, u)
    radius = RADIUS * min(width, height) * scene.scale * grown * (PAIR if scene.second else 1.0)
    y = (0.5 + scene.y + dy) * height
    first = -APART if scene.second != NOBODY else 0.0
    first = -_approach(u) if scene.motion == "meet" else first
    ahead = scene.motion in ("right", "behind", "meet")
    poses = [_pose((scene.kind, scene.colour), ((0.5 + scene.x + dx + first) * width, y), (radius, turn), ahead)]
    if scene.second != NOBODY:
        x = (0.5 + scene.x + dx - first) * width
        poses.append(_pose((scene.second, _own(scene.second)), (x, y), (radius, turn), scene.motion == "right"))
    return poses


def _pose(who: tuple[str, str], at: tuple[float, float], shape: tuple[float, float], ahead: bool) -> Pose:
    """Who looks where they go: mirrored where the picture looks the other way. The glyph and shapes never are."""
    mirrored = ahead != (who[0] in FACES_RIGHT) and who[0] != EMBLEM and who[0] not in SHAPES
    return Pose(*who, *at, *shape, mirrored)


def _own(kind: str) -> str:
    return "red" if kind in SHAPES else OWN


def _path(motion: str, t: float, u: float) -> tuple[tuple[float, float], float, float]:
    """Offset (in widths, in heights), turn and growth of a motion."""
    dx = {"left": 0.5 - u, "right": u - 0.5}.get(motion, 0.0) * TRAVEL_X
    dy = {"up": 0.5 - u, "down": u - 0.5}.get(motion, 0.0) * TRAVEL_Y
    if motion == "behind":
        dx = 2 * BEHIND * (u - 0.5)
    if motion == "bounce":
        dy = BOUNCE_HEIGHT * (0.5 - abs(math.sin(math.pi * t / BOUNCE_S)))
    turn = 2 * math.pi * t / SPIN_S if motion == "spin" else 0.0
    return (dx, dy), turn, GROW[0] + (GROW[1] - GROW[0]) * u if motion == "grow" else 1.0


def _approach(u: float) -> float:
    """How far from the middle each of two that meet is: they have met after three quarters of the clip."""
    return MEET[0] + (MEET[1] - MEET[0]) * min(u / 0.75, 1.0)


def camera_at(camera: str, u: float) -> tuple[tuple[float, float], float]:
    """How far the view has moved right (in widths) and down (in heights), and its zoom, at the share u of the clip."""
    right = {"pan left": 0.5 - u, "pan right": u - 0.5}.get(camera, 0.0) * PAN
    down = {"tilt up": 0.5 - u, "tilt down": u - 0.5}.get(camera, 0.0) * TILT
    zoom = {"zoom in": 1 + (ZOOM - 1) * u, "zoom out": ZOOM - (ZOOM - 1) * u}.get(camera, 1.0)
    return (right, down), zoom
