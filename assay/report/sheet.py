"""A picture of a video and of what was decided about it: frames in order, and a strip that says where what was found.

The picture of a signed video is signed like the video. Frames of what a scan found are blurred, and such a picture is a
report: it carries no signature, since nothing was allowed. Of the worst material no picture is made at all.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from assay import assemble
from assay.banking import is_worst
from assay.errors import NoPicture
from assay.leftovers import OwnerLock, new_owner
from assay.outcome import Outcome
from assay.settings import Settings
from assay.signing import derived_origin
from media import Frame, probe, write_image
from provenance import GateRecord, State, digests_of, read
from safety import Action, Segment

COLUMNS, ROWS, CELL, GAP = 4, 2, 256, 8  # cells; pixels
STRIP, TITLE = 28, 64  # pixels high
BLUR = 6  # pixels; enough that a caption cannot be read in a cell
COLOURS = {Action.ALLOW: (46, 160, 92), Action.REVIEW: (214, 158, 32), Action.BLOCK: (200, 48, 48)}
INK, PAPER, FAINT = (24, 26, 31), (250, 250, 247), (120, 124, 133)


def publish_sheet(video: Path, outcome: Outcome, destination: Path, settings: Settings) -> None:
    """Draws the sheet of a scanned video; signed where the video is signed and was allowed, else as a plain report.

    Raises NoPicture where the video was found to hold material of which no picture may be made.
    """
    refuse_worst(outcome, settings)
    pixels = draw(video, outcome)
    owner = new_owner()
    with OwnerLock(settings, owner):  # whoever dies here is swept up after like a worker
        drawn = settings.private / owner / "sheet.png"
        drawn.parent.mkdir(mode=0o700)
        write_image(drawn, pixels)
        gate = GateRecord.of(outcome.decisions, outcome.posture)
        signer = assemble.signer(settings)
        if not gate.objections() and read(video, signer.trust).state is State.TRUSTED:
            signer.release(drawn, destination, derived_origin(video), gate, digests_of(drawn))
        else:
            write_image(destination, pixels)


def refuse_worst(outcome: Outcome, settings: Settings) -> None:
    """Law 7: a hit on the minors category, or on a bank marked so, makes no picture anywhere."""
    if is_worst(outcome, settings):
        raise NoPicture("no picture is made of material found under sexual/minors or in a bank of worst material")


def draw(video: Path, outcome: Outcome) -> NDArray[np.uint8]:
    """The sheet as pixels (H, W, 3)."""
    cells, end_s = _cells(video, outcome)
    width = COLUMNS * CELL + (COLUMNS + 1) * GAP
    cell_height = round(CELL * cells[0][1].shape[0] / cells[0][1].shape[1]) if cells else CELL
    height = TITLE + ROWS * (cell_height + GAP) + GAP + STRIP + 2 * GAP + 20
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    _title(pen, video.name, outcome)
    for number, (seconds, pixels) in enumerate(cells):
        x = GAP + number % COLUMNS * (CELL + GAP)
        y = TITLE + number // COLUMNS * (cell_height + GAP)
        cell = Image.fromarray(pixels).resize((CELL, cell_height), Image.Resampling.LANCZOS)
        hit = any(s.start_s <= seconds < s.end_s for s, action in _segments(outcome) if action > Action.ALLOW)
        sheet.paste(cell.filter(ImageFilter.GaussianBlur(BLUR)) if hit else cell, (x, y))
        pen.text((x + 6, y + cell_height - 20), f"{seconds:.2f} s", "white", _font(13), stroke_width=2, stroke_fill=INK)
    top = TITLE + ROWS * (cell_height + GAP)
    _strip(pen, (GAP, top, width - GAP, top + STRIP), outcome, end_s)
    return np.asarray(sheet)


def _cells(video: Path, outcome: Outcome) -> tuple[list[tuple[float, NDArray[np.uint8]]], float]:
    """Frames spread evenly over the video, with the peak of each segment among them; and where the video ends."""
    total = outcome.frames.total if outcome.frames else 0
    peaks = sorted({segment.peak_frame for decision in outcome.decisions for segment in decision.segments})
    spread = np.linspace(0, max(total - 1, 0), COLUMNS * ROWS).round().astype(int).tolist()
    for peak in peaks[: COLUMNS * ROWS]:
        spread[int(np.argmin([abs(peak - index) for index in spread]))] = peak
    wanted, cells, end_s = set(spread), [], 0.0
    for frame in probe(video).frames():
        if not isinstance(frame, Frame):
            continue
        end_s = frame.pts
        if frame.index in wanted:
            cells.append((frame.pts, frame.pixels.copy()))
    return cells, end_s


def _title(pen: ImageDraw.ImageDraw, name: str, outcome: Outcome) -> None:
    action = outcome.action
    pen.rounded_rectangle((GAP, 12, GAP + 92, 44), 6, fill=COLOURS[action])
    pen.text((GAP + 46, 28), action.word.upper(), "white", _font(16), anchor="mm")
    pen.text((GAP + 106, 10), name, INK, _font(18))
    policy = outcome.decisions[0].policy if outcome.decisions else {"id": "?", "version": "?", "digest": ""}
    frames = outcome.frames
    seen = f"{frames.scored + frames.covered} of {frames.total} frames looked at" if frames else "no frames"
    words = f"policy {policy['id']}@{policy['version']} {policy['digest'][:12]}   {seen}"
    pen.text((GAP + 106, 34), words, FAINT, _font(13))


def _strip(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], outcome: Outcome, end_s: float) -> None:
    """Green where nothing was found; each segment in the colour of the gravest action about it."""
    x0, y0, x1, y1 = box
    pen.rectangle(box, fill=COLOURS[Action.ALLOW])
    words = []
    for segment, action in sorted(_segments(outcome), key=lambda found: found[1]):
        left = x0 + (x1 - x0) * segment.start_s / max(end_s, 1e-6)
        right = x0 + (x1 - x0) * min(segment.end_s / max(end_s, 1e-6), 1.0)
        pen.rectangle((left, y0, max(right, left + 2), y1), fill=COLOURS[action])
        words.append(f"{segment.category} {segment.start_s:.2f}-{segment.end_s:.2f} s")
    pen.text((x0, y1 + 4), "   ".join(dict.fromkeys(reversed(words))) or "nothing found", INK, _font(13))


def _segments(outcome: Outcome) -> list[tuple[Segment, Action]]:
    found = []
    for decision in outcome.decisions:
        for segment in decision.segments:
            actions = [r.action for r in decision.reasons if r.category == segment.category and r.value is not None]
            found.append((segment, max(actions, default=Action.ALLOW)))
    return found


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
