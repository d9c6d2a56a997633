"""`assay audit prove`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from assay.cli.common import json_line, settings


@click.command()
@click.argument("id")
@click.option("--with-words", is_flag=True, help="Show a request's record, and so its prompt, too.")
@click.option("-o", "target", type=click.Path(path_type=Path), metavar="DIR", help="A file an entry, not stdout.")
def command(id: str, with_words: bool, target: Path | None) -> None:
    """Prove that what is known of ID stands in the chain: a job, a decision, a review, or an entry. JSON lines.

    A proof holds for whoever has the public key: `assay audit verify --proof FILE --public-key FILE`.
    """
    from assay.auditing.proving import entries_of, prove
    from assay.ledger import Ledger

    ledger = Ledger(settings().ledger)
    proofs = [prove(ledger, entry, words=with_words) for entry in entries_of(ledger, id)]
    if target is not None:
        target.mkdir(parents=True, exist_ok=True)
    for proof in proofs:
        if target is None:
            json_line(proof)
        else:
            (target / f"{proof['entry']['id']}.json").write_text(json.dumps(proof, indent=1) + "\n", encoding="utf-8")
