"""What may be asked of a generator, and how a request says what is wrong with it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

from generator import Conditioning, GenerationError, GenerationRequest, InvalidRequest
from media import UsageError

NAN = float("nan")


def frames(n: int, side: int = 16) -> np.ndarray:
    return np.zeros((n, side, side, 3), np.uint8)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", ""),
        ("prompt", " \n "),
        ("prompt", None),
        ("prompt", "x" * 4001),
        ("negative_prompt", ""),
        ("seconds", 0),
        ("seconds", -1.0),
        ("seconds", NAN),
        ("seconds", float("inf")),
        ("seconds", 60.01),
        ("seconds", "2"),
        ("seconds", True),
        ("size", (0, 288)),
        ("size", (512, -1)),
        ("size", (1921, 16)),
        ("size", (1920, 1920)),
        ("size", (512.0, 288)),
        ("size", (512,)),
        ("size", "512x288"),
        ("fps", Fraction(0)),
        ("fps", Fraction(61)),
        ("fps", 24),
        ("seed", -1),
        ("seed", 2**63),
        ("seed", 1.5),
        ("steps", 0),
        ("steps", 251),
        ("steps", True),
        ("guidance_scale", NAN),
        ("guidance_scale", -0.1),
        ("guidance_scale", 31),
    ],
)
def test_a_field_out_of_range_is_named_with_its_remedy(field: str, value: object) -> None:
    """A request with one wrong field is refused by an error that starts with the field and says what to write."""
    with pytest.raises(InvalidRequest, match=rf"^{field}\b.*; (give|write) ") as caught:
        GenerationRequest(**{"prompt": "a red ball", **{field: value}})  # type: ignore[arg-type]
    assert isinstance(caught.value, GenerationError)
    assert isinstance(caught.value, UsageError)


@pytest.mark.parametrize(
    ("given_frames", "index", "strength", "field"),
    [
        (np.zeros((0, 8, 8, 3), np.uint8), 0, 1.0, "frames"),
        (np.zeros((1, 8, 8, 4), np.uint8), 0, 1.0, "frames"),
        (np.zeros((8, 8, 3), np.uint8), 0, 1.0, "frames"),
        (np.zeros((1, 8, 8, 3), np.float32), 0, 1.0, "frames"),
        (None, 0, 1.0, "frames"),
        (frames(1), -1, 1.0, "frame_index"),
        (frames(1), 0, NAN, "strength"),
        (frames(1), 0, 1.1, "strength"),
    ],
)
def test_given_frames_of_another_form_are_refused(
    given_frames: np.ndarray, index: int, strength: float, field: str
) -> None:
    """Conditioning that is not uint8 RGB frames at a place with a strength in [0, 1] is refused by its field's name."""
    with pytest.raises(InvalidRequest, match=rf"^conditioning\.{field}\b"):
        Conditioning(given_frames, index, strength)


def test_given_frames_after_the_end_are_refused() -> None:
    """Frames that start after the video's last frame are an error that says where they may start."""
    with pytest.raises(InvalidRequest, match="frame_index: 48 of a video of 48 frames; give 0 to 47"):
        GenerationRequest("a ball", conditioning=(Conditioning(frames(1), 48),))


@pytest.mark.parametrize(
    ("places", "mode"),
    [
        ([], "text-to-video"),
        ([(0, 1)], "image-to-video"),
        ([(47, 1)], "image-to-video"),
        ([(0, 8)], "extension"),
        ([(40, 8)], "extension"),
        ([(40, 20)], "extension"),
        ([(0, 8), (8, 8)], "extension"),
        ([(0, 1), (47, 1)], "in-filling"),
        ([(0, 8), (40, 8)], "in-filling"),
    ],
)
def test_the_mode_follows_from_what_is_given(places: list[tuple[int, int]], mode: str) -> None:
    """The mode says which frames are given: none, one, a run, or runs around a gap."""
    conditioning = tuple(Conditioning(frames(n), index) for index, n in places)
    assert GenerationRequest("a ball", conditioning=conditioning).mode == mode


@given(
    seconds=st.floats(0.01, 60, allow_nan=False),
    fps=st.fractions(1, 60, max_denominator=1001),
    size=st.sampled_from([(16, 16), (1920, 1080), (1080, 1920), (511, 287), (1440, 1440)]),
)
def test_every_length_rate_and_size_in_range_is_taken(seconds: float, fps: Fraction, size: tuple[int, int]) -> None:
    """A request in range has at least one frame and lasts what was asked, to half a frame (one frame at least)."""
    request = GenerationRequest("a ball", seconds=seconds, fps=fps, size=size)
    assert request.frames >= 1
    assert request.frames == 1 or abs(float(request.frames / fps) - seconds) <= 0.5 / float(fps) + 1e-9


@pytest.mark.parametrize(
    ("storyboard", "message"),
    [
        (((0.0, "a ball"),), "above 0"),
        (((2.0, "a ball"),), "inside the video"),
        (((1.0, "a ball"), (0.5, "a star")), "rising"),
        (((1.0, " "),), "empty"),
        (((float("nan"), "a ball"),), "number"),
        (tuple((0.01 * i, "a ball") for i in range(1, 62)), "at most 59"),
    ],
)
def test_a_storyboard_out_of_order_is_refused(storyboard: tuple[tuple[float, str], ...], message: str) -> None:
    """Later prompts must rise, lie inside the video and say something."""
    with pytest.raises(InvalidRequest, match=message):
        GenerationRequest("a ball", seconds=2.0, storyboard=storyboard)


def test_the_prompt_in_force_is_the_last_that_has_begun() -> None:
    """Each moment of a storyboard has one prompt."""
    request = GenerationRequest("one", seconds=6.0, storyboard=((2.0, "two"), (4.0, "three")))
    assert [request.prompt_at(s) for s in (0.0, 1.9, 2.0, 3.9, 4.0, 6.0)] == [
        "one",
        "one",
        "two",
        "two",
        "three",
        "three",
    ]
    assert request.prompts == ("one", "two", "three")


def test_frames_that_only_pull_make_a_remix() -> None:
    """Frames kept as they are decide the mode; where none is kept, several make a remix and one a start."""
    frames = np.zeros((8, 8, 8, 3), np.uint8)
    assert GenerationRequest("a", conditioning=(Conditioning(frames, strength=0.5),)).mode == "remix"
    assert GenerationRequest("a", conditioning=(Conditioning(frames[:1], strength=0.5),)).mode == "image-to-video"
    both = (Conditioning(frames), Conditioning(frames, 20, 0.5))
    assert GenerationRequest("a", conditioning=both).mode == "in-filling"
