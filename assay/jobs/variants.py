"""Thumbnails and sheets of finished videos: drawn when they are asked for, from the signed file, and signed themselves.

Only of a video that was allowed and still is what was signed; of the worst material there is no picture at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from assay import assemble
from assay.banking import is_worst
from assay.errors import NoPicture
from assay.ledger import DecisionRow, JobRow, Ledger
from assay.outcome import Outcome, merged
from assay.signing import derived_origin, sha256_of
from assay.watch import Watch, stage
from media import Frame, probe, write_image
from provenance import GateRecord, HumanDecision, State, digests_of, read
from safety import Action, Decision

if TYPE_CHECKING:
    from assay.tasks import Bench

NAMES = {"thumbnail": "thumbnail.jpg", "spritesheet": "spritesheet.jpg"}
_SIDE = 512  # pixels of a thumbnail's longer side
_CELL, _COLUMNS, _CELLS = 160, 5, 25  # pixels wide; cells a row; cells at most

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Wanted:
    """A picture of a job's video."""

    job: str
    variant: str  # of NAMES


def draw(bench: Bench, wanted: Wanted, watch: Watch) -> str:
    """The path of the signed picture; NoPicture where there may be none."""
    ledger, settings = bench.queue.ledger, bench.settings
    row = ledger.job(wanted.job)
    if row.asset is None or row.action != "allow":
        raise NoPicture(f"{row.id} has no video that was allowed")
    video = Path(row.asset["path"])
    target = video.with_name(NAMES[wanted.variant])
    if target.exists():
        return str(target)
    decisions, posture = ledger.decisions(row.id), merged(ledger.posture(row.id))
    if is_worst(Outcome(row.id, decisions, ledger.examination(row.id)), settings):
        raise NoPicture("no picture is made of material found under sexual/minors or in a bank of worst material")
    signer = assemble.signer(settings)
    if sha256_of(video) != row.asset["sha256"] or read(video, signer.trust).state is not State.TRUSTED:
        raise NoPicture(f"{row.id}: its video is not what was signed")
    gate = GateRecord.of(decisions, posture, _human(ledger, row, decisions))
    with stage(watch, "frame"):
        pixels = _picture(video, wanted.variant)
    private = settings.private / bench.owner / f"draw-{row.id}"
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    drawn = private / target.name
    try:
        write_image(drawn, pixels)
        with stage(watch, "provenance"):
            signer.release(drawn, target, derived_origin(video), gate, digests_of(drawn))
    finally:
        drawn.unlink(missing_ok=True)
        private.rmdir()
    return str(target)


def _human(ledger: Ledger, row: JobRow, decisions: Sequence[Decision]) -> HumanDecision | None:
    """A person's approval of this job, as its video's manifest cites it."""
    reviewed = frozenset(decision.id for decision in decisions if decision.action is Action.REVIEW)
    if not reviewed:
        return None
    said = (DecisionRow.job == row.id) & DecisionRow.policy_digest.is_(None) & (DecisionRow.action == "allow")
    with Session(ledger.engine) as session:
        approval = session.scalars(select(DecisionRow).where(said).order_by(DecisionRow.key.desc())).first()
        if approval is None:
            return None
        reference = approval.decision.removesuffix("-approved")
        return HumanDecision(reference, reviewed, datetime.fromisoformat(approval.made.isoformat()).replace(tzinfo=UTC))


def _picture(video: Path, variant: str) -> Pixels:
    total = max(1, probe(video).declared_frames or 1)
    if variant == "thumbnail":
        (frame,) = frames_at(video, [total // 2])
        return _fitted(frame, _SIDE / max(frame.shape[:2]))
    wanted = sorted(set(np.linspace(0, total - 1, min(total, _CELLS)).round().astype(int).tolist()))
    cells = [_fitted(frame, _CELL / frame.shape[1]) for frame in frames_at(video, wanted)]
    return _sheet(cells)


def frames_at(video: Path, wanted: Sequence[int]) -> list[Pixels]:
    """These frames, or the last one that decodes where the file is shorter than it says."""
    asked, found, last = set(wanted), [], None
    for frame in probe(video).frames():
        if isinstance(frame, Frame):
            last = frame.pixels
            if frame.index in asked:
                found.append(frame.pixels.copy())
        if len(found) == len(asked):
            break
    if not found and last is not None:
        found.append(last.copy())
    if not found:
        raise NoPicture(f"{video.name}: no frame decodes")
    return found


def _fitted(pixels: Pixels, factor: float) -> Pixels:
    """Scaled down, never up; sides stay even, as JPEG's chroma likes them."""
    height, width = (max(2, round(side * min(1.0, factor)) // 2 * 2) for side in pixels.shape[:2])
    picture = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(picture, np.uint8)


def _sheet(cells: Sequence[Pixels]) -> Pixels:
    """Row by row, in the order of the video."""
    height, width = cells[0].shape[:2]
    rows = -(-len(cells) // _COLUMNS)
    sheet: Any = np.zeros((rows * height, min(len(cells), _COLUMNS) * width, 3), np.uint8)
    for number, cell in enumerate(cells):
        top, left = number // _COLUMNS * height, number % _COLUMNS * width
        sheet[top : top + height, left : left + width] = cell
    made: Pixels = sheet
    return made
