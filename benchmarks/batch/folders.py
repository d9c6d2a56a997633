"""Folders to scan: one clip a few hundred times over, each copy another content of the same pictures."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np

from media import encode


def moving_clip(path: Path, size: tuple[int, int], frames: int) -> Path:
    """A clip in which no two frames are alike: noise that moves over a gradient, so that every frame is looked at."""
    width, height = size
    dice = np.random.default_rng(7)
    noise = dice.integers(0, 60, (height, width * 2, 3), np.uint8)
    ramp = np.linspace(60, 190, width, dtype=np.uint8)[None, :, None]
    pictures = [ramp + noise[:, at * 3 % width : at * 3 % width + width] for at in range(frames)]
    encode(path, pictures, Fraction(24))
    return path


def folder_of(clip: Path, folder: Path, number: int) -> Path:
    """That many contents: a free box at the end of each copy holds its number, the pictures are the same."""
    folder.mkdir(parents=True)
    for index in range(number):
        path = folder / f"{index // 100:03d}" / f"{index:05d}.mp4"
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(clip, path)
        with path.open("ab") as file:
            file.write((16).to_bytes(4, "big") + b"free" + index.to_bytes(8, "big"))
    return folder
