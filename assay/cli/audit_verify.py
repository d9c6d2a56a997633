"""`assay audit verify`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from assay.cli.common import json_line, json_option, out, settings
from assay.errors import ExitCode
from media import UsageError

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--export", "exported", type=_FILE, help="Verify a file of `assay audit export`, not the ledger.")
@click.option("--proof", type=_FILE, help="Verify one proof of `assay audit prove`.")
@click.option("--public-key", "keys", type=_FILE, multiple=True, help="Trust this key (PEM) and no other.")
@click.option(
    "--checkpoint", "anchors", type=_FILE, multiple=True, help="A checkpoint that you kept: it must be there."
)
@click.option("--replay", is_flag=True, help="Make every decision of the ledger again from its scores, too.")
@json_option
def command(
    exported: Path | None, proof: Path | None, keys: tuple[Path, ...], anchors: tuple[Path, ...], replay: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Prove the chain: 0 sound, 2 broken. Every fault is named.

    Without --public-key the keys of this installation are trusted; whoever can replace those could forge a log, so an
    auditor keeps the public key and a checkpoint elsewhere and gives both.
    """
    from assay.auditing.signing import known_keys, public_keys

    chosen = settings()
    trusted = public_keys(keys) if keys else known_keys(chosen.audit)
    if proof is not None:
        return _proof(proof, trusted, as_json)
    walk = _walked(chosen, exported, trusted, [_checkpoint(path) for path in anchors])
    if replay and exported is None:
        _replay(chosen, walk)
    if as_json:
        json_line(walk.to_json())
    else:
        _tell(walk)
    return ExitCode.OK if walk.sound else ExitCode.REFUSED


def _walked(chosen: Any, exported: Path | None, trusted: frozenset[str], anchors: list[Any]) -> Any:
    from assay.auditing.reading import ExportedChain, LedgerChain
    from assay.auditing.sealing import remembered
    from assay.auditing.verifying import verify
    from assay.ledger import Ledger

    if exported is not None:
        return verify(ExportedChain(exported), trusted, anchors)
    return verify(LedgerChain(Ledger(chosen.ledger)), trusted, [*remembered(chosen.audit)[-1:], *anchors])


def _replay(chosen: Any, walk: Any) -> None:
    """Finds scores that somebody edited: they no longer lead to the decision, which the chain holds."""
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from assay.ledger import DecisionRow, Ledger
    from safety import CorruptRecord

    ledger = Ledger(chosen.ledger)
    with Session(ledger.engine) as session:
        jobs = session.scalars(select(DecisionRow.job).distinct().order_by(DecisionRow.job)).all()
    for job in jobs:
        try:
            ledger.decisions(job)
        except CorruptRecord as error:
            walk.fault(f"job {job}", str(error))


def _proof(path: Path, trusted: frozenset[str], as_json: bool) -> int:
    from assay.auditing.proving import ProofBroken, examine

    stored = _read(path)
    try:
        record = examine(stored, trusted)
    except ProofBroken as error:
        if as_json:
            json_line({"holds": False, "why": str(error), "record": None})
        else:
            out.print(f"BROKEN  {error}", markup=False)
        return ExitCode.REFUSED
    if as_json:
        json_line({"holds": True, "why": None, "record": record})
    else:
        entry, point = stored["entry"], stored["checkpoint"]
        out.print(
            f"holds: {entry['id']} ({entry['kind']}, {entry['made']}) is in batch {point['number']}", markup=False
        )
        out.print(f"  record: {'not shown' if record is None else json.dumps(record['facts'])}", markup=False)
    return ExitCode.OK


def _tell(walk: Any) -> None:
    words = f"{walk.batches} batches, {walk.entries} entries, {walk.waiting} wait for their seal, {walk.erased} erased"
    out.print(f"{'SOUND' if walk.sound else 'BROKEN'}  {words}", markup=False)
    if walk.withheld:
        out.print(f"  {walk.withheld} records were left out of this copy and could not be compared", markup=False)
    if walk.last is not None:
        out.print(
            f"  last checkpoint: batch {walk.last.number}, {walk.last.sealed}, head {walk.last.head}", markup=False
        )
    for fault in walk.faults:
        out.print(f"  {fault.where}: {fault.what}", markup=False)


def _checkpoint(path: Path) -> Any:
    from assay.auditing.sealing import Checkpoint

    try:
        return Checkpoint(**_read(path))
    except TypeError as error:
        raise UsageError(f"{path}: no checkpoint of `assay audit export --checkpoint`") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as JSON") from error
    if not isinstance(stored, dict):
        raise UsageError(f"{path}: cannot be read as a JSON object")
    return stored
