"""`assay ledger`: the database that everything is kept in."""

from __future__ import annotations

import click

from assay.cli.common import json_line, json_option, out, settings
from assay.errors import ExitCode


@click.group()
def command() -> None:
    """Look after the database: its schema version, and bringing it up to date."""


@command.command()
@json_option
def upgrade(as_json: bool) -> int:
    """Bring the ledger to this version's schema; stop servers and workers first."""
    from assay.upgrading import upgrade as upgrade_ledger

    before, after = upgrade_ledger(settings().ledger)
    if as_json:
        json_line({"before": before or None, "after": after})
    else:
        out.print(f"the ledger has schema {after}" + ("" if before == after else f" (was {before or 'without'})"))
    return ExitCode.OK
