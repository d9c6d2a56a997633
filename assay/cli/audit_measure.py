"""`assay audit measure`: what labels say of a run."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import click

from assay.cli.common import json_line, json_option, out
from assay.errors import ExitCode
from media import UsageError

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("labels", nargs=-1, required=True, type=_FILE, metavar="LABELS ...")
@click.option("--sample", "sample_path", type=_FILE, help="sample.json, where it is not beside the labels.")
@json_option
def command(labels: tuple[Path, ...], sample_path: Path | None, as_json: bool) -> int:
    """Estimate precision and recall from LABELS, a file for each reviewer, and how far reviewers agree.

    Every figure has its 95 % interval; files labelled `unsure` are left out and counted.
    """
    from assay.sampling.agreement import agreement
    from assay.sampling.estimates import categories_of, measured
    from assay.sampling.labels import read_labels
    from assay.sampling.sheet import read_sample

    sample = read_sample(sample_path or labels[0].parent / "sample.json")
    read = [read_labels(path) for path in labels]
    for one in read:
        said = [one.of(c.sha256, c.path) for c in sample.items if one.holds(c.sha256, c.path)]
        if not said:
            raise UsageError(f"{one.source}: none of its labels is of a file of this sample")
        unsure = sum(label is None for label in said)
        facts = {"reviewer": one.reviewer, "labelled": len(said), "of": len(sample.items), "unsure": unsure,
                 "withheld": sample.withheld}  # fmt: skip
        _say({"kind": "labels", **facts}, as_json, f"{one.reviewer}: {len(said)} of {len(sample.items)} labelled, "
             f"{unsure} unsure; {sample.withheld} contents of the worst material are in no figure")  # fmt: skip
        for category in categories_of(sample, read):
            found = measured(sample, one, category)
            _say({"kind": "measured", "reviewer": one.reviewer, **found.to_json()}, as_json, _words(found))
    for first, second in combinations(read, 2):
        for category in categories_of(sample, read):
            pair = agreement(first, second, category)
            row = {"kind": "agreement", "reviewers": [first.reviewer, second.reviewer], **pair.to_json()}
            _say(row, as_json, f"{first.reviewer} and {second.reviewer}, {_agreed(pair)}")
    return ExitCode.OK


def _words(found: Any) -> str:
    words = f"  {found.category}: precision {_share(found.precision)}, recall {_share(found.recall)}, "
    words += f"prevalence {_share(found.prevalence)}; {found.violating} of {found.labelled} labels violate"
    if found.unlabelled:
        words += f"; {found.unlabelled} contents stand in parts without a label"
    return words


def _share(one: Any) -> str:
    if one.low is None:
        return "unknown"
    value = "unknown" if one.value is None else f"{100 * one.value:.1f} %"
    return f"{value} [{100 * one.low:.1f}, {100 * one.high:.1f}]"


def _agreed(pair: Any) -> str:
    if pair.kappa is None:
        why = "no pair" if not pair.pairs else "both always say the same one thing"
        return f"{pair.category}: kappa is not defined ({why})"
    return f"{pair.category}: kappa {pair.kappa:.2f} [{pair.low:.2f}, {pair.high:.2f}] over {pair.pairs} files"


def _say(row: dict[str, Any], as_json: bool, words: str) -> None:
    if as_json:
        json_line(row)
    else:
        out.print(words, markup=False)
