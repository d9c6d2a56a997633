"""One scan of many files, from what was asked to the last row: begun, or gone on with, whatever the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from assay import banking
from assay.batch.engine import Engine, Run
from assay.batch.intake import Counts, Intake
from assay.batch.plan import Plan
from assay.batch.store import Scoring, Store, Stored
from assay.ledger import Ledger
from assay.leftovers import OwnerLock, new_owner
from assay.settings import Settings
from safety import Policy

Told = Callable[["Batch", Stored], None]


class AnyEngine(Protocol):
    """What runs a plan: this machine's processes, or a cluster's."""

    frames_under_way: dict[int, float]

    def installation_key(self, policy: Policy) -> str | None:
        """What the scoring digest follows from, where that can be told without a model."""
        ...

    def scoring_digest(self) -> str:
        """How scores are made; raises what keeps the models from being loaded."""
        ...

    def run(self, run: Run, intake: Intake, tick: Callable[[], None]) -> None:
        """Every source of the plan; returns when each has its row."""
        ...

    def call(self, task: str, argument: object) -> Any:
        """Another task in a worker process."""
        ...

    def close(self) -> None:
        """Ends the worker processes."""
        ...


@dataclass
class Batch:
    """A scan under way; see `opened`."""

    settings: Settings
    store: Store
    engine: AnyEngine
    id: str = ""
    counts: Counts | None = None

    def scan(self, plan: Plan, resume: bool, told: Told, tick: Callable[[Batch], None]) -> str:
        """Every file of the plan. told: each row, once, in the order of the sources. Returns the id of the run.

        resume: go on with the newest run that was asked the same, if there is one; its rows stand and are told again.
        """
        policy = banking.policy(self.settings)
        installation = self.engine.installation_key(policy)
        digest = self.store.scoring_of(installation) or self.engine.scoring_digest()
        key = plan.key(policy, digest)
        before = self.store.newest(key) if resume else None
        if before is not None:
            self.id, plan = before, plan.resumed(self.store.run(before).asked)
            self.store.settle(before, "running")
        else:
            self.id = self.store.begin(key, plan.asked(), policy, Scoring(digest, installation))
        plan = replace(plan, wish=replace(plan.wish, policy_digest=policy.digest))
        intake = Intake(self.store, self.id, lambda row: told(self, row), self.settings.batch_commit_s)
        self.counts = intake.counts
        state = "stopped"
        try:
            self.engine.run(Run(self.id, plan, policy, digest, self.store), intake, lambda: tick(self))
            state = "completed"
        finally:
            self.store.settle(self.id, state)
        return self.id


@contextmanager
def opened(settings: Settings, make: Callable[[Path], AnyEngine]) -> Iterator[Batch]:
    """A batch with its ledger and its engine; make: the engine, from a private folder for copies that are fetched."""
    owner = new_owner()
    with OwnerLock(
        settings, owner
    ):  # the folder goes with the lock, and a sweep removes it where this process is killed
        ledger = Ledger(settings.ledger)
        engine = make(settings.private / owner)
        try:
            yield Batch(settings, Store(ledger), engine)
        finally:
            engine.close()
            ledger.close()


def local(settings: Settings, workers: int) -> Callable[[Path], AnyEngine]:
    """The embedded engine."""
    return lambda scratch: Engine(settings, workers, scratch)
