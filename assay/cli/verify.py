"""`assay verify`: what the Content Credentials of a file say, and whether they hold. Never any network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from assay.cli.common import json_line, json_option, out, settings
from assay.errors import ExitCode

EXIT_BY_STATE = {
    "trusted": ExitCode.OK,
    "valid": ExitCode.REVIEW,
    "absent": ExitCode.REVIEW,
    "invalid": ExitCode.REFUSED,
    "unreadable": ExitCode.UNDECIDED,
    "remote": ExitCode.UNDECIDED,
}
COLOURS = {"trusted": "green", "valid": "yellow", "absent": "yellow", "invalid": "red"}


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH ...")
@json_option
def command(paths: tuple[Path, ...], as_json: bool) -> int:
    """Read the Content Credentials of files."""
    from assay.assemble import trust
    from provenance import read

    anchors = trust(settings())
    codes = []
    for path in paths:
        credentials = read(path, anchors)
        row = {"path": str(path), **credentials.to_json()}
        codes.append(EXIT_BY_STATE[row["state"]])
        if as_json:
            json_line(row)
        else:
            _tell(row)
    return codes[0] if len(codes) == 1 else ExitCode.OK


def _tell(row: dict[str, Any]) -> None:
    out.print(f"{row['state'].upper()}", style=f"bold {COLOURS.get(row['state'], 'red')}", end="  ")
    out.print(row["path"], markup=False)
    lines = []
    if row["signer"]:
        lines.append(
            f"signed by {_signer_words(row['signer'])}" + (f" at {row['timestamp']}" if row["timestamp"] else "")
        )
    if row["decision"]:
        lines += _decision_words(row["decision"])
    lines += [f"ingredient: {one.get('title')} ({one.get('state')})" for one in row["ingredients"]]
    if row["trailing_boxes"]:
        lines.append(f"unprotected bytes at the end: {row['trailing_boxes']}")
    if row["state"] != "trusted" and row["codes"]:
        lines.append("codes: " + ", ".join(row["codes"]))
    for line in lines:
        out.print(f"  {line}", markup=False)


def _signer_words(signer: Any) -> str:
    return signer if isinstance(signer, str) else str(signer.get("common_name") or signer)


def _decision_words(decision: dict[str, Any]) -> list[str]:
    policy = decision.get("policy", {})
    lines = [f"policy {policy.get('id')}@{policy.get('version')} {policy.get('digest')}"]
    lines += [f"decision {one['id']}: {one['action']} at {one['stage']}" for one in decision.get("decisions", [])]
    for entry in decision.get("posture", []):
        looked = f"{entry['items']} items, {entry['failed']} failed"
        lines.append(f"looked at {entry['stage']}: {entry['model']}@{entry['version']} ({looked})")
    return lines
