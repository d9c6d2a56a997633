"""Previews that a client may see while its video is made: judged, recorded and signed as an output is.

A preview is a guess, and may look like something that the finished video is not. So what is shown is a file of its own,
small and at few frames a second: encoded privately, each of its frames looked at by every model that looks at outputs,
decided under the same policy, signed, and only then shown. It passes nothing: the finished video is looked at as ever.
What is not allowed, or could not be judged, is not shown, and what was shown before is no longer.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from assay.case import Case
from assay.ledger import JobRow, State
from assay.outcome import Asset
from assay.request import Request
from assay.stages import Made, Stages
from assay.watch import Silent
from assay.wishes import generation_request, origin_of
from generator import GenerationRecord, Preview
from media import Encoder
from safety import Action, Circumstances

log = logging.getLogger("assay.jobs")

SHOWN_AT = (0.25, 0.5, 0.75)  # of the steps; before that a guess is mostly noise, and each costs a look
FRAMES = 16  # of a preview, spread over the clip: what is looked at and signed is what is shown
RATE = Fraction(4)  # frames a second


@dataclass
class Showing:
    """Shows the previews of one job that a worker has taken."""

    stages: Stages
    job: str
    request: Request
    on: Circumstances
    _due: list[float] = field(default_factory=lambda: list(SHOWN_AT))
    _shown: Path | None = None

    def __call__(self, preview: Preview) -> None:
        """Looks at a preview whose time has come, and shows it where that is allowed."""
        done = preview.step / preview.steps
        if preview.step >= preview.steps or not self._due or done < self._due[0]:
            return
        self._due = [at for at in self._due if at > done]
        try:
            asset = self._judged(preview)
        except Exception as error:  # noqa: BLE001 (a guess that cannot be drawn, judged or signed is not shown)
            log.warning("a preview was not shown: %s", type(error).__name__)
            asset = None
        self._tell(asset, preview)

    def _judged(self, preview: Preview) -> Asset | None:
        """The signed file, or None where it may not be seen; what was decided is a job of its own in the ledger."""
        ledger, clip = self.stages.ledger, preview.frames()  # (T, h, w, 3)
        facts = {"preview_of": self.job, "step": preview.step, "steps": preview.steps}
        job = ledger.open_job(
            "preview", facts, (self.stages.owner, self.stages.lease_seconds), parent=self.job, tenant=self._tenant()
        )
        try:
            with Case.open("preview", facts, self.stages, taken=job) as case:
                case.circumstances = self.on  # those of the video that it is a guess of
                path = case.folder / "made.mp4"
                _encode(clip, path)
                action = case.judge(self.stages.look_at_frames(path, Silent()))
                if action is not Action.ALLOW:
                    case.close(action)
                    return None
                return case.release(Made(path, self._origin(), {}), self._destination(preview)).asset
        except Exception as error:
            ledger.settle(job, State.FAILED, error=type(error).__name__)
            raise

    def _origin(self) -> Any:
        maker = self.stages.generator
        assert maker is not None
        return origin_of(self.request, GenerationRecord.of(maker, generation_request(self.request), ()))

    def _destination(self, preview: Preview) -> Path:
        """Beside the attempts' folders: whoever tidies an ended job removes it."""
        own = self.request.destination.parent
        folder = own.parent / "preview"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / f"{own.name}-{preview.step}.mp4"

    def _tenant(self) -> str:
        return self.stages.ledger.job(self.job).tenant

    def _tell(self, asset: Asset | None, preview: Preview) -> None:
        """Notes in the job what may be seen now; not where another worker has it by now."""
        shown: dict[str, Any] | None = None
        with self.stages.ledger.write() as session:
            row = session.get_one(JobRow, self.job)
            if row.state != State.RUNNING or row.lease_owner != self.stages.owner:
                return
            if asset is not None:
                shown = {"path": str(asset.path), "attempt": row.attempt, "step": preview.step, "steps": preview.steps}
            row.wire = {**(row.wire or {}), "shown": shown}
        before, self._shown = self._shown, None if asset is None else asset.path
        if before is not None:
            before.unlink(missing_ok=True)


def _encode(clip: np.ndarray[Any, np.dtype[np.uint8]], path: Path) -> None:
    height, width = (side // 2 * 2 for side in clip.shape[1:3])
    wanted = np.unique(np.linspace(0, len(clip) - 1, FRAMES).round().astype(int))
    with Encoder(path, size=(width, height), rate=RATE) as encoder:
        for at in wanted:
            encoder.write(np.ascontiguousarray(clip[at, :height, :width]))
