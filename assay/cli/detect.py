"""`assay detect`: what independent evidence says about where a file comes from. It never says "real"."""

from __future__ import annotations

from pathlib import Path

import click

from assay.cli.common import err, json_line, json_option, out, settings
from assay.errors import ExitCode


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH ...")
@json_option
def command(paths: tuple[Path, ...], as_json: bool) -> int:
    """Say whether files prove to be synthetic. Today by their manifest alone; no pixel is judged."""
    from assay.assemble import trust
    from assay.detect import detect

    anchors = trust(settings())
    rows = [detect(path, anchors) for path in paths]
    for row in rows:
        if as_json:
            json_line(row)
        elif row["error"] is not None:
            err.print(f"assay: {row['path']}: {row['error']['message']}", markup=False)
        else:
            manifest = row["signals"]["manifest"]
            out.print(f"{row['answer'].upper()}  {row['path']}  (manifest {manifest['state']})", markup=False)
    return ExitCode.UNDECIDED if len(rows) == 1 and rows[0]["error"] is not None else ExitCode.OK
