"""Videos without a file, and pictures that the tests render; importable as a module beside the tests."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from media import Frame, Look, MediaError, Undecodable, Video
from safety import Absence, FrameScore


def reel(frames: Sequence[Frame | Undecodable], *, declared: int | None = None, error: str | None = None) -> Reel:
    """A video that yields these frames, and then raises MediaError if an error is given."""
    return Reel(
        path=Path("reel.mp4"), container="mp4", codec="h264", width=64, height=36, rate=None, duration_s=None,
        declared_frames=len(frames) if declared is None else declared, has_audio=False, rotation=0,
        pixel_format="yuv420p", has_alpha=False, bit_depth=8, interlaced=False, video_streams=1, unseen_streams=(),
        shown=tuple(frames), error=error,
    )  # fmt: skip


@dataclass(frozen=True)
class Reel(Video):
    shown: tuple[Frame | Undecodable, ...] = ()
    error: str | None = None
    closed: list[bool] = field(default_factory=list)

    def frames(self, *, threads: int = 1, looks: Collection[Look] = ()) -> Iterator[Frame | Undecodable]:
        try:
            yield from self.shown
            if self.error is not None:
                raise MediaError(self.error)
        finally:
            self.closed.append(True)


def flat(level: int, index: int = 0, size: tuple[int, int] = (64, 36)) -> Frame:
    """A picture of one grey level; size is width, height."""
    return Frame(np.full((size[1], size[0], 3), level, np.uint8), index, index / 25)


@cache
def scene(seed: int, size: tuple[int, int] = (320, 180)) -> np.ndarray:
    """A benign picture like a landscape: a sky gradient, soft hills, blobs of colour and some grain. (H, W, 3)"""
    rng = np.random.default_rng(seed)
    w, h = size
    top, bottom = rng.uniform(80, 230, 3), rng.uniform(40, 200, 3)
    ramp = np.linspace(0, 1, h)[:, None, None]
    picture = np.broadcast_to(top * (1 - ramp) + bottom * ramp, (h, w, 3)).copy()
    for _ in range(12):
        centre = (int(rng.uniform(0, w)), int(rng.uniform(0.3 * h, h)))
        axes = (int(rng.uniform(0.05, 0.25) * w), int(rng.uniform(0.05, 0.25) * h))
        cv2.ellipse(picture, centre, axes, rng.uniform(0, 180), 0, 360, rng.uniform(20, 235, 3).tolist(), -1)
    picture = cv2.GaussianBlur(picture, (0, 0), w / 200) + rng.normal(0, 4, (h, w, 3))
    painted = np.clip(picture, 0, 255).astype(np.uint8)
    painted.flags.writeable = False  # it is shared
    return painted


class Brightness:
    """The smallest honest frame classifier: `canary` is how bright a picture is. Documentation, fixture, reference."""

    name, version, licence = "brightness", "1", "Apache-2.0"
    weights_sha256, runtime, cost_ms = None, None, 0.01
    categories: tuple[str, ...] = ("canary",)

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        return [{"canary": (float(frame.pixels.mean() / 255), None)} for frame in frames]


class Scripted(Brightness):
    """Answers what the test says, and remembers which frames it was shown."""

    def __init__(self, answer: object, name: str = "scripted", categories: tuple[str, ...] = ("hate",)) -> None:
        self.answer, self.name, self.categories = answer, name, categories
        self.saw: list[int] = []

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        self.saw += [frame.index for frame in frames]
        if isinstance(self.answer, Exception):
            raise self.answer
        if callable(self.answer):
            return [self.answer(frame) for frame in frames]
        return [dict.fromkeys(self.categories, self.answer) for _ in frames]  # type: ignore[arg-type]


class Reader(Scripted):
    """A classifier that looks only at words."""

    evidence = "text"


UNSUPPORTED = (Absence.UNSUPPORTED, None)
