"""`assay audit`: the chain of what was decided. Each subcommand is a module of its own, `audit_<name>`."""

from __future__ import annotations

from typing import ClassVar

import click

from assay.cli.main import Commands

# name -> (module, what the command does in one line)
COMMANDS = {
    "verify": ("audit_verify", "Prove the whole chain; find what was changed, removed, reordered or cut off."),
    "prove": ("audit_prove", "Prove that one entry stands in it, to whoever has the public key."),
    "export": ("audit_export", "Write the chain, the last checkpoint or the public key for an auditor."),
    "seal": ("audit_seal", "Seal and sign what waits; a running server does it by itself."),
    "rotate": ("audit_rotate", "Sign with a new key from here on."),
    "sample": ("audit_sample", "Draw a stratified sample of a run, and write a sheet to label it."),
    "measure": ("audit_measure", "Precision, recall and agreement from labels, with intervals."),
    "statement": ("audit_statement", "Export the statement of reasons of a decision (Digital Services Act)."),
}


class AuditCommands(Commands):
    """Found by `COMMANDS`."""

    table: ClassVar = COMMANDS


@click.group(cls=AuditCommands)
def command() -> None:
    """The audit chain, and what people find of what was decided."""
