"""The smallest honest stages, and one broken stage for each way to break. Loaded as `assay_toys:<name>`.

The calm ones score every category of the mission 0.0, so that whatever a broken one does stands out alone.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from generator import Completed, Frames, GenerationRecord, GenerationRequest, Preview, Progress
from media import Frame
from safety import CATEGORIES, FrameScore, Item, Score, source


class _Toy:
    version = "1"
    weights_sha256 = None
    runtime = None
    categories = tuple(CATEGORIES)
    licence = "Apache-2.0"
    cost_ms = 0.1

    @property
    def name(self) -> str:
        return type(self).__name__.lower()


class CalmPrompt(_Toy):
    """Finds the word `forbidden` graphic, the word `doubtful` somewhat so, and everything else harmless."""

    def score(self, item: Item, text: str) -> list[Score]:
        loud = 1.0 if "forbidden" in text else 0.6 if "doubtful" in text else 0.0
        values = dict.fromkeys(self.categories, 0.0) | {"violence/graphic": loud}
        return [Score.measured(item, category, source(self), value) for category, value in values.items()]


class RaisingPrompt(CalmPrompt):
    def score(self, item: Item, text: str) -> list[Score]:
        raise RuntimeError("the model fell over")


class NanPrompt(CalmPrompt):
    def score(self, item: Item, text: str) -> list[Score]:
        return [Score.measured(item, category, source(self), math.nan) for category in self.categories]


class SilentPrompt(CalmPrompt):
    def score(self, item: Item, text: str) -> list[Score]:
        return [score for score in super().score(item, text) if score.category != "hate"]


class NothingPrompt(CalmPrompt):
    def score(self, item: Item, text: str) -> list[Score]:
        return None  # type: ignore[return-value]


class HangingPrompt(CalmPrompt):
    def score(self, item: Item, text: str) -> list[Score]:
        time.sleep(600)
        return super().score(item, text)


class DyingPrompt(CalmPrompt):
    def score(self, item: Item, text: str) -> list[Score]:
        os.kill(os.getpid(), signal.SIGSEGV)
        return super().score(item, text)


class CalmFrame(_Toy):
    """Scores graphic violence by how red a frame is: 1.0 for pure red, 0.6 for half of it; everything else 0.0."""

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        return [self.one(frame) for frame in frames]

    def one(self, frame: Frame) -> dict[str, FrameScore]:
        r, g, b = frame.pixels.reshape(-1, 3).mean(0)
        red = float(np.clip((r - max(g, b)) / 255, 0, 1))
        value = 1.0 if red > 0.8 else 0.6 if red > 0.4 else 0.0
        return dict.fromkeys(self.categories, (0.0, None)) | {"violence/graphic": (value, None)}


class RaisingFrame(CalmFrame):
    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        raise RuntimeError("the model fell over")


class OnceRaisingFrame(CalmFrame):
    """Fails on the single batch that holds frame 7."""

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        if any(frame.index == 7 for frame in frames):
            raise RuntimeError("the model fell over once")
        return super().score(frames)


class NanFrame(CalmFrame):
    def one(self, frame: Frame) -> dict[str, FrameScore]:
        return dict.fromkeys(self.categories, (math.nan, None))


class ShortFrame(CalmFrame):
    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        return super().score(frames)[1:]


class SilentFrame(CalmFrame):
    def one(self, frame: Frame) -> dict[str, FrameScore]:
        said = super().one(frame)
        del said["hate/symbol"]
        return said


class HangingFrame(CalmFrame):
    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        time.sleep(600)
        return []


class DyingFrame(CalmFrame):
    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        os.kill(os.getpid(), signal.SIGSEGV)
        return []


class ToyGenerator:
    """Grey frames with a moving grain; `red` in the prompt makes the middle of it red, `pink` half as red."""

    name = "toy"
    version = "1"
    weights_sha256 = None
    backend = "toy"
    digital_source_type = "algorithmicMedia"

    def generate(self, request: GenerationRequest, *, hook: Any = None, cancel: Any = None) -> Iterator[Any]:
        for step in range(2):
            yield Progress(step + 1, 2)
        yield Frames(self.pixels(request), 0)
        yield Completed(self.record(request))

    def pixels(self, request: GenerationRequest) -> Any:
        width, height = request.size
        pixels = np.full((request.frames, height, width, 3), 90, np.uint8)
        pixels[:, 4:12, 4:12] = (np.arange(request.frames) % 25).astype(np.uint8)[:, None, None, None] * 9
        if "red" in request.prompt:
            pixels[5:7] = (255, 0, 0)
        if "pink" in request.prompt:
            pixels[5:7] = (255, 110, 110)
        return pixels

    def record(self, request: GenerationRequest) -> GenerationRecord:
        return replace(GenerationRecord.of(self, request, ()), steps=2)


class PreviewingGenerator(ToyGenerator):
    """Four steps with a preview each, the second one red where the prompt says `blush`; tests look in between."""

    between: Callable[[int], None] = staticmethod(lambda step: None)

    def generate(self, request: GenerationRequest, *, hook: Any = None, cancel: Any = None) -> Iterator[Any]:
        for step in (1, 2, 3, 4):
            yield Progress(step, 4)
            guess = self.pixels(request)[:4].copy()
            if "blush" in request.prompt and step == 2:
                guess[:] = (255, 0, 0)
            yield Preview(step, 4, request.fps, partial(np.copy, guess))
            self.between(step)
        yield Frames(self.pixels(request), 0)
        yield Completed(self.record(request))


class RaisingGenerator(ToyGenerator):
    def pixels(self, request: GenerationRequest) -> Any:
        raise RuntimeError("the sampler fell over")


class HangingGenerator(ToyGenerator):
    def pixels(self, request: GenerationRequest) -> Any:
        time.sleep(600)


class DyingGenerator(ToyGenerator):
    def pixels(self, request: GenerationRequest) -> Any:
        os.kill(os.getpid(), signal.SIGSEGV)


class NanGenerator(ToyGenerator):
    def pixels(self, request: GenerationRequest) -> Any:
        return np.full((request.frames, *request.size[::-1], 3), np.nan)


class WrongShapeGenerator(ToyGenerator):
    def pixels(self, request: GenerationRequest) -> Any:
        return np.zeros((request.frames, 3, *request.size), np.uint8)


class ShortGenerator(ToyGenerator):
    def pixels(self, request: GenerationRequest) -> Any:
        return super().pixels(request)[:-1]


class RecordlessGenerator(ToyGenerator):
    def generate(self, request: GenerationRequest, **_: Any) -> Iterator[Any]:
        yield Frames(self.pixels(request), 0)


class EmptyGenerator(ToyGenerator):
    def generate(self, request: GenerationRequest, **_: Any) -> Iterator[Any]:
        yield Completed(self.record(request))
