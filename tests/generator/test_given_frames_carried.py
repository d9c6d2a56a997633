"""What a given frame shows is carried along with the landscape and the subject, better than without a model."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from generator import Conditioning, EmbeddedGenerator, Frames, GenerationRequest
from generator.world.render import render_clip
from generator.world.scene import SceneSpec


@pytest.mark.parametrize("mode", ["image-to-video", "forward", "fill"])
def test_given_frames_are_carried_along(mode: str) -> None:
    """With the committed weights, frames that were not given are nearer to the truth than what needs no model."""
    scene = SceneSpec("fox", "own", "right", "snow", "pan left", x=0.02)
    truth = render_clip(scene, (128, 80)).astype(float)
    known = {"image-to-video": [0], "forward": list(range(8)), "fill": [0, 1, 2, 3, 12, 13, 14, 15]}[mode]
    runs = [truth[:4], truth[12:]] if mode == "fill" else [truth[: len(known)]]
    given = tuple(Conditioning(run.astype(np.uint8), at) for run, at in zip(runs, (0, 12), strict=False))
    request = GenerationRequest(
        "a fox moves right in the snow, camera pans left", size=(128, 80), fps=Fraction(8), steps=6, conditioning=given
    )
    events = EmbeddedGenerator().generate(request)
    clip = np.concatenate([event.pixels for event in events if isinstance(event, Frames)]).astype(float)
    rest = [i for i in range(16) if i not in known]
    if mode == "fill":
        plain = [truth[3] + (truth[12] - truth[3]) * (i - 3) / 9 for i in rest]
    else:
        plain = [truth[known[-1]]] * len(rest)
    assert np.square(clip[rest] - truth[rest]).mean() < 0.5 * np.square(np.stack(plain) - truth[rest]).mean()
