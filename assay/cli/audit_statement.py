"""`assay audit statement`: why content was restricted, as the DSA Transparency Database takes it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from assay.cli.common import err, settings
from assay.errors import ExitCode
from media import UsageError

_VISIBILITIES = ("removed", "disabled", "demoted", "age-restricted", "interaction-restricted", "labelled", "other")
_SOURCES = ("voluntary", "article-16", "trusted-flagger", "other")


@click.command()
@click.argument("id", metavar="ID")
@click.option("--visibility", type=click.Choice(_VISIBILITIES), help="What you did to the content.")
@click.option("--content-date", type=click.DateTime(["%Y-%m-%d"]), help="When the content was posted.")
@click.option("--source", type=click.Choice(_SOURCES), default="voluntary", show_default=True, help="What led to it.")
@click.option("--terms-url", metavar="URL", help="Where your terms stand.")
@click.option("--territory", "territories", multiple=True, metavar="CC", help="A country it applies in; repeat it.")
@click.option("-o", "--out", "path", type=click.Path(path_type=Path, dir_okay=False), help="Write it there.")
def command(id: str, content_date: datetime | None, path: Path | None, **said: Any) -> int:
    """Export the statement of reasons of a decision: ID is of a decision or a job, or the sha256 of a scanned file.

    One JSON object, validated against its schema. It names no file and none of the user's words.
    """
    from assay.ledger import Ledger
    from assay.statements.drafting import Said, statement
    from assay.statements.finding import find

    ledger = Ledger(settings().ledger)
    try:
        found = find(ledger, id)
        policy = ledger.policy(found.decision.policy_digest or "")
        posted = content_date.date() if content_date else None
        made = statement(found, policy, Said(content_date=posted, **said))
    finally:
        ledger.close()
    if posted is None:
        err.print(f"content_date is the day on which it was judged, {made['content_date']}; say --content-date where "
                  "it was posted on another")  # fmt: skip
    text = json.dumps(made, indent=1)
    if path is None:
        click.echo(text)
        return ExitCode.OK
    try:
        path.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise UsageError(f"-o {path}: cannot be written ({error.strerror})") from error
    return ExitCode.OK
