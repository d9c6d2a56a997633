"""`assay policy replay`: decide again about everything that a run has scored."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from assay.cli.common import err, json_line, json_option, out
from assay.cli.replaying import as_scored_option, counted, new_policy_option, opened, run_argument, tell_refusals
from assay.errors import ExitCode
from media import UsageError


@click.command("replay")
@run_argument
@new_policy_option
@as_scored_option
@click.option("--whole", is_flag=True, help="Unpack every score and compare every word of the decisions; slower.")
@click.option("--changed", "only_changed", is_flag=True, help="Lines only for files whose action changes.")
@click.option("--out", "rows_path", type=click.Path(path_type=Path), metavar="again.jsonl", help="Write lines there.")
@json_option
def command(run: str, policy: str, as_scored: bool, as_json: bool, **options: Any) -> int:
    """Decide again from the stored scores of RUN (an id, or `latest`), without decoding anything.

    Under the policy of the run every decision must come out as it was made: exit code 2 where one does not. Under
    another, what the policy would say. Exit code 4 where some file's scores do not speak for the policy; the reason is
    said.
    """
    from assay.replaying.again import Replay

    rows_path: Path | None = options["rows_path"]
    with opened(run, policy, as_scored=as_scored) as it, _written(rows_path) as file:
        replay = Replay(it.records, it.policy, it.objections, whole=options["whole"])
        broken = 0
        for one in replay.over(it.run):
            broken += one.same is False
            if not (as_json or file) or (options["only_changed"] and not one.changed):
                continue
            for row in one.rows():
                if file is not None:
                    file.write(json.dumps(row) + "\n")
                if as_json:
                    json_line(row)
        _tell(replay, it, err if as_json else out)
    if broken:
        err.print(f"{broken} contents no longer lead to the decisions that were recorded: the ledger was changed")
        return ExitCode.REFUSED
    return ExitCode.UNDECIDED if replay.refusals else ExitCode.OK


def _written(path: Path | None) -> Any:
    try:
        return nullcontext() if path is None else path.open("w", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out {path}: cannot be written ({error.strerror})") from error


def _tell(replay: Any, it: Any, console: Any) -> None:
    then, now = Counter[str](), Counter[str]()
    for (was, action), count in replay.counts.items():
        then[was] += count
        now[action] += count
    total = then.total()
    moved = sum(count for (was, action), count in replay.counts.items() if action not in (was, "refused"))
    console.print(f"{it.run}: {total} files", markup=False)
    console.print("  " + counted(then, "as decided"), markup=False)
    console.print("  " + counted(now, f"under {it.policy.id}@{it.policy.version}"), markup=False)
    console.print(f"  {moved} would change; {replay.unfolded} scores were unpacked", markup=False)
    tell_refusals(replay.refusals)
