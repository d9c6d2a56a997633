"""`assay sign`: an existing video is scanned, and a copy that passed is signed with its decision."""

from __future__ import annotations

from pathlib import Path

import click

from assay.cli.common import err, json_line, json_option, out, policy_option, settings, tell
from assay.cli.scan import scan_one
from assay.leftovers import sweep
from assay.request import ScanRequest
from assay.worker import Worker


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
    with Worker(chosen) as worker:
        row, code, outcome = scan_one(worker, request, shown=not as_json)
    if as_json:
        json_line(row)
    if outcome is None:
        err.print(f"assay: {path}: {row['error']['message']}", markup=False)
    elif not as_json:
        tell(str(path), row["action"], row["reasons"], row["policy"])
        if outcome.asset is not None:
            out.print(f"  signed {outcome.asset.path} ({outcome.asset.manifest_state})", markup=False)
    return code
