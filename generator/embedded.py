"""The embedded back-end: a small diffusion transformer whose weights come with the package, on a CPU in seconds.

No torch at import: it is loaded when the first frame is asked for, and where it is missing, the error says what to
install. What it draws comes from its network alone; the vocabulary that steers it is closed (`generator.vocabulary`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from generator import text
from generator.errors import GeneratorUnavailable
from generator.geometry import (
    NATIVE_FPS,
    STEP,
    Geometry,
    Given,
    conditioning_notes,
    place,
    resolve,
    settle,
    standing,
)
from generator.request import GenerationRequest, Pixels
from generator.stream import Completed, Event, Frames, GenerationRecord, Hook, Preview, Progress, drive
from generator.weights_file import FOLDER, read_weights
from media import give_back_memory

if TYPE_CHECKING:
    from generator.film import Film
    from generator.sampler import Sampler

CHUNK: Final = 4  # frames handed over at a time: 25 MB at 1920x1080
TIDY: Final = 48  # frames after which free memory is given back
INSTALL: Final = "the embedded generator needs PyTorch: pip install 'assay-video[generate]'"


class EmbeddedGenerator:
    """Text-to-video, image-to-video, extension and in-filling by one set of weights.

    Raises GeneratorUnavailable at once where torch is not installed or the weights are not the ones that their card
    names; the network itself is loaded by the first `generate` and kept.
    """

    name = "assay-embedded"
    version = "3"
    backend = "embedded"
    digital_source_type = "trainedAlgorithmicMedia"

    def __init__(self, folder: Path = FOLDER) -> None:
        if util.find_spec("torch") is None:
            raise GeneratorUnavailable(INSTALL)
        self._folder = folder
        self._card = read_weights(folder)[1]
        self._sampler: Sampler | None = None
        self._loading = threading.Lock()

    @property
    def weights_sha256(self) -> str:
        """The hash of the weights file, compared when this object was made and again when the network is loaded."""
        return self._card.sha256

    def generate(
        self, request: GenerationRequest, *, hook: Hook | None = None, cancel: threading.Event | None = None
    ) -> Iterator[Event]:
        """See `VideoGenerator.generate`."""
        return drive(self._events(request), hook, cancel)

    def _events(self, request: GenerationRequest) -> Generator[Event, None, None]:
        geometry = resolve(request)
        given = place(request, geometry)
        for step, decode in enumerate(self._load().steps(request, geometry, given), 1):
            yield Progress(step, request.steps)
            yield Preview(step, request.steps, Fraction(NATIVE_FPS), partial(_preview, decode, given))
        film = _whole(decode(), given)
        del decode  # it holds a draft and latents, and frames are drawn from the film alone
        yield from _finished(film, request, geometry)
        yield Completed(self._record(request, geometry))

    def _load(self) -> Sampler:
        with self._loading:
            if self._sampler is None:
                from generator.sampler import Sampler

                self._sampler = Sampler(self._folder)
            return self._sampler

    def _record(self, request: GenerationRequest, geometry: Geometry) -> GenerationRecord:
        known = self._card.trained
        ignored = tuple(dict.fromkeys(word for prompt in request.prompts for word in text.ignored(prompt, known)))
        notes = [*geometry.notes(request), *conditioning_notes(request, geometry)]
        if not any(text.prompt_words(prompt, known) for prompt in request.prompts):
            notes.append("no word of the prompt is in the vocabulary: the clip follows the seed alone")
        if unknown := text.ignored(request.negative_prompt or "", known):
            notes.append(f"words of the negative prompt without influence: {', '.join(unknown)}")
        made = GenerationRecord.of(self, request, ("torch", "numpy", "safetensors", "opencv-python-headless"))
        return replace(
            made,
            sampler="euler, rectified flow",
            guidance_scale=request.guidance_scale,
            native_size=geometry.native,
            upscale=geometry.upscale,
            native_frames=geometry.native_frames,
            notes=tuple(notes),
            words_ignored=ignored,
        )


def _whole(film: Film, given: Given) -> Film:
    """A decoded film with the frames that stand, and without the steps between patches."""
    stood = np.where(given.known[:, None, None, None], given.native.astype(np.float32), film.clip)  # (N, h, w, 3)
    return film.with_clip(settle(stood, given.known, STEP))


def _finished(film: Film, request: GenerationRequest, geometry: Geometry) -> Iterator[Frames]:
    """The output frames, a chunk at a time; a given frame stands where it was given."""
    for start in range(0, geometry.frames, CHUNK):
        indices = range(start, min(start + CHUNK, geometry.frames))
        pixels = np.empty((len(indices), geometry.size[1], geometry.size[0], 3), np.uint8)
        for row, index in enumerate(indices):
            stood = standing(request, index)
            pixels[row] = geometry.enlarge(film.at(geometry.position(index))) if stood is None else stood
        yield Frames(pixels, start)
        if start % TIDY == 0:
            give_back_memory()


def _preview(decode: Callable[[], Film], given: Given) -> Pixels:
    return np.rint(_whole(decode(), given).clip).astype(np.uint8)
