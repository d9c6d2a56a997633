"""`assay policy diff`: what would change in a run under another policy."""

from __future__ import annotations

from typing import Any

import click

from assay.cli.common import err, json_line, json_option, out
from assay.cli.replaying import as_scored_option, new_policy_option, opened, run_argument, tell_refusals
from assay.errors import ExitCode

_RATE = click.FloatRange(min=0, min_open=True)


@click.command("diff")
@run_argument
@new_policy_option
@as_scored_option
@click.option("--examples", default=3, show_default=True, type=click.IntRange(min=0), help="Files told a category.")
@click.option("--files-per-day", type=_RATE, metavar="RATE", help="Estimate the reviewers' load at this rate.")
@json_option
def command(run: str, policy: str, as_scored: bool, as_json: bool, **options: Any) -> int:
    """Say what RUN's files would be decided under another policy: by category, with examples and reviewers' load."""
    from assay.replaying.again import AsDecided, Replay
    from assay.replaying.comparing import Comparison, compare

    with opened(run, policy, as_scored=as_scored) as it:
        now = Replay(it.records, it.policy, it.objections)
        then = AsDecided(it.records)
        found = compare(then, now, it.run, Comparison(**options))
        for row in found.rows():
            if as_json:
                json_line(row)
            else:
                _tell(row, it)
        tell_refusals(now.refusals, lambda words: err.print(words, markup=False))
    return ExitCode.UNDECIDED if now.refusals else ExitCode.OK


def _tell(row: dict[str, Any], it: Any) -> None:
    if row["category"] is None:
        _tell_run(row, it)
    elif row["changed"]:
        moves = ", ".join(f"{one['files']} {one['then']} -> {one['now']}" for one in row["moves"])
        out.print(f"{row['category']}: {moves}; {row['decisive']} of them change the file's action", markup=False)
        for one in row["examples"]:
            at = "" if one["start_s"] is None else f" at {one['start_s']:.2f} s"
            score = one["absence"] or f"{one['score']:.2f}"
            words = f"  {one['path']}: {one['then']} -> {one['now']} ({one['rule']}, {score}{at}); "
            out.print(words + f"file {one['file_then']} -> {one['file_now']}", markup=False)


def _tell_run(row: dict[str, Any], it: Any) -> None:
    out.print(f"{it.run}: {row['changed']} of {row['files']} files would change under {it.policy.id}@"
              f"{it.policy.version}", markup=False)  # fmt: skip
    for one in row["moves"]:
        if one["then"] != one["now"]:
            out.print(f"  {one['files']} {one['then']} -> {one['now']}", markup=False)
    for words, load in (("as decided", row["review_then"]), ("then", row["review_now"])):
        if load["share"] is None:
            continue
        told = f"  for review {words}: {load['files']} of {load['of']} files ({100 * load['share']:.2f} % "
        told += f"[{100 * load['low']:.2f}, {100 * load['high']:.2f}])"
        if load["per_day"] is not None:
            told += f"; {load['per_day']:.0f} a day [{load['per_day_low']:.0f}, {load['per_day_high']:.0f}]"
            told += f" at {row['files_per_day']:g} files a day"
        out.print(told, markup=False)
