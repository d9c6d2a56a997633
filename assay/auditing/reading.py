"""Where chains are read from: the ledger, with every row that its records speak of, or an exported file, alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from assay.auditing.merkle import ENTRY
from assay.auditing.noting import decision_facts, posture_sha256
from assay.auditing.sealing import Checkpoint
from assay.auditing.tables import BatchRow, EntryRow, OpeningRow
from assay.auditing.tip import here, written
from assay.auditing.verifying import Fault, Sealed
from assay.ledger import DecisionRow, Ledger, PostureRow
from media import UsageError

_OPENING = ("entry", "subject", "reference", "salt", "record")
FORMAT = "assay audit export 1"
_TRIES = 50  # to read the entries and their count in one state, while servers write


class LedgerChain:
    """The chain in a ledger."""

    whole = True

    def __init__(self, ledger: Ledger) -> None:
        self._engine = ledger.engine

    def batches(self) -> Iterator[Sealed]:
        """Every batch by number, read one at a time."""
        with Session(self._engine) as session:
            for number in session.scalars(select(BatchRow.number).order_by(BatchRow.number)).all():
                row = session.get_one(BatchRow, number)
                query = select(EntryRow).where(EntryRow.batch == number).order_by(EntryRow.key)
                entries = [_entry(entry) for entry in session.scalars(query)]
                yield Sealed(Checkpoint.of(row), entries, _openings(session, EntryRow.batch == number))
                session.expunge_all()

    def strays(self) -> Iterator[Fault]:
        """Entries that are gone, or claim a batch that is not here; openings without an entry, decisions outside."""
        yield from self._missing()
        with Session(self._engine) as session:
            stray = EntryRow.batch.is_not(None) & EntryRow.batch.not_in(select(BatchRow.number))  # NULL is in no set
            for entry in session.scalars(select(EntryRow).where(stray)):
                yield Fault(f"entry {entry.id}", f"it claims to be of batch {entry.batch}, which is not here")
            orphans = select(OpeningRow.entry).where(OpeningRow.entry.not_in(select(EntryRow.id)))
            for id in session.scalars(orphans):
                yield Fault(f"entry {id}", "its opening is here, and the entry is gone")
            noted = exists().where(OpeningRow.subject == DecisionRow.job, OpeningRow.reference == DecisionRow.decision)
            for row in session.scalars(select(DecisionRow).where(~noted)):
                yield Fault(f"decision {row.decision}", f"it stands in the ledger under {row.job}, and in no entry")

    def _missing(self) -> Iterator[Fault]:
        """The table of entries against the row that counts them; read again where somebody writes meanwhile."""
        for _ in range(_TRIES):
            with Session(self._engine) as session:
                try:
                    before = written(session)
                    found = here(session)
                    session.rollback()  # so that what was committed meanwhile is seen
                    still = written(session) == before
                except LookupError as error:
                    yield Fault("the log", str(error))
                    return
            if found == before:
                return
            if still:
                break
        counts = [f"{all_of_them.count} entries ({sealed.count} sealed)" for all_of_them, sealed in (before, found)]
        if counts[0] == counts[1]:
            yield Fault("the log", "its entries are not those that were written")
        else:
            yield Fault("the log", f"{counts[0]} were written, {counts[1]} are here")

    def waiting(self) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
        """What no batch holds yet."""
        unsealed = EntryRow.batch.is_(None)
        with Session(self._engine) as session:
            entries = [_entry(row) for row in session.scalars(select(EntryRow).where(unsealed).order_by(EntryRow.key))]
            return entries, _openings(session, unsealed)

    def against(self, record: Mapping[str, Any], entry: Mapping[str, Any]) -> str | None:
        """Compares a decision with the ledger's row of it, and with who looked."""
        if record["kind"] not in ("decision", "human"):
            return None
        job, facts = record["subject"], dict(record["facts"])
        posture = facts.pop("posture_sha256")
        with Session(self._engine) as session:
            rows = session.scalars(
                select(DecisionRow).where(DecisionRow.job == job, DecisionRow.decision == record["reference"])
            ).all()
            if not rows:
                return f"the decision {record['reference']} of {job} is no longer in the ledger"
            like = [row for row in rows if decision_facts(row) == facts]
            if not like:
                return f"the decision {record['reference']} of {job} was changed in the ledger"
            looked = session.scalars(select(PostureRow).where(PostureRow.job == job)).all()
            # A person's is beside the models' of its stage: until November 2026 it was noted with the hash of nobody.
            if (
                record["kind"] == "decision"
                and posture is not None
                and not any(posture_sha256(row, _of_attempt(looked, row)) == posture for row in like)
            ):
                return f"who looked at {job} was changed in the ledger"
        return None


class ExportedChain:
    """The chain in a file of `assay audit export`, for whoever has nothing else."""

    def __init__(self, path: Path) -> None:
        self._path, self.whole = path, True

    def batches(self) -> Iterator[Sealed]:
        """Every batch of the file; UsageError where it is none of ours."""
        with self._path.open(encoding="utf-8") as lines:
            heading = json.loads(next(lines, "{}"))
            if heading.get("format") != FORMAT:
                raise UsageError(f"{self._path}: not a file of `assay audit export`")
            self.whole = heading["requests"]
            for line in lines:
                stored = json.loads(line)
                openings = {each["entry"]: {**each, "salt": bytes.fromhex(each["salt"])} for each in stored["openings"]}
                yield Sealed(Checkpoint(**stored["checkpoint"]), stored["entries"], openings)

    def waiting(self) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
        """What waits is not exported: it is sealed first."""
        return [], {}

    def strays(self) -> Iterator[Fault]:
        """A file holds batches and nothing else."""
        return iter(())

    def against(self, record: Mapping[str, Any], entry: Mapping[str, Any]) -> str | None:
        """There is no ledger to compare with."""
        return None


def export(ledger: Ledger, *, requests: bool) -> Iterator[str]:
    """The lines of an export: a heading, and one line a batch.

    The records of requests hold prompts, and go along only where that is asked for; a chain without them verifies as
    far as its entries do, and says how many records it could not compare.
    """
    yield json.dumps({"format": FORMAT, "requests": requests})
    for batch in LedgerChain(ledger).batches():
        kinds = {entry["id"]: entry["kind"] for entry in batch.entries}
        shown = [each for id, each in batch.openings.items() if requests or kinds.get(id) != "request"]
        openings = [{**each, "salt": bytes(each["salt"]).hex()} for each in shown]
        yield json.dumps({"checkpoint": batch.checkpoint.to_json(), "entries": batch.entries, "openings": openings})


def _entry(row: EntryRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in (*ENTRY, "leaf")}


def _openings(session: Session, of: Any) -> dict[str, dict[str, Any]]:
    query = select(OpeningRow).join(EntryRow, EntryRow.id == OpeningRow.entry).where(of)
    return {row.entry: {name: getattr(row, name) for name in _OPENING} for row in session.scalars(query)}


def _of_attempt(posture: Iterable[PostureRow], decision: DecisionRow) -> list[PostureRow]:
    return [row for row in posture if row.attempt == decision.attempt]
