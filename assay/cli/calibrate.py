"""`assay calibrate`: a deployment's own real footage sets the threshold that `assay detect` then uses and cites."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.cli.common import err, json_line, json_option, out, progress, settings
from assay.errors import ExitCode
from media import MediaError, UsageError, Video, sync_folder

if TYPE_CHECKING:
    from assay.settings import Settings
    from classifier import Calibration

_SHOWN = 5  # files that could not be read


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR")
@click.option("--fpr", required=True, type=float, metavar="F", help="Share of real clips that may be flagged: 0.01.")
@click.option("--detector", default="embedded", metavar="NAME", help="embedded, d3, restrav, stall or module:factory.")
@json_option
def command(folder: Path, fpr: float, detector: str, as_json: bool) -> int:
    """Set the threshold of a detector by real footage of your own.

    Each folder inside DIR is one source: a camera, an uploader, a feed. All files that lie in DIR itself count as one
    source, because a thousand clips of one camera say no more about the next camera than one does. A rate that the
    sources do not support is refused.
    """
    chosen = settings()
    clips, unread = footage(folder)
    if not clips:
        raise UsageError(f"{folder}: holds no video that can be read here")
    made = _calibrated(detector, chosen, clips, fpr, shown=not as_json)
    from assay.eyes import calibration_path

    path = calibration_path(detector, chosen)
    _write(path, made)
    row = {"path": str(path), "digest": made.digest, **made.to_json(), "unread": unread}
    row.pop("statistics")
    if as_json:
        json_line(row)
    else:
        _tell(row)
    return ExitCode.OK


def footage(folder: Path) -> tuple[dict[str, list[Video]], list[str]]:
    """The videos by source, and the files that are none."""
    from media import probe

    clips: dict[str, list[Video]] = {}
    unread = []
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        inside = path.relative_to(folder)
        try:
            video = probe(path)
        except MediaError:
            unread.append(str(inside))
            continue
        if video.rate is None:  # a picture
            unread.append(str(inside))
            continue
        clips.setdefault(inside.parts[0] if len(inside.parts) > 1 else ".", []).append(video)
    return clips, unread


def _calibrated(
    name: str, chosen: Settings, clips: Mapping[str, Sequence[Video]], fpr: float, shown: bool
) -> Calibration:
    from assay.eyes import SCORES, bare_score, detector
    from classifier import calibrate, ensure_supported

    ensure_supported(len(clips), fpr)  # before anybody waits for hours
    total, done = sum(len(some) for some in clips.values()), 0
    with progress(shown) as listener:

        def told() -> None:
            nonlocal done
            done += 1
            if listener is not None:
                listener("looking at clips", done, total)

        if name in SCORES:
            return bare_score(name, chosen).calibrate(clips, fpr, told)
        return calibrate(detector(name, chosen), clips, fpr, told)


def _write(path: Path, made: Calibration) -> None:
    """Whole or not at all: a run that is killed leaves the older threshold in force."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            json.dump(made.to_json(), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); look at the folder and free space") from error
    finally:
        partial.unlink(missing_ok=True)


def _tell(row: dict[str, Any]) -> None:
    out.print(f"threshold {row['threshold']:.4f} of {row['detector']}", markup=False)
    lines = [
        f"{row['fpr']:.2%} of a new source's clips are flagged at most, in expectation, "
        f"by {row['sources']} sources with {row['clips']} clips",
        f"these sources support {row['least_fpr']:.2%} and no less",
    ]
    if held := row["held_out"]:
        lines.append(
            f"each source judged by the others' threshold: {held['share']:.2%} flagged "
            f"(95 % interval by source {held['low']:.2%} to {held['high']:.2%})"
        )
    else:
        lines.append("too few sources to judge each by the others' threshold")
    if row["undecided"]:
        lines.append(f"{row['undecided']} clips without an answer; they count as not flagged")
    lines.append(f"written to {row['path']}, which `assay detect` now uses and cites")
    for line in lines:
        out.print(f"  {line}", markup=False)
    for name in row["unread"][:_SHOWN]:
        err.print(f"no video: {name}", markup=False)
    if len(row["unread"]) > _SHOWN:
        err.print(f"and {len(row['unread']) - _SHOWN} more that are none", markup=False)
