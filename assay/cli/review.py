"""`assay review`: what a policy held, a person decides."""

from __future__ import annotations

from typing import Any

import click

from assay.cli.common import err, json_line, json_option, out, reason_words, settings
from assay.errors import ExitCode
from assay.ledger import Ledger
from assay.settings import Settings

by_option = click.option(
    "--by", "reviewer", required=True, metavar="PSEUDONYM", help="Goes into the record and manifest."
)
reason_option = click.option("--reason", required=True, metavar="TEXT", help="Why; kept with the decision.")


@click.group()
def command() -> None:
    """Decide about prompts and outputs that are held for a person."""


@command.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """Show what waits, oldest first."""
    from assay.review import waiting

    for one in waiting(_ledger(settings())):
        _show(one.to_json(), as_json)


@command.command()
@click.argument("id")
@json_option
def show(id: str, as_json: bool) -> None:
    """Show one held prompt or output and why it is held."""
    from assay.review import held

    _show(held(_ledger(settings()), id).to_json(), as_json)


@command.command()
@click.argument("id")
@by_option
@reason_option
def approve(id: str, reviewer: str, reason: str) -> int:
    """Let it pass: a held output is signed and published; a held prompt is generated and its output judged."""
    from assay import review

    chosen = settings()
    ledger = _ledger(chosen)
    one = review.held(ledger, id)
    if one.row.stage == "prompt" and review.by_queue(ledger, one):
        review.requeue(ledger, id, reviewer, reason)
        out.print(f"{one.row.job} is in the queue again", markup=False)
        return ExitCode.OK
    if one.row.stage != "prompt":
        from assay.assemble import signer

        asset = review.approve_output(ledger, id, reviewer, reason, signer(chosen))
        out.print(f"signed {asset.path} ({asset.manifest_state})", markup=False)
        return ExitCode.OK
    return _generate_approved(chosen, review.approve_prompt(ledger, id, reviewer, reason))


@command.command()
@click.argument("id")
@by_option
@reason_option
def refuse(id: str, reviewer: str, reason: str) -> None:
    """Refuse it: the private file is deleted, the record stays."""
    from assay import review

    review.refuse(_ledger(settings()), id, reviewer, reason)
    out.print(f"refused {id}", markup=False)


def _ledger(chosen: Settings) -> Ledger:
    return Ledger(chosen.ledger)


def _generate_approved(chosen: Settings, approved: Any) -> int:
    from assay.cli.common import EXIT_BY_ACTION, progress
    from assay.cli.generate import report
    from assay.worker import Worker

    with Worker(chosen) as worker, progress() as listener:
        outcome = worker.call("generate", approved, listener)
    report(outcome, approved[0].prompt, as_json=False)
    return ExitCode.OK if outcome.asset is not None else EXIT_BY_ACTION[outcome.action.word]


def _show(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        json_line(row)
        return
    out.print(f"{row['id']}  {row['stage']}  {row['state']} until {row['expires']}", markup=False)
    out.print(f"  prompt: {row['prompt']!r}", markup=False)
    if row["path"]:
        out.print(f"  file: {row['path']} (private)", markup=False)
    for decision in row["decisions"]:
        for reason in decision["reasons"]:
            out.print(f"  {reason_words(reason)}", markup=False)
    if not row["decisions"]:
        err.print("  no decision is recorded", markup=False)
