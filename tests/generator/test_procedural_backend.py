"""The procedural back-end: exact size, length and rate, and a record that says what was understood."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from generator import (
    Completed,
    Conditioning,
    Frames,
    GenerationRequest,
    InvalidRequest,
    Preview,
    ProceduralGenerator,
    Progress,
)
from generator.world.reader import measure


def made(request: GenerationRequest) -> tuple[np.ndarray, Completed]:
    events = list(ProceduralGenerator().generate(request))
    assert isinstance(events[-1], Completed)
    return np.concatenate([event.pixels for event in events if isinstance(event, Frames)]), events[-1]


@pytest.mark.parametrize(
    ("size", "seconds", "fps"),
    [
        ((512, 288), 1.0, Fraction(24)),
        ((288, 512), 0.5, Fraction(30000, 1001)),
        ((37, 51), 2.0, Fraction(8)),
        ((1920, 1080), 0.1, Fraction(24)),
    ],
)
def test_frames_are_of_the_size_length_and_rate_asked_for(size: tuple[int, int], seconds: float, fps: Fraction) -> None:
    """The frames and the record agree with the request on size, number and rate."""
    request = GenerationRequest("a red ball moves right over the sea", size=size, seconds=seconds, fps=fps)
    frames, completed = made(request)
    record = completed.record
    assert frames.shape == (request.frames, size[1], size[0], 3)
    assert (record.size, record.native_size, record.upscale) == (size, size, 1.0)
    assert (record.frames, record.fps, record.seconds) == (request.frames, fps, float(request.frames / fps))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a yellow star rises in the snow", ("star", "yellow", "up", "snow", "static")),
        ("a blue house stands still in the desert, camera zooms in", ("house", "blue", "still", "desert", "zoom in")),
        ("camera pans left, a pink fish spins in the sea", ("fish", "pink", "spin", "sea", "pan left")),
    ],
)
def test_what_the_prompt_says_is_what_the_frames_show(prompt: str, expected: tuple[str, ...]) -> None:
    """The reader measures off the frames exactly what the prompt says."""
    frames, completed = made(GenerationRequest(prompt, size=(96, 60), fps=Fraction(8), seed=1))
    found = measure(frames)
    assert (found.kind, found.colour, found.motion, found.background, found.camera) == expected
    assert completed.record.scene is not None
    assert found.words().items() <= completed.record.scene.items()
    assert completed.record.notes == ()


def test_a_long_video_streams_in_small_chunks() -> None:
    """No chunk holds more than 8 frames, chunks join without a gap, and progress ends at its total."""
    events = list(ProceduralGenerator().generate(GenerationRequest("a boat", size=(32, 18), seconds=10)))
    chunks = [event for event in events if isinstance(event, Frames)]
    assert max(len(chunk.pixels) for chunk in chunks) == 8
    assert [chunk.start_index for chunk in chunks] == list(range(0, 240, 8))
    steps = [event for event in events if isinstance(event, Progress)]
    assert steps[-1].step == steps[-1].steps == len(steps)


def test_what_the_prompt_leaves_open_is_said_in_the_record() -> None:
    """Unknown words, attributes drawn by the seed, an unused negative prompt and a rounded length are all said."""
    request = GenerationRequest("two weasels juggle", "blurry", size=(32, 32), seconds=0.33)
    record = made(request)[1].record
    assert record.words_ignored == ("weasels", "juggle")
    said = " / ".join(record.notes)
    for piece in ("no kind", "no background", "negative prompt was not used", "rounded to 8 frames"):
        assert piece in said


def test_the_emblem_has_no_colour_to_leave_open() -> None:
    """A prompt for the emblem is not told that a colour was drawn: the glyph has its own."""
    record = made(GenerationRequest("a striped emblem over the sea", size=(32, 32), seconds=0.1, fps=Fraction(10)))[1]
    assert not any("colour" in note for note in record.record.notes)


def test_given_frames_are_refused_with_a_remedy() -> None:
    """Frames that a parser cannot take up are refused before anything is made."""
    given = (Conditioning(np.zeros((1, 8, 8, 3), np.uint8)),)
    with pytest.raises(InvalidRequest, match=r"conditioning: .*embedded back-end"):
        ProceduralGenerator().generate(GenerationRequest("a ball", conditioning=given))


def test_it_runs_without_torch() -> None:
    """Importing the package, the embedded class and running the procedural back-end never imports torch."""
    program = (
        "import sys, generator as g; g.EmbeddedGenerator; g.vocabulary();"
        "list(g.ProceduralGenerator().generate(g.GenerationRequest('a red ball', size=(32, 32), seconds=0.1)));"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False", done.stderr


def test_importing_the_package_is_light() -> None:
    """`import generator` loads neither torch, OpenCV nor numpy."""
    program = "import sys, generator; print({'torch', 'cv2', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_the_record_is_plain_json() -> None:
    """The record survives JSON and holds what the manifest needs."""
    record = made(GenerationRequest("a red ball", size=(32, 18), seconds=0.5, seed=5))[1].record.to_json()
    told = json.loads(json.dumps(record))
    assert (told["seed"], told["size"], told["fps"], told["weights_sha256"]) == (5, [32, 18], "24", None)
    assert {"model", "version", "steps", "native_size", "seconds", "mode", "libraries", "notes"} <= set(told)
    assert told["digital_source_type"] == "algorithmicMedia"


def test_a_storyboard_is_drawn_prompt_by_prompt() -> None:
    """Each part of a storyboard shows its own prompt, from its moment on."""
    request = GenerationRequest(
        "a red ball in the snow", size=(96, 60), seconds=4, fps=Fraction(8), storyboard=((2.0, "a blue star at night"),)
    )
    frames, completed = made(request)
    assert (measure(frames[:16]).colour, measure(frames[:16]).background) == ("red", "snow")
    assert (measure(frames[16:]).colour, measure(frames[16:]).background) == ("blue", "night")
    assert completed.record.frames == 32


def test_previews_show_what_is_handed_over() -> None:
    """Each chunk is shown as a preview first, so that whoever judges previews can stop it."""
    events = list(ProceduralGenerator().generate(GenerationRequest("a red ball", size=(32, 18), seconds=1)))
    shown = [event.frames() for event in events if isinstance(event, Preview)]
    handed = [event.pixels for event in events if isinstance(event, Frames)]
    assert len(shown) == len(handed) == 3
    assert all(np.array_equal(a, b) for a, b in zip(shown, handed, strict=True))
