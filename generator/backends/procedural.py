"""The procedural back-end: the prompt is parsed into a scene and the scene is drawn, exactly, at any size and length.

Nothing is learned and nothing is denoised: its frames are ground truth for tests and demos, and are labelled
`algorithmicMedia`. numpy and OpenCV only.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from importlib import metadata

import numpy as np

from generator.errors import InvalidRequest
from generator.request import GenerationRequest
from generator.stream import Completed, Event, Frames, GenerationRecord, Hook, Progress, drive
from generator.world.parse import Reading, read_prompt
from generator.world.render import SceneRenderer
from generator.world.scene import SceneSpec, draw_scene

CHUNK = 8  # frames handed over at a time: 50 MB at 1920x1080


class ProceduralGenerator:
    """The renderer behind the caption grammar. One step is one chunk of frames."""

    name = "assay-procedural"
    version = "1"
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
        reading = read_prompt(request.prompt)
        scene = scene_of(reading, request.seed)
        renderer = SceneRenderer(scene, request.size)
        steps = -(-request.frames // CHUNK)
        duration_s = float(request.frames / request.fps)
        for step in range(steps):
            start = step * CHUNK
            times = [float(i / request.fps) for i in range(start, min(start + CHUNK, request.frames))]
            pixels = np.stack([renderer.frame(t, duration_s) for t in times])  # (T, H, W, 3)
            yield Progress(step + 1, steps)
            yield Frames(pixels, start)
        yield Completed(self._record(request, reading, scene))

    def _record(self, request: GenerationRequest, reading: Reading, scene: SceneSpec) -> GenerationRecord:
        return GenerationRecord(
            model=self.name,
            version=self.version,
            backend=self.backend,
            digital_source_type=self.digital_source_type,
            weights_sha256=None,
            seed=request.seed,
            steps=-(-request.frames // CHUNK),
            sampler=None,
            guidance_scale=None,
            mode=request.mode,
            size=request.size,
            native_size=request.size,
            upscale=1.0,
            seconds=float(request.frames / request.fps),
            fps=request.fps,
            frames=request.frames,
            native_frames=request.frames,
            notes=tuple(_notes(request, reading, scene)),
            words_ignored=reading.words_ignored,
            scene=scene.words(),
            libraries={name: metadata.version(name) for name in ("numpy", "opencv-python-headless")},
        )


def scene_of(reading: Reading, seed: int) -> SceneSpec:
    """The scene of a prompt: what it leaves open is drawn from the seed, except that subject and camera stand still."""
    scene = draw_scene(np.random.default_rng(seed))
    return replace(scene, **{"motion": "still", "camera": "static", **reading.attributes})  # type: ignore[arg-type]


def _notes(request: GenerationRequest, reading: Reading, scene: SceneSpec) -> Iterator[str]:
    if float(request.frames / request.fps) != request.seconds:
        yield (
            f"{request.seconds:g} s at {request.fps} fps is not a whole number of frames: "
            f"rounded to {request.frames} frames, {float(request.frames / request.fps):g} s"
        )
    if request.negative_prompt is not None:
        yield "the negative prompt was not used: the procedural back-end has no guidance"
    for name in ("kind", "colour", "background"):
        if name not in reading.attributes and not (name == "colour" and scene.kind == "emblem"):
            drawn = scene.words()[name]
            yield f"the prompt names no {name} that this back-end can draw: the seed drew {drawn!r}"
