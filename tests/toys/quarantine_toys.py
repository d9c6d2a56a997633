"""Toys for the quarantine: the benign test emblem stands in for the worst material, which is never made or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from assay_toys import CalmFrame, CalmPrompt, ToyGenerator

from generator import GenerationRequest
from media import Frame, canary_glyph
from safety import FrameScore, Item, Score, source
from safety.frame import CanaryClassifier

WORST = "sexual/minors"
EMBLEM = 48  # pixels


def with_emblem(height: int, width: int) -> Any:
    """A grey picture with the emblem in its middle, uint8 (H, W, 3)."""
    pixels = np.full((height, width, 3), 90, np.uint8)
    glyph = canary_glyph(EMBLEM).astype(np.float32)
    alpha = glyph[..., 3:] / 255
    top, left = (height - EMBLEM) // 2, (width - EMBLEM) // 2
    place = pixels[top : top + EMBLEM, left : left + EMBLEM]
    place[:] = (place * (1 - alpha) + glyph[..., :3] * alpha).round()
    return pixels


class EmblemFrame(CalmFrame):
    """Scores the worst category on the emblem, and nothing else."""

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        seen = CanaryClassifier().score(frames)
        return [dict.fromkeys(self.categories, (0.0, None)) | {WORST: one["canary"]} for one in seen]


class EmblemPrompt(CalmPrompt):
    """Scores the worst category on the word `emblem`."""

    def score(self, item: Item, text: str) -> list[Score]:
        values = dict.fromkeys(self.categories, 0.0) | {WORST: 1.0 if "emblem" in text else 0.0}
        return [Score.measured(item, category, source(self), value) for category, value in values.items()]


class EmblemGenerator(ToyGenerator):
    """Draws the emblem into two frames, whatever it is asked for."""

    def pixels(self, request: GenerationRequest) -> Any:
        pixels = super().pixels(request)
        width, height = request.size
        pixels[5:7] = with_emblem(height, width)
        return pixels
