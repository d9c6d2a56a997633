"""What happens to a clip between its maker and us: one way a row of the table. uint8 (T, H, W, 3) RGB in and out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from classifier import degrade
from classifier.degrade import Clip


def letterbox(clip: Clip) -> Clip:
    """Black bars above and below, in a frame of 16:9 seen from a square."""
    bar = clip.shape[1] * 7 // 32
    made = clip.copy()
    made[:, :bar] = made[:, -bar:] = 0
    return made


def overlay(clip: Clip) -> Clip:
    """A caption and a corner emblem, as channels burn them in."""
    made = clip.copy()
    height, width = clip.shape[1:3]
    for picture in made:
        band = picture[height * 3 // 4 : height * 7 // 8]
        band[:] = band // 3
        cv2.putText(
            picture,
            "BREAKING: seen today",
            (8, height * 27 // 32),
            cv2.FONT_HERSHEY_SIMPLEX,
            width / 512,
            (255, 255, 255),
            1,
        )
        cv2.circle(picture, (width * 7 // 8, height // 8), width // 16, (220, 30, 30), -1)
    return made


def screen(clip: Clip) -> Clip:
    """Filmed off a screen: a slight turn and trapezium, moire-free blur, lifted black, noise, a weak codec."""
    height, width = clip.shape[1:3]
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    moved = corners + np.float32([[6, 4], [-3, 8], [-7, -5], [4, -2]]) * width / 256
    turn = cv2.getPerspectiveTransform(moved, corners)
    rng = np.random.default_rng(5)
    made = np.stack([cv2.warpPerspective(one, turn, (width, height), flags=cv2.INTER_LINEAR) for one in clip])
    soft = degrade.blur(made, 0.9 * width / 256).astype(np.float32)
    lifted = 18 + soft * 0.88 + rng.normal(0, 2.5, soft.shape)
    return degrade.recode(np.clip(lifted, 0, 255).astype(np.uint8), "h264", 30)


def fewer(clip: Clip) -> Clip:
    """Every third picture lost: 8 a second become about 5."""
    return clip[np.arange(len(clip)) % 3 != 2]


def faster(clip: Clip) -> Clip:
    """12 a second by repeating every second picture, as naive converters do."""
    return np.repeat(clip, np.where(np.arange(len(clip)) % 2, 2, 1), axis=0)


def round_trip(side: int) -> Callable[[Clip], Clip]:
    """Down to `side` pixels and back up."""
    return lambda clip: degrade.resize(degrade.resize(clip, side), min(clip.shape[1:3]))


WEAR: Mapping[str, Callable[[Clip], Clip]] = {
    "as it is": lambda clip: clip,
    "H.264 crf 28": lambda clip: degrade.recode(clip, "h264", 28),
    "H.264 crf 36": lambda clip: degrade.recode(clip, "h264", 36),
    "HEVC crf 32": lambda clip: degrade.recode(clip, "hevc", 32),
    "VP9 crf 42": lambda clip: degrade.recode(clip, "vp9", 42),
    "AV1 crf 45": lambda clip: degrade.recode(clip, "av1", 45),
    "GIF, diffused": lambda clip: degrade.palette(clip, "diffuse", 200),
    "GIF, ordered": lambda clip: degrade.palette(clip, "ordered", 256),
    "half size": lambda clip: degrade.resize(clip, min(clip.shape[1:3]) // 2),
    "192 px and back": round_trip(192),
    "128 px and back": round_trip(128),
    "crop 70 %": lambda clip: degrade.crop(clip, 0.7),
    "a third of frames lost": fewer,
    "frames repeated": faster,
    "filmed off a screen": screen,
    "caption and emblem": overlay,
    "letterbox": letterbox,
}
