"""`assay scan`: every frame of existing videos, one row a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay import banking
from assay.cli.common import EXIT_BY_ACTION, err, json_line, json_option, out, policy_option, progress, settings, tell
from assay.errors import ExitCode
from assay.leftovers import sweep
from assay.outcome import Outcome
from assay.request import ScanRequest
from assay.rows import failed_scan_row, scan_row
from assay.worker import Failure, Worker, exit_code_of
from media import AssayError, UsageError

if TYPE_CHECKING:
    from assay.report.page import Report
    from assay.settings import Settings

VIDEO_SUFFIXES = tuple(".mp4 .m4v .mov .webm .mkv .avi .gif .ts .mpg .mpeg .wmv .flv .3gp .ogv".split())  # noqa: SIM905
SEVERITY = {"allow": 0, "review": 1, "failed": 2, "block": 3}


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH ...")
@policy_option
@json_option
@click.option("--out", "rows_path", type=click.Path(path_type=Path), metavar="results.jsonl", help="Write rows there.")
@click.option("--require-complete", is_flag=True, help="A category that nobody could evaluate asks for review.")
@click.option(
    "--strip", type=click.Path(path_type=Path), metavar="strip.png", help="Draw the decision strip (one file)."
)
@click.option(
    "--report", "report_path", type=click.Path(path_type=Path), metavar="report.html", help="Write a page for people."
)
@click.option(
    "--sign-passed", type=click.Path(path_type=Path), metavar="DIR", help="Sign a copy of each file that passed."
)
@click.option("--quarantine", is_flag=True, help="Seal a copy of a file that holds the worst material.")
@click.option("--fail-on", type=click.Choice(["block", "review", "failed"]), help="Exit code over many files.")
def command(paths: tuple[Path, ...], policy: str | None, as_json: bool, **options: Any) -> int:
    """Look at every frame of existing videos."""
    chosen = settings(policy=policy)
    files = list(_files(paths))
    rows_path: Path | None = options["rows_path"]
    if options["strip"] is not None and len(files) != 1:
        raise UsageError(f"--strip draws one file; {len(files)} were given")
    if rows_path is not None and rows_path.suffix != ".jsonl":
        raise UsageError(f"--out {rows_path}: rows are written as JSON lines; write a name that ends in .jsonl")
    sweep(chosen)
    codes, outcomes = [], []
    report = _report(options["report_path"], chosen, len(files))
    rows_file = rows_path.open("w", encoding="utf-8") if rows_path else None
    try:
        with Worker(chosen) as worker:
            for path in files:
                signed_copy = options["sign_passed"] and _copy_path(path, options["sign_passed"])
                request = ScanRequest(path, options["require_complete"], signed_copy, options["quarantine"])
                row, code, outcome = scan_one(worker, request, shown=not as_json)
                codes.append((row["action"] or "failed", code))
                outcomes.append(outcome)
                _write(row, as_json, rows_file)
                if report is not None:
                    _report_file(report, row, outcome, worker)
    finally:
        if rows_file is not None:
            rows_file.close()
    if report is not None:
        report.publish()
        err.print(f"wrote {options['report_path']}", markup=False)
    if options["strip"] is not None and outcomes[0] is not None:
        _draw(files[0], outcomes[0], options["strip"], chosen)
    return _exit_code(codes, options["fail_on"])


def scan_one(worker: Worker, request: ScanRequest, shown: bool) -> tuple[dict[str, Any], ExitCode, Outcome | None]:
    """The row of one file, its exit code, and its outcome; None where no decision was reached."""
    try:
        with progress(shown) as listener:
            outcome: Outcome = worker.call("scan", request, listener)
    except AssayError as error:
        policy = banking.policy(worker.settings).ref
        return failed_scan_row(str(request.path), policy, Failure.of(error).to_json()), exit_code_of(error), None
    row = scan_row(str(request.path), outcome)
    return row, EXIT_BY_ACTION[row["action"]], outcome


def _write(row: dict[str, Any], as_json: bool, rows_file: Any) -> None:
    import json

    if rows_file is not None:
        rows_file.write(json.dumps(row) + "\n")
    if as_json:
        json_line(row)
    elif row["error"] is not None:
        err.print(f"assay: {row['path']}: {row['error']['message']}", markup=False)
    else:
        tell(row["path"], row["action"], row["reasons"], row["policy"])
        frames = row["frames"]
        out.print("  frames: " + ", ".join(f"{count} {name}" for name, count in frames.items()), markup=False)
        for sealed in row["quarantined"]:
            out.print(f"  sealed in quarantine: {sealed}", markup=False)
        if row["not_evaluated"]:
            out.print("  not evaluated: " + ", ".join(row["not_evaluated"]), markup=False)


def _report(path: Path | None, chosen: Settings, files: int) -> Report | None:
    """The page to fill; what is wrong with its name is said before anything is scanned."""
    if path is None:
        return None
    from assay.report.page import Report

    return Report(path, banking.policy(chosen), files)


def _report_file(report: Report, row: dict[str, Any], outcome: Outcome | None, worker: Worker) -> None:
    from assay.report.reporting import report_file

    report_file(report, row, outcome, worker.settings, lambda wanted: worker.call("thumbnails", wanted))


def _files(paths: tuple[Path, ...]) -> Iterator[Path]:
    """The files that were named, and the videos in the folders that were named."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(file for file in path.rglob("*") if file.is_file())
        videos = [file for file in inside if file.suffix.lower() in VIDEO_SUFFIXES]
        for other in sorted(set(inside) - set(videos)):
            err.print(f"skipped {other}: its name does not end as a video's does; name it to scan it all the same")
        yield from videos


def _copy_path(path: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.absolute() / path.name


def _exit_code(codes: list[tuple[str, ExitCode]], fail_on: str | None) -> ExitCode:
    """One file: by its action. Many: 0, since every file got its row, unless --fail-on asks otherwise."""
    if fail_on is not None:
        grave = [code for action, code in codes if SEVERITY[action] >= SEVERITY[fail_on] or action == fail_on]
        return max(grave, default=ExitCode.OK)
    return codes[0][1] if len(codes) == 1 else ExitCode.OK


def _draw(path: Path, outcome: Outcome, strip: Path, chosen: Any) -> None:
    from assay.report.sheet import publish_sheet

    publish_sheet(path, outcome, strip.absolute(), chosen)
    err.print(f"drew {strip}", markup=False)
