"""`assay policy tune`: thresholds from labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from assay.cli.common import err, json_line, json_option, out, policy_option, settings
from assay.cli.replaying import run_argument
from assay.errors import ExitCode
from media import UsageError

_RATE = click.FloatRange(0, 1, min_open=True, max_open=True)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("tune")
@run_argument
@click.argument("labels", type=_FILE)
@policy_option
@click.option("--fpr", type=_RATE, default=0.01, show_default=True, help="False positives of rules that block.")
@click.option("--review-fpr", type=_RATE, help="Of rules that ask for review; without it these stay.")
@click.option("--confident", is_flag=True, help="Hold the rate with its 95 % upper bound, not with the share seen.")
@click.option("--diff", "diff_path", type=_FILE, metavar="FILE", help="Write the diff there instead of stdout.")
@json_option
def command(run: str, labels: Path, policy: str | None, as_json: bool, **options: Any) -> int:
    """Choose thresholds for frames from RUN and LABELS, and show them as a diff of the policy's YAML.

    LABELS is a CSV or JSON lines with `path` or `sha256`, and `violates`: none, unsure, or categories joined by
    semicolons; that of `assay audit sample` is one. No policy is edited.
    """
    from assay.ledger import Ledger
    from assay.replaying.policytext import difference, with_thresholds
    from assay.replaying.records import Records, run_row
    from assay.replaying.tuning import Asked, labelled, tune
    from assay.sampling.labels import read_labels
    from safety import Policy
    from safety.policyfile import read_policy_text

    chosen = settings(policy=policy)
    text, origin = read_policy_text(chosen.policy)
    read = read_labels(labels)
    ledger = Ledger(chosen.ledger)
    try:
        files, partial = labelled(Records(ledger).of(run_row(ledger, run).id), read, ledger.examination)
    finally:
        ledger.close()
    if not files:
        raise UsageError(f"{labels}: none of its labels is of a file of {run} that was scanned whole")
    asked = Asked(options["fpr"], options["review_fpr"], options["confident"])
    made = tune(Policy.parse(text, origin), files, asked)
    for one in made:
        _say(one, as_json)
    if partial:
        err.print(f"{partial} labelled files were scanned only in part and are in no figure", markup=False)
    err.print("The rates are of the labelled files: they hold for traffic that these are a fair sample of.")
    new = {one.rule.id: one.threshold for one in made if one.threshold is not None}
    _diff(difference(text, with_thresholds(text, origin, new), origin), options["diff_path"], as_json)
    return ExitCode.OK if any(one.threshold is not None for one in made) else ExitCode.UNDECIDED


def _diff(words: str, path: Path | None, as_json: bool) -> None:
    if path is not None:
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(words)
        except OSError as error:
            raise UsageError(f"--diff {path}: cannot be written ({error.strerror})") from error
    elif as_json:
        json_line({"rule": None, "diff": words})
    else:
        click.echo(words, nl=False)


def _say(one: Any, as_json: bool) -> None:
    if as_json:
        json_line(one.to_json())
        return
    rule = one.rule
    now = "stays" if one.threshold is None else f"-> {one.threshold:g}"
    out.print(f"{rule.id} ({rule.action.word}): {rule.threshold:g} {now}", markup=False)
    out.print(f"  false positives {one.flagged}; was {one.flagged_before}", markup=False)
    out.print(f"  recall {one.found}; was {one.found_before}", markup=False)
    out.print(f"  {one.why}" + (f"; {one.unscored} labelled files unscored" if one.unscored else ""), markup=False)
