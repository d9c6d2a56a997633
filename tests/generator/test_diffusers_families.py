"""Every family of diffusers that can be built small: loaded, stepped, previewed and stopped by the adapter."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import diffusers_families
import numpy as np
import pytest

from generator import (
    Completed,
    Conditioning,
    DiffusersGenerator,
    DiffusersModel,
    Frames,
    GenerationRequest,
    Preview,
    Progress,
)
from generator.backends.families import FAMILIES

pytestmark = [
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore:In CPU autocast"),  # Mochi's transformer, wherever there is no GPU
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # SVD's scheduler
]
PICTURE = np.full((1, 40, 60, 3), 200, np.uint8)
FIRST = (Conditioning(PICTURE),)
BOTH = (*FIRST, Conditioning(np.full((1, 40, 60, 3), 20, np.uint8), 11))
CLIP = (Conditioning(np.full((12, 40, 60, 3), 200, np.uint8), 0, 0.1),)
CASES = {
    "ltx": (), "ltx_condition": BOTH, "ltx_image": FIRST, "wan_vace": BOTH, "wan_video": CLIP,
    "cogvideox_video": CLIP, "mochi": (), "hunyuan": (), "hunyuan15": (), "svd": FIRST,
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_family_gives_what_was_asked_for_with_previews(tmp_path: Path, name: str) -> None:
    """Size and length are exact, each step has its preview, the last preview is near the clip, and a stop is clean."""
    model = DiffusersGenerator(
        DiffusersModel(str(getattr(diffusers_families, name)(tmp_path / "model")), dtype="float32")
    )
    request = GenerationRequest(
        "a red ball moves over the sea", size=(44, 36), seconds=0.5, fps=Fraction(24), steps=3,
        conditioning=CASES[name], negative_prompt=None if name == "svd" else "blur",
    )  # fmt: skip
    first = model.generate(request)
    next(first)
    first.close()
    events = list(model.generate(request))
    clip = _pixels(events)
    assert clip.shape == (12, 36, 44, 3)
    assert isinstance(events[-1], Completed)
    steps = [event for event in events if isinstance(event, Progress)]
    previews = [event for event in events if isinstance(event, Preview)]
    assert 2 <= len(previews) == len(steps) <= 3
    last = previews[-1].frames()
    grid = events[-1].record.native_size
    assert last.shape[1:] == (grid[1], grid[0], 3)
    y, x = (grid[1] - 36) // 2, (grid[0] - 44) // 2
    family = FAMILIES[type(model._pipe).__name__]
    native = round(11 / 24 * family.fps) - events[-1].record.native_frames  # the clip's last frame, from the end
    shown = last[native, y : y + 36, x : x + 44].astype(float)
    other = _pixels(list(model.generate(replace(request, seed=5))))
    own_way, other_way = np.abs(shown - clip[-1]).mean(), np.abs(shown - other[-1]).mean()
    assert own_way < 0.8 * other_way, (own_way, other_way)
    assert np.array_equal(clip, _pixels(list(model.generate(request))))


def _pixels(events: list[Any]) -> np.ndarray:
    return np.concatenate([event.pixels for event in events if isinstance(event, Frames)])
