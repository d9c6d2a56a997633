"""`assay audit sample`: what people shall label of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from assay.cli.common import json_line, json_option, out, settings
from assay.errors import ExitCode
from media import UsageError


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--per-stratum", default=50, show_default=True, type=click.IntRange(min=1), help="Files of each stratum.")
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed draws the same files.")
@click.option("--no-pictures", is_flag=True, help="A sheet without pictures; nothing is decoded.")
@click.option(
    "-o", "--out", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path("audit-sample"),
    show_default=True, metavar="DIR", help="Where sheet.html, labels.csv and sample.json are written.",
)  # fmt: skip
@json_option
def command(run: str, per_stratum: int, seed: int, folder: Path, as_json: bool, **options: Any) -> int:
    """Draw a sample of RUN (an id, or `latest`) by action and category, and write a sheet to label it.

    The sheet does not say what was decided. Files with the worst material are not drawn from.
    """
    from assay.banking import worst_categories
    from assay.batch.store import Store
    from assay.ledger import Ledger
    from assay.sampling.drawing import draw
    from assay.sampling.sheet import sample_facts, write_sheet
    from assay.worker import Worker

    chosen = settings()
    ledger = Ledger(chosen.ledger)
    try:
        store = Store(ledger)
        row = store.run(run)
        policy = ledger.policy(row.policy_digest)
        sample = draw(row.id, _contents(store, row.id, worst_categories(chosen)), per_stratum, seed)
    finally:
        ledger.close()
    if not sample.items:
        raise UsageError(f"{row.id}: there is nothing to draw from; no decision was reached about any file")
    with Worker(chosen) as worker:
        write_sheet(sample, policy, folder, lambda wanted: {} if options["no_pictures"] else _thumbs(worker, wanted))
    for fact in sample_facts(sample):
        if as_json:
            json_line(fact)
        else:
            out.print(f"{fact['stratum']}: {fact['drawn']} of {fact['contents']} contents", markup=False)
    if not as_json:
        if sample.withheld:
            out.print(f"{sample.withheld} contents hold the worst material and were not drawn from", markup=False)
        out.print(f"wrote sheet.html, labels.csv and sample.json into {folder}", markup=False)
    return ExitCode.OK


def _contents(store: Any, run: str, worst: frozenset[str]) -> Iterator[Any]:
    """Each content of the run once, under the first of its paths."""
    from assay.sampling.drawing import Content

    seen: set[int] = set()
    for path, decided in store.paths(run):
        if decided is not None and decided.key not in seen:
            seen.add(decided.key)
            yield Content.of(path.uri, decided.body, worst)


def _thumbs(worker: Any, wanted: Any) -> dict[int, bytes]:
    made: dict[int, bytes] = worker.call("thumbnails", wanted)
    return made
