"""The assembled stages of the spine, and what each does with one request. Objects come in through `assay.assemble`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from assay.banking import Banks
from assay.errors import StageFailed
from assay.ledger import Ledger
from assay.looking import scan_options
from assay.previewing import PreviewGate, Stopped
from assay.prompting import PromptStage
from assay.quarantine import Quarantine
from assay.request import Request
from assay.signing import Signer, sha256_of
from assay.watch import Watch
from assay.wishes import generation_request, origin_of
from generator import (
    Completed,
    Event,
    Frames,
    GenerationRequest,
    Preview,
    Progress,
    Recaptioner,
    VideoGenerator,
)
from media import Encoder, UsageError, probe, read_image
from provenance import Digests, Origin, digests_of
from safety import (
    Circumstances,
    Examination,
    FrameClassifier,
    FrameCounts,
    Item,
    Policy,
    Stage,
)


@dataclass(frozen=True)
class Made:
    """A rendered video in the private folder."""

    path: Path
    origin: Origin
    record: dict[str, Any]


@dataclass(frozen=True)
class Looked:
    """What the eyes saw of one file, and which file that was."""

    digests: Digests
    frames: FrameCounts
    examination: Examination

    @property
    def sha256(self) -> str:
        """The file's plain hash."""
        return self.digests.sha256


@dataclass(frozen=True)
class Stages:
    """Everything a case needs, already built: which models, which policy, which keys."""

    prompt: PromptStage
    frame: Sequence[FrameClassifier]
    banks: Banks
    generator: VideoGenerator | None
    generator_backend: str | None
    signer: Signer
    ledger: Ledger
    private: Path
    held: Path
    owner: str
    scoring_digest: str
    lease_seconds: float = 3600.0
    review_expiry_hours: float = 72.0
    epsilon: float = 0.0  # see assay.settings.Scan
    early_stop: bool = False
    recaptioner: Recaptioner | None = None
    quarantine: Callable[[], Quarantine] | None = None  # opened when it is first needed
    prompts: Literal["full", "hashed", "none"] = "full"  # what is kept of the words of a job that has ended
    worst: frozenset[str] = frozenset({"sexual/minors"})  # categories of which no picture may be made

    @property
    def policy(self) -> Policy:
        """The policy that decides."""
        return self.prompt.policy

    def look_at_inputs(self, request: Request, watch: Watch) -> Examination:
        """The picture and the video that the request brings along, by the eyes that look at outputs."""
        from safety.frame import examine_image, examine_video

        seen = Examination()
        if request.image is not None:
            item = Item(Stage.INPUT_IMAGE, "input-image", sha256_of(request.image))
            wanted = self.policy.categories_for(Stage.INPUT_IMAGE)
            seen += examine_image(read_image(request.image), item, self.frame, wanted)
        if request.video is not None:
            video = probe(request.video)
            total = video.declared_frames or 0
            seen += examine_video(
                video, sha256_of(request.video), Stage.INPUT_VIDEO, self.frame,
                self.policy.categories_for(Stage.INPUT_VIDEO),
                options=scan_options(self.policy, Stage.INPUT_VIDEO, epsilon=self.epsilon, early_stop=self.early_stop),
                progress=lambda done: watch.progress("input", done, max(total, done)),
            ).examination  # fmt: skip
        return seen

    def look_at_frames(self, path: Path, watch: Watch) -> Looked:
        """Every frame of the file as it is on the disk now; raises MediaError where it is no video."""
        from safety.frame import examine_video

        sha256, video = sha256_of(path), probe(path)
        total = video.declared_frames or 0
        seen = examine_video(
            video, sha256, Stage.FRAME, self.frame, self.policy.categories_for(Stage.FRAME),
            options=scan_options(self.policy, Stage.FRAME, epsilon=self.epsilon, early_stop=self.early_stop),
            progress=lambda done: watch.progress("frame", done, max(total, done)),
        )  # fmt: skip
        digests = digests_of(path)
        if digests.sha256 != sha256:
            raise StageFailed("frame", f"{path} changed while its frames were looked at")
        self.banks.note(self.frame, sha256)
        known = self.banks.look_at_file(path, sha256, self.policy.categories_for(Stage.FILE))
        return Looked(digests, seen.counts, seen.examination + known)

    def write_out(self, request: Request) -> Request:
        """The request with its prompts written out, where that was asked for; both are judged and kept."""
        if not request.expand or self.recaptioner is None:
            return request
        texts = tuple(self.recaptioner.expand(text, request.seed) for text in request.prompts)
        return replace(request, written_out=texts)

    def render(
        self, request: Request, folder: Path, watch: Watch, on: Circumstances,
        show: Callable[[Preview], None] | None = None,
    ) -> Made | Stopped:  # fmt: skip
        """Generates into a private file; the record says how, so that the same request gives the same frames.

        With `request.preview`, quick models look at the previews, and what they stop has no file; what they do not
        stop goes to `show`.
        """
        if self.generator is None:
            raise UsageError("no generator is assembled for this command")
        wish = generation_request(request)
        gate = PreviewGate(self.policy, self.frame, on) if request.preview else None
        path, record, frames = folder / "made.mp4", None, 0
        try:
            with Encoder(path, size=wish.size, rate=wish.fps) as encoder, closing(self._events(wish)) as events:
                for event in events:
                    if isinstance(event, Progress):
                        watch.progress("generator", event.step, event.steps)
                    elif isinstance(event, Preview) and gate is not None:
                        if (stopped := gate.look(event)) is not None:
                            raise _StoppedEarly(stopped)
                        if show is not None:
                            show(event)
                    elif isinstance(event, Frames):
                        for pixels in event.pixels:  # (H, W, 3)
                            encoder.write(pixels)
                        frames += len(event.pixels)
                    elif isinstance(event, Completed):
                        record = event.record
        except _StoppedEarly as end:
            return end.stopped
        if record is None or frames == 0 or frames != record.frames:
            raise StageFailed("generator", f"it gave {frames} frames and {'no' if record is None else 'a'} record")
        return Made(path, origin_of(request, record), record.to_json() | self._written(request))

    def _written(self, request: Request) -> dict[str, Any]:
        """What the record says of prompts that were written out: both texts, and by whom."""
        if not request.written_out or self.recaptioner is None:
            return {}
        both = [{"prompt": a, "written_out": b} for a, b in zip(request.prompts, request.written_out, strict=True)]
        return {"written_out": both, "written_by": self.recaptioner.name}

    def _events(self, wish: GenerationRequest) -> Generator[Event, None, None]:
        """The generator's events; closing them closes its own stream, whatever it is."""
        if self.generator is None:
            return
        events = self.generator.generate(wish)
        try:
            yield from events
        finally:
            if isinstance(events, Generator):
                events.close()


class _StoppedEarly(Exception):
    """Leaves the encoder as an error does, so that the unfinished file goes."""

    def __init__(self, stopped: Stopped) -> None:
        super().__init__(stopped.why)
        self.stopped = stopped
