"""What comes back from a generator: a stream of events, a record at its end, and the Protocol of who sends it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from importlib import metadata
from typing import Protocol

from generator.errors import Cancelled
from generator.request import GenerationRequest, Mode, Pixels


@dataclass(frozen=True)
class Progress:
    """`step` of `steps` is done."""

    step: int
    steps: int


@dataclass(frozen=True, eq=False)
class Preview:
    """The clip as far as it can be guessed after `step` of `steps`: a preview may stop a job, never pass one.

    Nothing is decoded until `frames()` is called: uint8 (T, h, w, 3) at the model's native size and `fps`.
    """

    step: int
    steps: int
    fps: Fraction
    decode: Callable[[], Pixels] = field(repr=False)

    def frames(self) -> Pixels:
        """The guessed frames, uint8 (T, h, w, 3) RGB."""
        return self.decode()


@dataclass(frozen=True, eq=False)
class Frames:
    """A run of finished frames at the requested size, uint8 (T, H, W, 3) RGB, the first of which is `start_index`."""

    pixels: Pixels  # (T, H, W, 3)
    start_index: int


@dataclass(frozen=True)
class GenerationRecord:
    """How the video was made: enough to make the same frames again on the same class of machine."""

    model: str
    version: str
    backend: str
    digital_source_type: str  # IPTC's term
    weights_sha256: str | None  # None where nothing was learned
    seed: int
    steps: int
    sampler: str | None
    guidance_scale: float | None
    mode: Mode
    size: tuple[int, int]  # width, height of the frames that were handed over
    native_size: tuple[int, int]  # width, height that the model made
    upscale: float  # factor from native to handed over
    seconds: float  # of the frames that were handed over
    fps: Fraction
    frames: int
    native_frames: int
    notes: tuple[str, ...] = ()  # what was rounded, padded, cropped, stretched or left out
    words_ignored: tuple[str, ...] = ()  # words of the prompt that had no influence
    scene: dict[str, str] | None = None  # what a back-end that parses the prompt understood
    libraries: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, maker: VideoGenerator, request: GenerationRequest, libraries: Sequence[str]) -> GenerationRecord:
        """What every back-end says of a video made exactly as asked, without a sampler; `replace` says what differed.

        libraries: names of the distributions whose versions the frames depend on.
        """
        return cls(
            model=maker.name, version=maker.version, backend=maker.backend,
            digital_source_type=maker.digital_source_type, weights_sha256=maker.weights_sha256,
            seed=request.seed, steps=request.steps, sampler=None, guidance_scale=None, mode=request.mode,
            size=request.size, native_size=request.size, upscale=1.0,
            seconds=float(request.frames / request.fps), fps=request.fps,
            frames=request.frames, native_frames=request.frames,
            libraries={name: metadata.version(name) for name in libraries},
        )  # fmt: skip

    def to_json(self) -> dict[str, object]:
        """Plain JSON values; the rate is a string such as "24" or "30000/1001", so that it stays exact."""
        return {
            **asdict(self),
            "fps": str(self.fps),
            "size": list(self.size),
            "native_size": list(self.native_size),
            "notes": list(self.notes),
            "words_ignored": list(self.words_ignored),
        }


@dataclass(frozen=True)
class Completed:
    """The last event: every frame was handed over."""

    record: GenerationRecord


Event = Progress | Preview | Frames | Completed
Hook = Callable[[Event], None]


class VideoGenerator(Protocol):
    """Text, image or video in, frames out. Implementations judge nothing: gating is the caller's."""

    @property
    def name(self) -> str:
        """The model's name, as the record and the manifest say it."""
        ...

    @property
    def version(self) -> str:
        """Changes where the same request would give other frames."""
        ...

    @property
    def weights_sha256(self) -> str | None:
        """Hash of what was learned; None where nothing was."""
        ...

    @property
    def backend(self) -> str:
        """The word that policies and waivers use: "embedded", "procedural", ..."""
        ...

    @property
    def digital_source_type(self) -> str:
        """IPTC's term for what comes out: "trainedAlgorithmicMedia" or "algorithmicMedia"."""
        ...

    def generate(
        self, request: GenerationRequest, *, hook: Hook | None = None, cancel: threading.Event | None = None
    ) -> Iterator[Event]:
        """The events of one video, made as they are pulled; closing the iterator frees everything.

        `hook` sees each event before the caller does; what it raises ends the stream within one step and reaches the
        caller as it is. Raises Cancelled within one step after `cancel` is set.
        """
        ...


def drive(events: Generator[Event, None, None], hook: Hook | None, cancel: threading.Event | None) -> Iterator[Event]:
    """The stream with the hook called, the cancel event obeyed and the source closed, however it ends."""
    try:
        while True:
            _obey(cancel)
            event = next(events, None)
            if event is None:
                return
            _obey(cancel)  # set while the step was being computed: what it made is not handed over
            if hook is not None:
                hook(event)
            yield event
    finally:
        events.close()


def _obey(cancel: threading.Event | None) -> None:
    if cancel is not None and cancel.is_set():
        raise Cancelled("generation was cancelled by the caller; no further frames will come")
