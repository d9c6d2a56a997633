"""`assay sign`: an existing video is scanned, and a copy that passed is signed with its decision."""

from __future__ import annotations

from pathlib import Path

import click

from assay.cli.common import EXIT_BY_ACTION, err, json_line, json_option, out, policy_option, progress, settings, tell
from assay.leftovers import sweep
from assay.outcome import Outcome
from assay.request import ScanRequest
from assay.rows import failed_scan_row, scan_row
from assay.worker import Failure, Worker, exit_code_of
from media import AssayError
from safety import Policy


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-o", "destination", type=click.Path(path_type=Path), required=True, metavar="OUT")
@policy_option
@json_option
def command(path: Path, destination: Path, policy: str | None, as_json: bool) -> int:
    """Scan an existing video and sign a copy that passed."""
    chosen = settings(policy=policy)
    sweep(chosen)
    request = ScanRequest(path, require_complete=True, signed_copy=destination.absolute())
    try:
        with Worker(chosen) as worker, progress(not as_json) as listener:
            outcome: Outcome = worker.call("scan", request, listener)
    except AssayError as error:
        if as_json:
            json_line(failed_scan_row(str(path), Policy.load(chosen.policy).ref, Failure.of(error).to_json()))
        err.print(f"assay: {path}: {error}", markup=False)
        return exit_code_of(error)
    row = scan_row(str(path), outcome)
    if as_json:
        json_line(row)
    else:
        tell(str(path), row["action"], row["reasons"], row["policy"])
        if outcome.asset is not None:
            out.print(f"  signed {outcome.asset.path} ({outcome.asset.manifest_state})", markup=False)
    return EXIT_BY_ACTION[row["action"]]
