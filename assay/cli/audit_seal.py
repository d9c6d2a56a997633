"""`assay audit seal`."""

from __future__ import annotations

import click

from assay.cli.common import json_line, json_option, out, settings


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Seal and sign what waits. A running server does it every few seconds."""
    from assay.auditing.sealing import seal
    from assay.ledger import Ledger

    chosen = settings()
    for point in seal(Ledger(chosen.ledger), chosen.audit):
        if as_json:
            json_line(point.to_json())
        else:
            out.print(f"sealed batch {point.number}: {point.count} entries, head {point.head}", markup=False)
