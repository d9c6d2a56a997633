"""Footage: a stretch of a file as given frames. Recaptioning: a short prompt written out, nothing taken away."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from generator import (
    Conditioning,
    EmbeddedGenerator,
    Footage,
    Frames,
    GenerationRequest,
    GrammarRecaptioner,
    InvalidRequest,
    vocabulary,
)
from generator.world.captions import caption
from generator.world.parse import read_prompt
from generator.world.scene import UNSAID, draw_scene
from media import MediaError, encode


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds at 12 frames a second, each frame a grey of its own: 10, 20, 30 ..."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    encode(path, (np.full((48, 64, 3), 10 + 10 * i, np.uint8) for i in range(24)), Fraction(12))
    return path


def grey(picture: np.ndarray) -> int:
    return round(float(picture.mean()) / 10)


def test_footage_shows_the_frame_of_each_moment(film: Path) -> None:
    """At the file's own rate every frame is itself; at another rate each moment shows the frame on screen then."""
    own = Footage(film, Fraction(12))
    assert own.shape == (24, 48, 64, 3)
    assert [grey(own[i]) for i in range(24)] == list(range(1, 25))
    double = Footage(film, Fraction(24))
    assert [grey(double[i]) for i in range(0, 48, 5)] == [1 + i // 2 for i in range(0, 48, 5)]
    half = Footage(film, Fraction(6), start_s=0.5, frames=4)
    assert [grey(half[i]) for i in range(4)] == [7, 9, 11, 13]


def test_footage_can_be_read_again_and_closed(film: Path) -> None:
    """A step back starts the file again; closing leaves nothing open."""
    footage = Footage(film, Fraction(12))
    assert [grey(footage[i]) for i in (20, 3, 3, 23)] == [21, 4, 4, 24]
    footage.close()
    assert grey(footage[0]) == 1
    with pytest.raises(IndexError):
        footage[24]


def test_broken_or_empty_footage_is_refused(film: Path, tmp_path: Path) -> None:
    """A file that is no video, a stretch after its end and an impossible rate are errors that name the file."""
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"junk")
    with pytest.raises(MediaError, match="junk"):
        Footage(junk, Fraction(12))
    with pytest.raises(InvalidRequest, match=r"film\.mp4: holds nothing from 9 s"):
        Footage(film, Fraction(12), start_s=9.0)
    with pytest.raises(InvalidRequest, match="frames a second"):
        Footage(film, Fraction(500))


def test_a_video_is_extended_from_its_file(film: Path) -> None:
    """The first frames of an extension are the file's own, read while they are written; new ones follow."""
    footage = Footage(film, Fraction(12))
    request = GenerationRequest(
        "a red ball", size=(64, 48), seconds=4, fps=Fraction(12), steps=1, conditioning=(Conditioning(footage),)
    )
    assert request.mode == "extension"
    frames = np.concatenate([e.pixels for e in EmbeddedGenerator().generate(request) if isinstance(e, Frames)])
    assert frames.shape == (48, 48, 64, 3)
    assert [grey(frame) for frame in frames[:24]] == list(range(1, 25))


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_what_a_prompt_says_survives_its_expansion(seed: int) -> None:
    """Every attribute that a short caption names is read the same from the detailed one, in words that are known."""
    rng = np.random.default_rng(seed)
    short = caption(draw_scene(rng), rng, "short")
    long = GrammarRecaptioner().expand(short, seed)
    before, after = read_prompt(short).attributes, read_prompt(long).attributes
    assert {**UNSAID, **after} == {**UNSAID, **after, **before}
    assert not read_prompt(long).words_ignored or set(read_prompt(long).words_ignored) <= vocabulary()
    assert GrammarRecaptioner().expand(short, seed) == long


def test_a_prompt_without_a_subject_is_left_alone() -> None:
    """Nothing is invented around words that the grammar does not know."""
    assert GrammarRecaptioner().expand("two weasels juggle", 1) == "two weasels juggle"
