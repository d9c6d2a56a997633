"""`assay verify`: what the Content Credentials of a file say, and whether they hold. Never any network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from assay.cli.common import json_line, json_option, out, settings
from assay.errors import ExitCode
from media import UsageError

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
@click.option("--html", "page", type=click.Path(path_type=Path), metavar="OUT", help="Write a page too.")
@click.option("--init", type=click.Path(path_type=Path), metavar="SEGMENT", help="PATHs are fragments that it begins.")
def command(paths: tuple[Path, ...], as_json: bool, page: Path | None, init: Path | None) -> int:
    """Read the Content Credentials of files."""
    from assay.assemble import trust
    from provenance import read, read_fragment, verification_page

    anchors = trust(settings())
    codes, everything = [], []
    for path in paths:
        credentials = read(path, anchors) if init is None else read_fragment(init, path, anchors)
        everything.append(credentials)
        row = {"path": str(path), **credentials.to_json()}
        codes.append(EXIT_BY_STATE[row["state"]])
        if as_json:
            json_line(row)
        else:
            _tell(row)
    if page is not None:
        _write(page, verification_page(everything))
    return codes[0] if len(codes) == 1 else ExitCode.OK


def _write(page: Path, content: str) -> None:
    try:
        page.write_text(content, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{page}: {error.strerror}") from error


def _tell(row: dict[str, Any]) -> None:
    from provenance import plain  # a stranger's words may hold commands for a terminal

    out.print(f"{row['state'].upper()}", style=f"bold {COLOURS.get(row['state'], 'red')}", end="  ")
    out.print(plain(row["path"]), markup=False)
    lines = []
    if row["signer"]:
        lines.append(
            f"signed by {_signer_words(row['signer'])}" + (f" at {row['timestamp']}" if row["timestamp"] else "")
        )
    if row["decision"]:
        lines += _decision_words(row["decision"])
    lines += _ingredient_words(row["ingredients"], "")
    if row["trailing_boxes"]:
        lines.append(f"unprotected bytes at the end: {row['trailing_boxes']}")
    if row["state"] != "trusted" and row["codes"]:
        lines.append("codes: " + ", ".join(row["codes"]))
    for line in lines:
        out.print(f"  {plain(line)}", markup=False)


def _ingredient_words(ingredients: Any, stem: str) -> list[str]:
    """The tree of what a file was made from, one line each, drawn with its branches."""
    lines = []
    for number, one in enumerate(ingredients, 1):
        last = number == len(ingredients)
        codes = f" [{', '.join(one['codes'])}]" if one["codes"] else ""
        words = f"{one['title'] or 'untitled'} ({one['relationship']}): {one['state']}{codes}"
        lines.append(f"{stem}{'└─' if last else '├─'} {words}")
        lines += _ingredient_words(one["ingredients"], stem + ("   " if last else "│  "))
    return lines


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
