"""Stored runs without files: what some models said of some videos, decided and kept as a scan keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Any

import numpy as np

from assay.batch.recording import Notebook
from assay.batch.store import Filed, Scoring, Store
from assay.ledger import Ledger
from assay.outcome import Outcome
from safety import (
    Absence,
    Circumstances,
    Coverage,
    Decision,
    Examination,
    FrameCounts,
    Item,
    Policy,
    PostureEntry,
    Score,
    Stage,
    Track,
    Where,
    decide,
)  # fmt: skip

DIGEST = "5" * 64
DAY = date(2026, 11, 22)


@dataclass(frozen=True)
class Seen:
    """One video: values by category, and what else is to be known of it."""

    name: str
    values: Mapping[str, Sequence[float | Absence | None]]
    text: str | None = None  # evidence in the frame of the largest value
    content: str | None = None  # videos of the same content share their hash
    stopped: str | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    digest: str = DIGEST

    @property
    def sha256(self) -> str:
        """Of the content."""
        return sha256((self.content or self.name).encode()).hexdigest()


def examined(one: Seen, policy: Policy) -> Examination:
    """What `eye@1` said of it at ten frames a second; nobody looked for the policy's other categories."""
    count = max((len(said) for said in one.values.values()), default=3)
    item = Item(Stage.FRAME, "frames", one.sha256, count)
    tracks: list[Score | Track] = []
    for name, said in one.values.items():
        peak = int(np.argmax([v if isinstance(v, float) else -1.0 for v in said]))
        shown = Where(text=one.text) if one.text else None
        frames = [
            (n / 10, Absence.FAILED if value is None else value, shown if n == peak else None)
            for n, value in enumerate(said)
        ]
        tracks.append(Track.of(item, name, "eye@1", frames))
    silent = [name for name in policy.categories_for(Stage.FRAME) if name not in one.values]
    missing = [Score.absent(item, name, "none@0", Absence.NOT_CONFIGURED, "no model") for name in silent]
    coverage = Coverage(count, count, 0, count, 0, 0, stopped=one.stopped)
    posture = (PostureEntry(Stage.FRAME, "eye", "1", "b" * 64, "toy", count, 0, coverage),)
    return Examination((item,), (*tracks, *missing), posture)


def decided(seen: Examination, policy: Policy) -> tuple[Decision, ...]:
    """As a scan decides."""
    return (decide(policy, seen.items, seen.scores, Circumstances(on=DAY, require_complete=False)),)


def filed(one: Seen, policy: Policy) -> Filed:
    """What the writer of a run is handed."""
    seen = examined(one, policy)
    made = decided(seen, policy)
    count = seen.items[0].count
    book = Notebook()
    book.record("job", seen, made, policy, one.digest)
    outcome = Outcome("job", made, seen, frames=FrameCounts(count, count, 0, count, 0, 0), sha256=one.sha256)
    return Filed(one.name, one.sha256, "f", book.recorded(outcome, None), extras=dict(one.extras))


def failed(name: str) -> Filed:
    """A file about which no decision was reached."""
    return Filed(name, error={"type": "MediaError", "stage": "frame", "message": f"{name}: no video"})


def run_of(ledger: Ledger, policy: Policy, files: Sequence[Seen], *more: Filed) -> str:
    """A finished run over these; its id."""
    store = Store(ledger)
    run = store.begin("key", {"paths": ["."]}, policy, Scoring(DIGEST))
    finished = [filed(one, policy) for one in files] + list(more)
    for start in range(0, len(finished), 20):
        store.keep(run, finished[start : start + 20])
    store.settle(run, "completed")
    return run
