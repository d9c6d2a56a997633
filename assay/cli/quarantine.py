"""`assay quarantine`: sealed evidence of the worst material; every access needs a name and a reason."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from assay.cli.common import json_line, json_option, out, settings
from assay.errors import ExitCode

who_option = click.option("--who", metavar="NAME", help="Who acts; without it the name of the account.")
why_option = click.option("--why", required=True, metavar="REASON", help="Why; it stands in the access log.")
matter_option = click.option(
    "--matter", default="automatic", show_default=True, metavar="NAME", help="What it is kept for; holds add up."
)
id_argument = click.argument("id", metavar="ID")


@click.group()
def command() -> None:
    """Sealed evidence of the worst material: list, hold, release, export, delete.

    Nothing here ever shows a picture. Every access is logged, with who and why.
    """


@command.command("list")
@json_option
def list_items(as_json: bool) -> int:
    """What is kept, oldest first. Nothing is opened."""
    for entry in _quarantine().entries():
        if as_json:
            json_line(entry.to_json())
        else:
            held = f"on hold: {', '.join(entry.holds)}" if entry.holds else "no hold"
            out.print(f"{entry.id}  {entry.came[:19]}Z  {entry.kind}  {entry.size:,} bytes  {held}", markup=False)
    return ExitCode.OK


@command.command()
@id_argument
@who_option
@why_option
@json_option
def show(id: str, who: str | None, why: str, as_json: bool) -> int:
    """The record of an item: hashes, decisions, times. Never its content."""
    record = _quarantine().show(id, _access(who, why))
    if as_json:
        json_line(record)
    else:
        out.print(_plain(json.dumps(record, indent=1)), markup=False)
    return ExitCode.OK


@command.command()
@id_argument
@matter_option
@who_option
@why_option
def hold(id: str, matter: str, who: str | None, why: str) -> int:
    """Keep an item for a matter: it cannot be deleted until that is released."""
    return _told(_quarantine().hold(id, matter, _access(who, why)).holds, id)


@command.command()
@id_argument
@matter_option
@who_option
@why_option
def release(id: str, matter: str, who: str | None, why: str) -> int:
    """End the hold of an item for one matter."""
    return _told(_quarantine().release(id, matter, _access(who, why)).holds, id)


@command.command()
@id_argument
@who_option
@why_option
def delete(id: str, who: str | None, why: str) -> int:
    """Delete an item for good; refused while any hold stands. The log keeps that it was here."""
    _quarantine().delete(id, _access(who, why))
    out.print(f"deleted {id}", markup=False)
    return ExitCode.OK


@command.command()
@id_argument
@click.option("-o", "folder", required=True, type=click.Path(path_type=Path), metavar="DIR", help="A new folder.")
@click.option("--include-file", is_flag=True, help="The content too, unsealed.")
@who_option
@why_option
def export(id: str, folder: Path, include_file: bool, who: str | None, why: str) -> int:
    """Write the evidence package for a report: hashes, decisions, times; the file only where asked for."""
    from assay.evidence import FolderReporter

    written = _quarantine().report(id, FolderReporter(folder), _access(who, why), include_content=include_file)
    out.print(f"wrote {written}", markup=False)
    return ExitCode.OK


@command.command()
@json_option
def log(as_json: bool) -> int:
    """The access log, its chain proved; fails (4) where a line was changed or is gone."""
    from dataclasses import asdict

    for line in _quarantine().log.lines():
        if as_json:
            json_line(asdict(line))
        else:
            facts = " ".join(f"{name}={value}" for name, value in line.facts.items())
            words = f"{line.number}  {line.time}  {line.event}  {line.item}  {line.who}: {line.why}  {facts}"
            out.print(_plain(words), markup=False)
    return ExitCode.OK


def _quarantine() -> Any:
    from assay.assemble import quarantine

    return quarantine(settings())


def _access(who: str | None, why: str) -> Any:
    from assay.accesslog import Access

    return Access(who if who is not None else getpass.getuser(), why)


def _told(holds: tuple[str, ...], id: str) -> int:
    out.print(f"{id}: {'on hold: ' + ', '.join(holds) if holds else 'no hold; it may be deleted'}", markup=False)
    return ExitCode.OK


def _plain(words: str) -> str:
    """What somebody else wrote, without commands for a terminal; line by line, since only lines may be long."""
    from provenance import plain

    clean: Callable[[str], str] = plain
    return "\n".join(clean(line) for line in words.splitlines())
