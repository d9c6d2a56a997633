"""`assay worker`: works on the jobs that a server takes in."""

from __future__ import annotations

import click

from assay.cli.common import err, policy_option, settings
from assay.errors import ExitCode


@click.command()
@click.option("--hands", type=click.IntRange(1, 64), default=1, show_default=True, help="Jobs at a time.")
@click.option("--backend", metavar="B", help="embedded, procedural, diffusers, videos-api, or module:factory.")
@policy_option
def command(hands: int, backend: str | None, policy: str | None) -> int:
    """Work on queued jobs until told to stop; any number may run, on machines that share home and ledger."""
    from assay.jobs.runner import main

    chosen = settings(policy=policy, backend=backend)
    err.print(f"assay: {hands} hands, policy {chosen.policy}, back-end {chosen.backend}", markup=False)
    main(chosen, hands, child=False)
    return ExitCode.OK
