"""Proves a chain: every batch, every entry, every opening that is still there, and that nothing was cut off its end.

The same walk serves the ledger and an exported file. It never stops at the first fault: whoever has to explain a broken
log wants to know all of them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from assay.auditing.merkle import GENESIS, head_of, leaf_of, root_of
from assay.auditing.noting import MISSING, commitment
from assay.auditing.sealing import Checkpoint
from assay.auditing.signing import signature_holds

_HEX128 = re.compile(r"[0-9a-f]{128}")


@dataclass(frozen=True)
class Fault:
    """One thing that does not hold: which entry, batch or checkpoint, and what is wrong with it."""

    where: str
    what: str

    def to_json(self) -> dict[str, str]:
        """One element of `faults`."""
        return {"where": self.where, "what": self.what}


@dataclass(frozen=True)
class Sealed:
    """A batch as it is stored: its checkpoint, its entries by key, and their openings by entry id."""

    checkpoint: Checkpoint
    entries: list[dict[str, Any]]
    openings: dict[str, dict[str, Any]]


class Chain(Protocol):
    """Where a chain is read from. `whole` is False where records were left out of a copy on purpose."""

    whole: bool

    def batches(self) -> Iterator[Sealed]:
        """Every batch, by number."""
        ...

    def waiting(self) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
        """The entries that no batch holds yet, and their openings."""
        ...

    def strays(self) -> Iterator[Fault]:
        """What stands outside of every batch and should not."""
        ...

    def against(self, record: Mapping[str, Any], entry: Mapping[str, Any]) -> str | None:
        """What is wrong with the row that a record speaks of; None where it is as recorded, or there is none to ask."""
        ...


@dataclass
class Walk:
    """A verification under way, and what came of it."""

    trusted: set[str]
    faults: list[Fault] = field(default_factory=list)
    batches: int = 0
    entries: int = 0
    waiting: int = 0
    erased: int = 0
    withheld: int = 0
    last: Checkpoint | None = None
    heads: dict[int, str] = field(default_factory=dict)
    _gone: dict[str, dict[str, Any] | None] = field(default_factory=dict)  # entry id -> its opening without a record
    _erasures: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """True where nothing was found wrong."""
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        """The line of `assay audit verify --json`."""
        return {
            "sound": self.sound, "batches": self.batches, "entries": self.entries,
            "waiting": self.waiting, "erased": self.erased, "withheld": self.withheld,
            "checkpoint": self.last.to_json() if self.last else None,
            "faults": [fault.to_json() for fault in self.faults],
        }  # fmt: skip

    def fault(self, where: str, what: str) -> None:
        """Notes one."""
        self.faults.append(Fault(where, what))

    def take(self, batch: Sealed, chain: Chain) -> None:
        """One batch, which must follow the last one taken."""
        point, name = batch.checkpoint, f"batch {batch.checkpoint.number}"
        expected = self.last.number + 1 if self.last else 1
        if point.number != expected:
            self.fault(name, f"batch {expected} should stand here: batches are missing or in another order")
        if point.previous != (self.last.head if self.last else GENESIS):
            self.fault(name, "it does not follow the batch before it")
        if head_of(point.to_json()) != point.head:
            self.fault(name, "its header was changed")
        if not (_HEX128.fullmatch(str(point.signature)) and self._signed(point)):
            self.fault(name, "its checkpoint is not signed by a key that is trusted here")
        self._entries(batch, name)
        for entry in batch.entries:
            self._opening(entry, batch.openings.get(entry["id"]), chain)
        self.batches, self.entries = self.batches + 1, self.entries + len(batch.entries)
        self.last = point
        self.heads[point.number] = point.head

    def finish(self, chain: Chain, anchors: Iterable[Checkpoint]) -> None:
        """What can be said only at the end: erased openings, strays, and what signed checkpoints remember."""
        entries, openings = chain.waiting()
        for entry in entries:
            if entry["leaf"] is not None:
                self.fault(f"entry {entry['id']}", "it was sealed once, and taken out of its batch")
            self._opening(entry, openings.get(entry["id"]), chain)
        self.waiting = len(entries)
        for id, left in self._gone.items():
            self._erased(id, left, chain.whole)
        self.faults += chain.strays()
        for anchor in anchors:
            name = f"checkpoint {anchor.number}"
            if head_of(anchor.to_json()) != anchor.head or not self._signed(anchor):
                self.fault(name, "the checkpoint to compare with is not signed by a key that is trusted here")
            elif anchor.number not in self.heads:
                self.fault(name, f"the log was cut: it ends before batch {anchor.number}, which was sealed and signed")
            elif self.heads[anchor.number] != anchor.head:
                self.fault(name, f"batch {anchor.number} is not the one that was sealed and signed")

    def _signed(self, point: Checkpoint) -> bool:
        return signature_holds(str(point.signer), str(point.head), str(point.signature), self.trusted)

    def _entries(self, batch: Sealed, name: str) -> None:
        point, before = batch.checkpoint, len(self.faults)
        leaves = [leaf_of(entry) for entry in batch.entries]
        for entry, leaf in zip(batch.entries, leaves, strict=True):
            if entry["leaf"] != leaf:
                self.fault(f"entry {entry['id']}", "it is not the entry that was sealed")
        if len(batch.entries) != point.count:
            self.fault(name, f"{len(batch.entries)} entries, where {point.count} were sealed")
        elif leaves and len(self.faults) == before and root_of(leaves) != point.root:
            self.fault(name, "its entries are not those that were sealed, or in another order")
        if leaves and (batch.entries[0]["key"], batch.entries[-1]["key"]) != (point.first, point.last):
            self.fault(name, "its first or last entry is not the one that was sealed")

    def _opening(self, entry: dict[str, Any], opening: dict[str, Any] | None, chain: Chain) -> None:
        name = f"entry {entry['id']}"
        if opening is None or opening["record"] is None:
            self._gone[entry["id"]] = opening
            return
        try:
            record = json.loads(opening["record"])
            told = (record["kind"], record["made"], record["subject"], record["reference"])
        except (ValueError, TypeError, KeyError):
            self.fault(name, "its record cannot be read")
            return
        if commitment(bytes(opening["salt"]), opening["record"]) != entry["commitment"]:
            self.fault(name, f"the record of {record['subject']} or its salt was changed")
        elif told != (entry["kind"], entry["made"], opening["subject"], opening["reference"]):
            self.fault(name, f"it is filed under other words than its record says ({record['subject']})")
        else:
            self._heed(record, entry, chain, name)

    def _heed(self, record: dict[str, Any], entry: dict[str, Any], chain: Chain, name: str) -> None:
        if record["kind"] == "key":
            self.trusted.add(record["facts"]["public_key"])
        if record["kind"] == MISSING:
            gone = f"{record['facts']['written']} were written, {record['facts']['here']} were left"
            self.fault(name, f"when this was sealed, entries were missing or others than were written: {gone}")
        if record["kind"] == "erasure":
            for each in record["facts"]["entries"]:
                self._erasures[each["entry"]] = each
        if (wrong := chain.against(record, entry)) is not None:
            self.fault(name, wrong)

    def _erased(self, id: str, left: dict[str, Any] | None, whole: bool) -> None:
        erasure = self._erasures.get(id)
        if erasure is None and left is None and not whole:
            self.withheld += 1
            return
        if erasure is None:
            self.fault(f"entry {id}", "its record is gone, and no erasure of it was noted")
            return
        self.erased += 1
        kept = None if left is None else hashlib.sha256(bytes(left["salt"])).hexdigest()
        subject = erasure["subject"] if left is None else left["subject"]
        reference = None if left is None else left["reference"]
        if kept not in (None, erasure["salt_sha256"]) or subject != erasure["subject"] or reference is not None:
            self.fault(f"entry {id}", "what was left of it when it was erased was changed")


def verify(chain: Chain, trusted: Collection[str], anchors: Iterable[Checkpoint] = ()) -> Walk:
    """Walks a whole chain; `trusted` are public keys, `anchors` checkpoints that were kept elsewhere."""
    walk = Walk(set(trusted))
    try:
        for batch in chain.batches():
            walk.take(batch, chain)
        walk.finish(chain, anchors)
    except (SQLAlchemyError, ValueError, TypeError, KeyError) as error:
        after = f"after batch {walk.last.number}" if walk.last else "from its first batch on"
        walk.fault(after, f"the log cannot be read: {type(error).__name__}")
    return walk
