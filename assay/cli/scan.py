"""`assay scan`: every frame of existing videos, one row a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
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
    from assay.batch.display import Display
    from assay.batch.output import Sink
    from assay.batch.plan import Plan
    from assay.batch.run import AnyEngine, Batch
    from assay.batch.store import Stored
    from assay.report.page import Report
    from assay.report.run import RunReport
    from assay.settings import Settings

SEVERITY = {"allow": 0, "review": 1, "failed": 2, "block": 3}
RIDERS = ("provenance", "detect")
MOST_WORKERS = 8  # by default: each holds its own copy of every model


@click.command()
@click.argument("paths", nargs=-1, metavar="PATH ...")
@click.option(
    "--from", "wanted", metavar="LIST", help="A CSV, JSONL, Parquet or text list of files and URLs; - is stdin."
)
@policy_option
@json_option
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Rows: .jsonl, .csv, .parquet, or a folder."
)
@click.option("--with", "riders", metavar="A,B", help="What rides along in each row: provenance, detect.")
@click.option("--workers", type=click.IntRange(1, 256), metavar="N", help="Processes; each loads the models once.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True)
@click.option("--address", default="auto", show_default=True, help="Of the Ray cluster, for --engine ray.")
@click.option("--gpus", type=click.FloatRange(0, 8), default=0.0, help="Of each Ray actor; a fraction shares one.")
@click.option("--resume", is_flag=True, help="Go on with the newest run that was asked the same.")
@click.option("--shard", metavar="i/n", help="Only the i-th of n parts, by a hash of the name.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N files.")
@click.option("--since", metavar="T", help="Files changed since then: 2026-11-22, 2026-11-22T20:00, 36h, 7d.")
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
def command(paths: tuple[str, ...], policy: str | None, as_json: bool, **options: Any) -> int:
    """Look at every frame of existing videos.

    PATH is a file, a folder, a pattern, a URL (s3://, gs://, https://, ...), a list of these, or - for a list on stdin.
    """
    from assay.batch.run import opened

    chosen = settings(policy=policy)
    plan = _plan(paths, options, chosen.home)
    strip, out_path = options["strip"], options["out"]
    number = _number(plan, 1 if strip is None else 2)  # a name that means nothing is said before a model is loaded
    if strip is not None and number != 1:
        raise UsageError(f"--strip draws one file; {'none was' if number == 0 else 'several were'} given")
    sweep(chosen)
    rows = _Rows(as_json, options["fail_on"], _report(options["report_path"], chosen, plan))
    rows.sink = _sink(out_path, options["resume"])
    whole = False
    try:
        with opened(chosen, _engine(chosen, options)) as batch, _display(plan, batch) as rows.display:
            batch.scan(plan, options["resume"], rows.told, rows.tick)
            whole = True
            rows.finish(batch, options["report_path"], strip)
    finally:
        if rows.sink is not None:
            rows.sink.close(whole)
    return rows.exit_code()


def _plan(paths: tuple[str, ...], options: dict[str, Any], home: Path) -> Plan:
    from assay.batch.plan import Plan, moment, shard_of
    from assay.batch.sources import Choice
    from assay.batch.work import Wish

    if not paths and options["wanted"] is None:
        raise UsageError("name what to scan: files, folders, patterns, URLs, or --from LIST")
    riders = tuple(word for word in (options["riders"] or "").split(",") if word)
    if unknown := set(riders) - set(RIDERS):
        raise UsageError(f"--with {','.join(sorted(unknown))}: what can ride along is {' and '.join(RIDERS)}")
    since, folder = options["since"], options["sign_passed"]
    choice = Choice(
        shard_of(options["shard"]) if options["shard"] else (1, 1),
        moment(since) if since else None,
        options["limit"],
        tuple(each for each in (folder, options["out"], home) if each is not None),
    )
    wish = Wish(options["require_complete"], options["quarantine"], riders)
    return Plan(paths, options["wanted"], choice, since, wish, folder)


def _engine(chosen: Settings, options: dict[str, Any]) -> Callable[[Path], AnyEngine]:
    workers = options["workers"] or min(MOST_WORKERS, len(os.sched_getaffinity(0)))
    if options["engine"] == "local":
        from assay.batch.run import local

        return local(chosen, workers)
    if options["sign_passed"] is not None or options["quarantine"]:
        raise UsageError("--sign-passed and --quarantine write beside this machine's keys; use --engine local for them")
    from assay.batch.ray_engine import RayEngine

    return partial(RayEngine, chosen, options["address"], options["workers"], options["gpus"])


def _sink(path: Path | None, resumed: bool) -> Sink | None:
    if path is None:
        return None
    from assay.batch.output import sink

    return sink(path, resumed)


def _number(plan: Plan, most: int) -> int:
    """How many files the plan names, counted up to `most` or a few more. A list on stdin can be read only once."""
    if "-" in (*plan.names, plan.wanted):
        return most
    return sum(1 for _ in islice((one for one in plan.sources() if one.error is None), most))


def _display(plan: Plan, batch: Batch) -> Display:
    from assay.batch.display import Display

    stdin = "-" in (*plan.names, plan.wanted)
    return Display(err, None if stdin else lambda: sum(1 for _ in plan.sources()))


@dataclass
class _Rows:
    """What becomes of the rows: told, written, drawn into the report, counted for the exit code."""

    as_json: bool
    fail_on: str | None
    report: Report | RunReport | None
    sink: Sink | None = None
    display: Display | None = None
    number: int = 0
    first: ExitCode = ExitCode.OK
    gravest: ExitCode = ExitCode.OK
    uris: list[str] = field(default_factory=list)  # of the report's pages, or of the one strip

    def told(self, batch: Batch, one: Stored) -> None:
        """The next row."""
        row = one.row
        self.number += 1
        self.first = one.exit_code if self.number == 1 else self.first
        word = row["action"] or ("skipped" if row["error"]["type"] == "Skipped" else "failed")
        if self.fail_on is not None and (word == self.fail_on or SEVERITY.get(word, -1) >= SEVERITY[self.fail_on]):
            self.gravest = max(self.gravest, one.exit_code)
        if self.sink is not None:
            self.sink.write(row)
        if self.report is not None or self.number == 1:
            self.uris.append(row["path"])
        if self.as_json:
            json_line(row)
        elif self.display is not None:
            with self.display.aside():
                _tell(row)

    def tick(self, batch: Batch) -> None:
        """How the run stands."""
        if self.display is not None and batch.counts is not None:
            self.display.draw(batch.counts, sum(list(batch.engine.frames_under_way.values())))

    def finish(self, batch: Batch, report_path: Path | None, strip: Path | None) -> None:
        """What is drawn when every row is there, and how the run ended."""
        if self.report is not None:
            for uri in self.uris:
                row = batch.store.rows(batch.id, [uri])[uri].row
                outcome = batch.store.outcome(batch.id, uri) if self.report.wants(row) else None
                _report_file(self.report, row, outcome, batch)
            self.report.publish()
            err.print(f"wrote {report_path}", markup=False)
        if strip is not None and self.uris:
            outcome = batch.store.outcome(batch.id, self.uris[0])
            if outcome is not None:
                _draw(Path(self.uris[0]), outcome, strip, batch.settings)
        if self.number != 1:
            words = ", ".join(f"{count} {word}" for word, count in sorted(batch.store.count(batch.id).items()))
            err.print(
                f"run {batch.id}: {self.number} files" + (f": {words}" if words else ""), markup=False, soft_wrap=True
            )

    def exit_code(self) -> ExitCode:
        """One file: by its action. Many: 0, since every file got its row, unless --fail-on asks otherwise."""
        if self.fail_on is not None:
            return self.gravest
        return self.first if self.number == 1 else ExitCode.OK


def scan_one(worker: Worker, request: ScanRequest, shown: bool) -> tuple[dict[str, Any], ExitCode, Outcome | None]:
    """The row of one file, its exit code, and its outcome; None where no decision was reached. For `assay sign`."""
    try:
        with progress(shown) as listener:
            outcome: Outcome = worker.call("scan", request, listener)
    except AssayError as error:
        policy = banking.policy(worker.settings).ref
        return failed_scan_row(str(request.path), policy, Failure.of(error).to_json()), exit_code_of(error), None
    row = scan_row(str(request.path), outcome)
    return row, EXIT_BY_ACTION[row["action"]], outcome


def _tell(row: dict[str, Any]) -> None:
    if row["error"] is not None:
        word = "skipped" if row["error"]["type"] == "Skipped" else "assay:"
        message = row["error"]["message"]
        words = message if message.startswith(row["path"]) else f"{row['path']}: {message}"
        err.print(f"{word} {words}", markup=False, soft_wrap=True)
        return
    tell(row["path"], row["action"], row["reasons"], row["policy"])
    frames = row["frames"]
    out.print("  frames: " + ", ".join(f"{count} {name}" for name, count in frames.items()), markup=False)
    for sealed in row["quarantined"]:
        out.print(f"  sealed in quarantine: {sealed}", markup=False)
    if row["not_evaluated"]:
        out.print("  not evaluated: " + ", ".join(row["not_evaluated"]), markup=False)


def _report(path: Path | None, chosen: Settings, plan: Plan) -> Report | RunReport | None:
    """The page to fill; what is wrong with its name is said before anything is scanned."""
    if path is None:
        return None
    from assay.report.reporting import new_report

    return new_report(path, banking.policy(chosen), _number(plan, 1000))


def _report_file(report: Report | RunReport, row: dict[str, Any], outcome: Outcome | None, batch: Batch) -> None:
    from assay.report.reporting import report_file

    report_file(report, row, outcome, batch.settings, lambda wanted: batch.engine.call("thumbnails", wanted))


def _draw(path: Path, outcome: Outcome, strip: Path, chosen: Any) -> None:
    from assay.report.sheet import publish_sheet

    publish_sheet(path, outcome, strip.absolute(), chosen)
    err.print(f"drew {strip}", markup=False)
