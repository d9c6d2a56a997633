"""The assembled stages of the spine, and what each does with one request. Objects come in through `assay.assemble`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay.banking import Banks
from assay.errors import StageFailed
from assay.ledger import Ledger
from assay.looking import scan_options
from assay.prompting import PromptStage
from assay.quarantine import Quarantine
from assay.request import Request
from assay.signing import Signer, sha256_of
from assay.watch import Watch
from generator import (
    Completed,
    Conditioning,
    Frames,
    GenerationRecord,
    GenerationRequest,
    Progress,
    VideoGenerator,
)
from media import Encoder, UsageError, probe, read_image
from provenance import Digests, Kind, Origin, SourceType, digests_of
from safety import (
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
    quarantine: Callable[[], Quarantine] | None = None  # opened when it is first needed
    worst: frozenset[str] = frozenset({"sexual/minors"})  # categories of which no picture may be made

    @property
    def policy(self) -> Policy:
        """The policy that decides."""
        return self.prompt.policy

    def look_at_inputs(self, request: Request) -> Examination:
        """The picture that the request brings along, by the eyes that look at outputs."""
        from safety.frame import examine_image

        if request.image is None:
            return Examination()
        item = Item(Stage.INPUT_IMAGE, "input-image", sha256_of(request.image))
        return examine_image(read_image(request.image), item, self.frame, self.policy.categories_for(Stage.INPUT_IMAGE))

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

    def render(self, request: Request, folder: Path, watch: Watch) -> Made:
        """Generates into a private file; the record says how, so that the same request gives the same frames."""
        if self.generator is None:
            raise UsageError("no generator is assembled for this command")
        wish = _generation_request(request)
        path, record, frames = folder / "made.mp4", None, 0
        with Encoder(path, size=wish.size, rate=wish.fps) as encoder:
            for event in self.generator.generate(wish):
                if isinstance(event, Progress):
                    watch.progress("generator", event.step, event.steps)
                elif isinstance(event, Frames):
                    for pixels in event.pixels:  # (H, W, 3)
                        encoder.write(pixels)
                    frames += len(event.pixels)
                elif isinstance(event, Completed):
                    record = event.record
        if record is None or frames == 0 or frames != record.frames:
            raise StageFailed("generator", f"it gave {frames} frames and {'no' if record is None else 'a'} record")
        return Made(path, self._origin(request, record), record.to_json())

    def _origin(self, request: Request, record: GenerationRecord) -> Origin:
        return Origin(
            kind=Kind(record.mode), model=record.model, version=record.version, mode=record.mode, seed=record.seed,
            weights_sha256=record.weights_sha256, digital_source_type=SourceType(record.digital_source_type),
            created_at=datetime.now(UTC), inputs=() if request.image is None else (request.image,),
        )  # fmt: skip


def _generation_request(request: Request) -> GenerationRequest:
    """The generator's own terms; what it was not told is left to its defaults."""
    wishes: dict[str, Any] = {"prompt": request.prompt, "negative_prompt": request.negative_prompt}
    wishes |= {"seed": request.seed}
    if request.size is not None:
        wishes["size"] = request.size
    if request.seconds is not None:
        wishes["seconds"] = request.seconds
    if request.image is not None:
        wishes["conditioning"] = (Conditioning(read_image(request.image).pixels[None], 0, 1.0),)
    return GenerationRequest(**wishes)
