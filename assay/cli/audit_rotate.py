"""`assay audit rotate`."""

from __future__ import annotations

import click

from assay.cli.common import out, settings


@click.command()
def command() -> None:
    """Sign checkpoints with a new key from here on.

    The old key's last act is to seal the entry that names the new one, so whoever trusts the old public key can trust
    the new one. Where the old key is lost nobody can vouch for the new one: give its public half to auditors yourself.
    """
    from assay.auditing.sealing import rotate
    from assay.ledger import Ledger

    chosen = settings()
    public = rotate(Ledger(chosen.ledger), chosen.audit)
    out.print(f"checkpoints are signed with {public} from here on", markup=False)
    out.print(f"the retired key and every public key are in {chosen.audit}", markup=False)
