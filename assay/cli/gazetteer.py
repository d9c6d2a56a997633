"""`assay policy gazetteer`: the deployment's own names, and permits for names that it may use."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from assay.cli.common import json_line, json_option, out, settings

CATEGORIES = ("likeness/public-figure", "ip/character", "ip/logo", "ip/style")


@click.group("gazetteer")
def command() -> None:
    """Names to watch for in prompts, beside those that ship."""


def _of_category(function: Any) -> Any:
    for option in (
        click.option("--category", type=click.Choice(CATEGORIES), required=True),
        click.option("--kind", required=True, metavar="K", help="What they are: brand, politician, character ..."),
        click.option("--cue", "cues", multiple=True, metavar="WORD", help="A word beside which ambiguous names count."),
    ):
        function = option(function)
    return function


@command.command("add")
@click.argument("name")
@click.option("--alias", "aliases", multiple=True, metavar="A", help="Another spelling; may be given again.")
@click.option("--ambiguous", is_flag=True, help="Also an ordinary word: counts only beside a cue.")
@_of_category
def add(name: str, aliases: tuple[str, ...], ambiguous: bool, category: str, kind: str, cues: tuple[str, ...]) -> int:
    """Watch for a NAME."""
    from safety.prompt.ownnames import OwnName, add_names

    added = add_names(settings().own_names, category, kind, [OwnName(name, aliases, ambiguous)], cues)
    out.print(f"{name}: {'added' if added else 'was there already'}", markup=False)
    return 0


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@_of_category
def import_command(file: Path, category: str, kind: str, cues: tuple[str, ...]) -> int:
    """Watch for the names of a FILE: lines of "name; alias", or a CSV with the columns name, aliases, ambiguous."""
    from safety.prompt.ownnames import add_names, read_names

    names = read_names(file)
    added = add_names(settings().own_names, category, kind, names, cues)
    out.print(f"{file}: {added} of {len(names)} names added", markup=False)
    return 0


@command.command("permit")
@click.argument("name")
@click.option("--why", required=True, metavar="TEXT", help="Own brand, a contract, a person's consent.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The last day.")
def permit(name: str, why: str, until: datetime) -> int:
    """Let a NAME be used, with a reason and an end."""
    from safety.prompt.ownnames import permit_name

    permit_name(settings().own_names, name, why, until.date())
    out.print(f"{name}: permitted until {until.date()}", markup=False)
    return 0


@command.command("remove")
@click.argument("name")
def remove(name: str) -> int:
    """Take a NAME out of the deployment's own lists and permits."""
    from safety.prompt.ownnames import remove_name

    out.print(f"{name}: {remove_name(settings().own_names, name)} lines removed", markup=False)
    return 0


@command.command("list")
@json_option
def list_command(as_json: bool) -> int:
    """The deployment's own names and permits."""
    from safety.prompt import Gazetteer

    own = settings().own_names
    shipped = {(entry.group.category, entry.name) for entry in Gazetteer.load().entries}
    for entry in Gazetteer.load(own=own).entries:
        if (entry.group.category, entry.name) in shipped and not entry.permits:
            continue
        row = {
            "name": entry.name, "aliases": list(entry.aliases[1:]), "category": entry.group.category,
            "kind": entry.group.kind, "ambiguous": entry.ambiguous,
            "permits": [{"why": one.why, "until": one.until.isoformat()} for one in entry.permits],
        }  # fmt: skip
        if as_json:
            json_line(row)
        else:
            words = "; ".join(f"permitted until {one.until}: {one.why}" for one in entry.permits)
            out.print(f"{entry.name}  {entry.group.category}, {entry.group.kind}  {words}".rstrip(), markup=False)
    return 0


@command.command("test")
@click.argument("texts", nargs=-1, required=True, metavar="TEXT ...")
@json_option
def test_command(texts: tuple[str, ...], as_json: bool) -> int:
    """Say which names stand in a TEXT, how much each counts, and which are permitted today."""
    from safety.prompt import EmbeddedPromptClassifier

    classifier = EmbeddedPromptClassifier(own_names=settings().own_names)
    for text in texts:
        names = classifier.names(text)
        if as_json:
            json_line({"text": text, "on": date.today().isoformat(), "names": names})
            continue
        out.print(text, markup=False)
        for name in names:
            words = f"  {name['name']} ({name['category']}, {name['kind']}) {name['value']:.2f}"
            out.print(words + (f", permitted: {name['permitted']}" if name["permitted"] else ""), markup=False)
        if not names:
            out.print("  no names", markup=False)
    return 0
