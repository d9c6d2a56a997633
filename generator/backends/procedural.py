"""The procedural back-end: the prompt is parsed into a scene and the scene is drawn, exactly, at any size and length.

Nothing is learned and nothing is denoised: its frames are ground truth for tests and demos, and are labelled
`algorithmicMedia`. numpy and OpenCV only.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from generator.errors import InvalidRequest
from generator.request import GenerationRequest, Pixels
from generator.stream import Completed, Event, Frames, GenerationRecord, Hook, Preview, Progress, drive
from generator.world.parse import Reading, read_prompt
from generator.world.render import SceneRenderer
from generator.world.scene import SHAPES, SceneSpec, planned

CHUNK = 8  # frames handed over at a time: 50 MB at 1920x1080


class ProceduralGenerator:
    """The renderer behind the caption grammar. One step is one chunk of frames."""

    name = "assay-procedural"
    version = "2"
    weights_sha256: str | None = None
    backend = "procedural"
    digital_source_type = "algorithmicMedia"

    def generate(
        self, request: GenerationRequest, *, hook: Hook | None = None, cancel: threading.Event | None = None
    ) -> Iterator[Event]:
        """See `VideoGenerator.generate`. Raises InvalidRequest for given frames, which a parser cannot take up."""
        if request.conditioning:
            raise InvalidRequest(
                "conditioning: the procedural back-end draws from the prompt alone; "
                "leave the frames out, or use the embedded back-end"
            )
        return drive(self._events(request), hook, cancel)

    def _events(self, request: GenerationRequest) -> Generator[Event, None, None]:
        beats = _beats(request)
        steps = -(-request.frames // CHUNK)
        for step in range(steps):
            start = step * CHUNK
            times = [float(i / request.fps) for i in range(start, min(start + CHUNK, request.frames))]
            pixels = np.stack([_playing(beats, t).frame(t) for t in times])  # (T, H, W, 3)
            yield Progress(step + 1, steps)
            yield Preview(step + 1, steps, request.fps, partial(np.copy, pixels))
            yield Frames(pixels, start)
        yield Completed(self._record(request, beats))

    def _record(self, request: GenerationRequest, beats: Sequence[_Beat]) -> GenerationRecord:
        made = GenerationRecord.of(self, request, ("numpy", "opencv-python-headless"))
        return replace(
            made,
            steps=-(-request.frames // CHUNK),
            notes=tuple(_notes(request, beats)),
            words_ignored=tuple(dict.fromkeys(word for beat in beats for word in beat.reading.words_ignored)),
            scene=beats[0].scene.words(),
        )


@dataclass(frozen=True)
class _Beat:
    """One prompt of a storyboard: when it plays, what was read in it, and who draws it."""

    start_s: float
    length_s: float
    reading: Reading
    scene: SceneSpec
    renderer: SceneRenderer

    def frame(self, t: float) -> Pixels:
        """The picture (H, W, 3) at a moment of the video."""
        return self.renderer.frame(t - self.start_s, self.length_s)


def _beats(request: GenerationRequest) -> list[_Beat]:
    starts = [0.0, *(start_s for start_s, _ in request.storyboard), float(request.frames / request.fps)]
    made = []
    for prompt, start_s, end_s in zip(request.prompts, starts, starts[1:], strict=False):
        reading = read_prompt(prompt)
        scene = planned(reading.attributes, request.seed)
        made.append(_Beat(start_s, end_s - start_s, reading, scene, SceneRenderer(scene, request.size)))
    return made


def _playing(beats: Sequence[_Beat], t: float) -> _Beat:
    return next(beat for beat in reversed(beats) if beat.start_s <= t)


def _notes(request: GenerationRequest, beats: Sequence[_Beat]) -> Iterator[str]:
    if float(request.frames / request.fps) != request.seconds:
        yield (
            f"{request.seconds:g} s at {request.fps} fps is not a whole number of frames: "
            f"rounded to {request.frames} frames, {float(request.frames / request.fps):g} s"
        )
    if request.negative_prompt is not None:
        yield "the negative prompt was not used: the procedural back-end has no guidance"
    for number, beat in enumerate(beats, 1):
        which = "the prompt" if len(beats) == 1 else f"prompt {number}"
        for name in ("kind", "colour", "background"):
            if name not in beat.reading.attributes and (name != "colour" or beat.scene.kind in SHAPES):
                drawn = beat.scene.words()[name]
                yield f"{which} names no {name} that this back-end can draw: the seed drew {drawn!r}"
