"""`assay detect`: what independent evidence says about where a file comes from. It never says "real"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from assay.cli.common import err, json_line, json_option, out, settings
from assay.errors import ExitCode

COLOURS = {"synthetic": "red", "likely-synthetic": "yellow", "contradictory": "red"}


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH ...")
@json_option
def command(paths: tuple[Path, ...], as_json: bool) -> int:
    """Say whether files prove to be synthetic, look synthetic, or carry evidence that contradicts itself.

    A trusted manifest proves; a score of the pixels is likely at a stated false-positive rate; tags are hints that no
    answer rests on. No answer says that a file is real.
    """
    from assay.assemble import trust
    from assay.detect import detect
    from assay.eyes import configured

    chosen = settings()
    anchors, eyes = trust(chosen), configured(chosen)
    failed = False
    for path in paths:
        row = detect(path, anchors, eyes)
        failed = row["error"] is not None
        if as_json:
            json_line(row)
        elif failed:
            err.print(f"assay: {row['error']['message']}", markup=False)  # which begins with the path
        else:
            _tell(row)
    return ExitCode.UNDECIDED if len(paths) == 1 and failed else ExitCode.OK


def _tell(row: dict[str, Any]) -> None:
    from provenance import plain  # a stranger's words may hold commands for a terminal

    out.print(row["answer"].upper(), style=f"bold {COLOURS.get(row['answer'], 'default')}", end="  ")
    out.print(plain(row["path"]), markup=False)
    lines = [_manifest_words(row["signals"]["manifest"])]
    if row["generator"]:
        lines.append(f"made by {row['generator']['name']} (by its {row['generator']['by']})")
    lines += _pixel_words(row["signals"]["forensic"])
    lines += [f"{part['start_s']:.1f} s to {part['end_s']:.1f} s: {part['value']:.2f}" for part in row["segments"]]
    if row["answer"] == "no-evidence":
        lines.append("nobody found anything; that does not mean real")
    lines += [f"hint: {_hint_words(hint)}" for hint in row["hints"]]
    for line in lines:
        out.print(f"  {plain(line)}", markup=False)


def _manifest_words(manifest: dict[str, Any]) -> str:
    kinds = ", ".join(kind.rstrip("/").rpartition("/")[2] for kind in manifest["digital_source_types"])
    return f"manifest {manifest['state']}" + (f", declares {kinds}" if kinds else "")


def _pixel_words(forensic: dict[str, Any] | None) -> list[str]:
    if forensic is None:
        return ["pixels: nobody looked"]
    if forensic["value"] is None:
        return [f"pixels: no answer ({forensic['absence']})"]
    held = {True: "at or above", False: "below", None: "not held against"}[forensic["likely"]]
    line = f"pixels: {forensic['value']:.2f}, {held} {forensic['threshold']:.2f}"
    line += f", which {forensic['fpr']:.1%} of real clips reach ({forensic['version']})"
    return [line] + ([f"because: {forensic['absence']}"] if forensic["absence"] else [])


def _hint_words(hint: dict[str, Any]) -> str:
    says = f" {hint['says']!r}" if hint["says"] else ""
    return f"{hint['name']}{says} ({hint['where']}): {hint['meaning']}"
