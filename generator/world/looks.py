"""What lies over a drawn picture: the light of the day, the weather, and the style it is shown in."""

from __future__ import annotations

from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from generator.world.scene import SceneSpec

Picture = NDArray[np.float32]  # (H, W, 3) in [0, 255]

_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
_SUNSET: Final = np.array([1.0, 0.74, 0.56], np.float32)
_DARK: Final = np.array([0.36, 0.4, 0.56], np.float32)
_FILM: Final = np.array([1.04, 0.96, 0.78], np.float32)
_WASH: Final = 0.58  # how much of its darkness a watercolour keeps
GRAIN: Final = 7.0  # deviation of the film's grain
PIXEL_ROWS: Final = 20  # blocks along the shorter side
LEVELS: Final = 5  # of each channel in pixel style


def lit(picture: Picture, light: str) -> Picture:
    """The background under the light of the day; subjects keep theirs for the most part (see `dimmed`)."""
    if light == "sunset":
        return np.asarray(picture * _SUNSET, np.float32)
    return np.asarray(picture * _DARK, np.float32) if light == "dark" else picture


def falling(picture: Picture, scene: SceneSpec, t: float) -> Picture:
    """Rain, snowflakes or fog over the whole picture at time t (seconds)."""
    if scene.weather == "fog":
        return np.asarray(picture * 0.62 + np.float32(0.38 * 214), np.float32)
    if scene.weather == "clear":
        return picture
    height, width = picture.shape[:2]
    snow = scene.weather == "snowfall"
    out = picture.copy()
    for x, y, far in _drops(scene.backdrop_seed):
        down = (y + t * (0.35 if snow else 1.6) * far) % 1.1 - 0.05
        across = (x + (0.04 * np.sin(4 * t + 9 * x) if snow else 0.12 * down)) % 1.0
        at = (int(across * width), int(down * height))
        size = min(width, height)
        if snow:
            cv2.circle(out, at, max(1, round(0.014 * far * size)), (250, 250, 252), -1, cv2.LINE_AA)
        else:
            end = (at[0] + round(0.012 * size), at[1] + round(0.08 * far * size))
            cv2.line(out, at, end, (186, 200, 222), max(1, round(0.006 * size)), cv2.LINE_AA)
    return out


@cache
def _drops(seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng((seed, 5))
    return np.stack([rng.random(40), 1.1 * rng.random(40), rng.uniform(0.7, 1.2, 40)], axis=1)  # (40, 3)


def shown(picture: Picture, style: str, number: int | None) -> Picture:
    """The picture in a style; `number` of the frame chooses the grain, None leaves it out."""
    match style:
        case "black and white":
            return np.repeat((picture @ _LUMA)[..., None], 3, axis=2)
        case "film":
            faded = picture * (0.82 * _FILM) + np.float32(26)
            return faded if number is None else faded + _grain(picture.shape[:2], number)[..., None]
        case "watercolour":
            soft = cv2.medianBlur(np.clip(picture, 0, 255).astype(np.uint8), brush_width(picture.shape[:2]))
            return np.asarray(255 - (255 - soft.astype(np.float32)) * _WASH, np.float32)
        case "pixel":
            return _pixelated(picture)
    return picture


def toned(picture: Picture, style: str) -> Picture:
    """What a style does to colours alone: no grain, no blur, no blocks."""
    if style == "watercolour":
        return np.asarray(255 - (255 - picture) * _WASH, np.float32)
    if style == "pixel":
        step = 255 / (LEVELS - 1)
        return np.asarray(np.rint(picture / step) * step, np.float32)
    return shown(picture, style, None)


def brush_width(shape: tuple[int, ...]) -> int:
    """The width of the brush that a watercolour of a shape (H, W) is painted with, an odd number of pixels."""
    return max(3, round(min(shape) / 18) // 2 * 2 + 1)


def _pixelated(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    side = min(height, width) / PIXEL_ROWS
    small = cv2.resize(picture, (round(width / side), round(height / side)), interpolation=cv2.INTER_AREA)
    step = 255 / (LEVELS - 1)
    flat = np.rint(small / step) * step
    return np.asarray(cv2.resize(flat, (width, height), interpolation=cv2.INTER_NEAREST), np.float32)


def _grain(shape: tuple[int, int], number: int) -> Picture:
    """One of sixteen sheets of grain, as fine as a picture of 60 lines shows it."""
    sheet = _sheets()[number % 16]
    factor = max(min(shape) / 60, 1.0)
    wanted = (round(shape[1] / factor), round(shape[0] / factor))
    part = np.resize(sheet, wanted[::-1])
    return (
        part if factor == 1 else np.asarray(cv2.resize(part, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    )


@cache
def _sheets() -> NDArray[np.float32]:
    return np.random.default_rng(35).normal(0, GRAIN, (16, 101, 127)).astype(np.float32)
