"""A track: where the subject and the camera are at each moment of a clip, as numbers. Motion without pictures.

A track is a clip of one pixel with a channel for each number, so the network that plans it is a video network as well.
Numbers are in units that vary by about one, and do not depend on the size or the shape of the picture.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from generator.world.path import RADIUS, Pose, camera_at, poses
from generator.world.scene import SceneSpec

Track = NDArray[np.float32]  # (N, NUMBERS)
# Of the subject: offset from the middle (widths, heights), size (log), turn, whether its picture is mirrored. Of the
# camera: how far it moved (widths, heights) and its zoom (log). Whether something stands in front; whether the picture
# is shown in large pixels.
NAMES: Final = ("x", "y", "size", "cos", "sin", "mirrored", "right", "down", "zoom", "front", "blocks")
UNITS: Final = np.array([0.2, 0.2, 0.3, 1, 1, 1, 0.15, 0.15, 0.3, 1, 1], np.float32)
NUMBERS: Final = len(NAMES)
_SQUARE: Final = (1000, 1000)  # a picture to measure in


def track_of(scene: SceneSpec, frames: int, fps: float = 8.0) -> Track:
    """The track of a scene, (N, NUMBERS): the truth that planning is learned from."""
    seconds = frames / fps
    rows = [_numbers(scene, i / fps, seconds) for i in range(frames)]
    return np.asarray(np.array(rows, np.float32) / UNITS, np.float32)


def _numbers(scene: SceneSpec, t: float, seconds: float) -> tuple[float, ...]:
    u = min(t / seconds, 1.0)
    (right, down), zoom = camera_at(scene.camera, u)
    pose = poses(scene, _SQUARE, t, u)[0]
    x, y, size = (pose.x / _SQUARE[0] - 0.5, pose.y / _SQUARE[1] - 0.5, math.log(pose.radius / _SQUARE[1] / RADIUS))
    flags = (pose.mirrored, scene.motion == "behind", scene.style == "pixel")
    mirrored, front, blocks = (1.0 if flag else -1.0 for flag in flags)
    return x, y, size, math.cos(pose.turn), math.sin(pose.turn), mirrored, right, down, math.log(zoom), front, blocks


def pose_at(numbers: Track, size: tuple[int, int]) -> Pose:
    """The subject's pose in a picture of `size` (width, height), from one row of a track in its own units."""
    x, y, grown, cos, sin, mirrored = (float(v) for v in numbers[:6] * UNITS[:6])
    radius = RADIUS * min(size) * math.exp(grown)
    return Pose("", "", (0.5 + x) * size[0], (0.5 + y) * size[1], radius, math.atan2(sin, cos), mirrored > 0)


def camera_in(numbers: Track) -> tuple[float, float, float]:
    """How far the camera moved right (widths) and down (heights), and its zoom, from one row of a track."""
    right, down, zoom = (float(v) for v in numbers[6:9] * UNITS[6:9])
    return right, down, math.exp(zoom)


def moved(track: Track, x: float, y: float, scale: float) -> Track:
    """The track with its subject moved by x widths and y heights, and `scale` times as large."""
    return np.asarray(track + _offset(x, y, scale), np.float32)


def _offset(x: float, y: float, scale: float) -> Track:
    offset = np.zeros(NUMBERS, np.float32)
    offset[:3] = np.array([x, y, math.log(scale)], np.float32) / UNITS[:3]
    return offset
