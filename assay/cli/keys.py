"""`assay keys`: the signing identity."""

from __future__ import annotations

import click

from assay.cli.common import out, settings


@click.group()
def command() -> None:
    """Make and show signing keys."""


@command.command()
def init() -> None:
    """Make the development certificate chain, if there is none yet."""
    _show()


@command.command()
def show() -> None:
    """Show who signs, and until when."""
    _show()


def _show() -> None:
    from assay.assemble import signing_identity

    chosen = settings()
    identity = signing_identity(chosen)
    out.print(f"signs as {identity.common_name} ({identity.alg}), until {identity.not_after:%Y-%m-%d}", markup=False)
    if chosen.certificate_chain is None:
        out.print(f"development chain in {chosen.keys}; only this installation trusts its root", markup=False)
