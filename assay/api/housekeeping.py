"""What a server does beside answering: seals the audit chain, tells tenants, runs emergency rules over the released.

Each chore is done by its own name; one that fails is logged, tried again, and shown to whoever asks for readiness. Any
number of servers may do the same chores: each is safe to do twice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from assay import emergency, shadow, withdrawal
from assay.api.context import Context
from assay.api.standing import count_refusal
from assay.auditing.erasing import erase_ended
from assay.auditing.sealing import seal, waiting
from assay.delivery import Send, deliver_due, http_sender
from assay.endpoints import Endpoints
from assay.ledger import JobRow, State, now
from assay.metrics import Gauge
from assay.outbox import OutboxRow
from assay.request import ScanRequest
from assay.strikes import StrikeRow
from assay.worker import Worker
from safety import Examination

log = logging.getLogger("assay.housekeeping")

EVERY_S = 1.0
_RECENT = timedelta(minutes=10)  # in which a refusal must have been counted
_BACK = timedelta(days=1)  # how far back shadow policies look


@dataclass
class Housekeeper:
    """The chores of one server. `faults` names those that failed last time, with the error's name."""

    here: Context
    send: Send | None = None  # None: over HTTP
    faults: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._scanner: Worker | None = None
        settings = self.here.settings
        self.endpoints = Endpoints(self.here.ledger, settings.home / "webhooks.key", settings.webhooks.openable)

    def chores(self) -> dict[str, Callable[[], object]]:
        """By name; each does what is due, and nothing where nothing is."""
        settings, ledger = self.here.settings, self.here.ledger
        left = settings.prompts
        return {
            "audit": lambda: seal(ledger, settings.audit),
            "emergency": self._emergency,
            "shadow": self._shadow,
            "strikes": self._strikes,
            "erasure": (lambda: None) if left == "full" else lambda: erase_ended(ledger, left),
        }

    def once(self) -> None:
        """Every chore, whatever became of the others."""
        for name, chore in self.chores().items():
            self._do(name, chore)

    def deliver(self) -> None:
        """What tenants must be told and is due."""
        send = self.send or http_sender(self.endpoints, self.here.settings.webhooks.timeout_s)
        self._do("webhooks", lambda: deliver_due(self.endpoints, send, self.here.clock))

    @contextmanager
    def running(self) -> Iterator[Housekeeper]:
        """The chores in two threads, so that a receiver that is slow holds nothing up."""
        loops = [threading.Thread(target=self._loop, args=(each,), daemon=True) for each in (self.once, self.deliver)]
        for loop in loops:
            loop.start()
        try:
            yield self
        finally:
            self._stop.set()
            for loop in loops:
                loop.join(self.here.settings.webhooks.timeout_s + 5)
            if self._scanner is not None:
                self._scanner.close()
            with suppress(Exception):  # what cannot be sealed now is sealed by the next start
                seal(self.here.ledger, self.here.settings.audit)

    def _loop(self, work: Callable[[], None]) -> None:
        while not self._stop.wait(EVERY_S):
            work()

    def _do(self, name: str, chore: Callable[[], object]) -> None:
        try:
            chore()
        except Exception as error:  # noqa: BLE001 (nothing is released by a chore; readiness tells)
            if self.faults.get(name) != type(error).__name__:
                log.error("%s: %s: %s; it is tried again", name, type(error).__name__, error)
            self.faults[name] = type(error).__name__
        else:
            self.faults.pop(name, None)

    def _emergency(self) -> None:
        ledger = self.here.ledger
        emergency.mark(ledger)
        emergency.sweep(ledger, self._rescan)
        for job in withdrawal.unerased(ledger):
            withdrawal.erase_files(ledger, job)

    def _rescan(self, path: Path) -> Examination:
        if self._scanner is None:
            self._scanner = Worker(self.here.settings)
        outcome = self._scanner.call("scan", ScanRequest(path))
        seen: Examination = outcome.examination
        return seen

    def _strikes(self) -> None:
        """Refusals that workers came to: of pictures and videos that were brought along."""
        refused = (JobRow.state == State.COMPLETED) & (JobRow.action == "block") & JobRow.actor.is_not(None)
        counted = select(StrikeRow.job)
        recent = (JobRow.updated >= now() - _RECENT) & JobRow.wire.is_not(None) & JobRow.id.not_in(counted)
        with Session(self.here.ledger.engine) as session:
            jobs = session.execute(select(JobRow.id, JobRow.policy).where(refused, recent)).all()
        for job, policy in jobs:
            count_refusal(self.here, job, policy)

    def _shadow(self) -> None:
        for job in shadow.unjudged(self.here.ledger, now() - _BACK):
            shadow.judge_in_shadow(self.here.ledger, self.here.settings.policies, job)


def gauges(here: Context) -> list[Gauge]:
    """What the chores have before them, and what shadow policies would have done."""
    with Session(here.ledger.engine) as session:
        told = session.scalar(select(func.count()).where(OutboxRow.state == "waiting")) or 0
    return [
        Gauge("assay_audit_waiting", "Entries of the audit chain that wait for their seal.", waiting(here.ledger)),
        Gauge("assay_webhooks_waiting", "Events that no receiver has taken yet.", told),
        Gauge("assay_emergency_rules", "Emergency rules in force.", len(emergency.rules(here.ledger))),
        *shadow.gauges(here.ledger),
    ]


@contextmanager
def kept_house(here: Context) -> Iterator[Housekeeper]:
    """The chores while a server runs; kept in its context as the part `housekeeper`."""
    keeper = Housekeeper(here)
    here.parts["housekeeper"] = keeper
    with keeper.running():
        yield keeper
