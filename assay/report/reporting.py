"""From a scanned file to its part of the report: pictures by the worker, and none of the worst material."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.banking import is_worst
from assay.outcome import Outcome
from assay.report.article import Reported, peaks
from assay.report.page import Report
from assay.report.thumbs import Thumbs
from assay.settings import Settings
from media import AssayError

WORST = "No picture is shown: this is material of which no picture may be made. The item belongs into the quarantine."


def report_file(
    report: Report, row: dict[str, Any], outcome: Outcome | None, settings: Settings,
    pictures: Callable[[Thumbs], dict[int, bytes]],
) -> None:  # fmt: skip
    """Adds one file; pictures: makes thumbnails, in a process of its own. A picture that fails is said, and no more."""
    if outcome is None or outcome.sha256 is None:
        report.add(Reported(row, outcome))
        return
    if is_worst(outcome, settings):
        report.add(Reported(row, outcome, no_pictures=WORST))
        return
    total = outcome.frames.total if outcome.frames else 0
    wanted = peaks(outcome, report.pictures) or ([total // 2] if total else [])
    try:
        made, why = pictures(Thumbs(Path(row["path"]), outcome.sha256, wanted)), None
    except AssayError as error:
        made, why = {}, f"The pictures could not be made: {error}"
    report.add(Reported(row, outcome, made, why))
