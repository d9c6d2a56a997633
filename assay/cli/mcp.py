"""`assay mcp`: the gate as tools of a chat assistant, over standard input and output."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import click

from assay.cli.common import err, policy_option, settings
from assay.errors import ExitCode
from assay.leftovers import sweep
from media import UsageError


@click.command()
@click.option(
    "--files", "readable", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path("."),
    metavar="DIR", show_default=True, help="The assistant may read files below this folder, and no others.",
)  # fmt: skip
@click.option(
    "--out", "made", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Where generated videos go.  [default: mcp, in Assay's home]",
)  # fmt: skip
@click.option("--backend", metavar="B", help="embedded, procedural, diffusers, videos-api, or module:factory.")
@policy_option
def command(readable: Path, made: Path | None, **options: Any) -> int:
    """Serve generate, check_prompt, scan, verify and detect to a chat assistant (Model Context Protocol, stdio)."""
    if importlib.util.find_spec("mcp") is None:
        raise UsageError("assay mcp needs the Model Context Protocol: pip install 'assay-video[mcp]'")
    from assay.mcp import Gate, server

    chosen = settings(policy=options["policy"], backend=options["backend"])
    sweep(chosen)
    gate = Gate(chosen, readable, made or chosen.home / "mcp")
    err.print(f"assay mcp: policy {chosen.policy}; reads below {readable.resolve()}", markup=False)
    try:
        server(gate).run("stdio")
    finally:
        gate.close()
    return ExitCode.OK
