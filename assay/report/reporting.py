"""From a scanned file to its part of the report: pictures by the worker, and none of the worst material."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.banking import is_worst
from assay.outcome import Outcome
from assay.report.article import Reported, peaks
from assay.report.page import Report
from assay.report.run import MANY, RunReport
from assay.report.thumbs import Thumbs
from assay.settings import Settings
from media import AssayError
from safety import Policy

WORST = "No picture is shown: this is material of which no picture may be made. The item belongs into the quarantine."


def new_report(destination: Path, policy: Policy, files: int) -> Report | RunReport:
    """The page to fill: of a few files without any script, of many one that is drawn page by page."""
    return Report(destination, policy, files) if files < MANY else RunReport(destination, policy, files)


def report_file(
    report: Report | RunReport, row: dict[str, Any], outcome: Outcome | None, settings: Settings,
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
    if report.pictures == 0:
        report.add(Reported(row, outcome, no_pictures="This page holds as many pictures as it may."))
        return
    wanted = peaks(outcome, report.pictures) or ([total // 2] if total else [])
    try:
        made, why = pictures(Thumbs(Path(row["path"]), outcome.sha256, wanted)), None
    except AssayError as error:
        made, why = {}, f"The pictures could not be made: {error}"
    report.add(Reported(row, outcome, made, why))
