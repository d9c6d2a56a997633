"""What the server counts, in Prometheus's words. No label holds anything that a client wrote.

What the server does itself is counted as it happens. What workers decide, in processes and on machines of their own, is
read from the ledger at each scrape: only what is new since the last one. So every server counts every decision from its
own start on; take one of them, or the maximum, not the sum.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from assay import stagetimes
from assay.assemble import signing_identity
from assay.batching import Batcher
from assay.ledger import DecisionRow, HeldRow, JobRow, Ledger, State, now
from assay.settings import Settings
from media import AssayError
from safety import Decision

COUNTED = CollectorRegistry()  # of this process: several applications in one (tests) count together

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
REQUESTS = Counter("assay_requests", "Requests answered.", ("method", "route", "status"), registry=COUNTED)
SECONDS = Histogram(
    "assay_request_seconds", "From the request to the end of its answer.", ("route",), buckets=_FAST, registry=COUNTED
)
DECISIONS = Counter(
    "assay_decisions", "Decisions by policy, of jobs and of moderation requests.", ("of", "stage", "action"),
    registry=COUNTED,
)  # fmt: skip
REFUSALS = Counter(
    "assay_refusals", "Decisions to review or block, by the category that led to them.",
    ("of", "stage", "category", "action"), registry=COUNTED,
)  # fmt: skip
FAILED = Counter(
    "assay_failed_evaluations", "Categories that could not be evaluated, and that led to a review or a block.",
    ("of", "stage", "category", "absence"), registry=COUNTED,
)  # fmt: skip
BATCHES = Histogram(
    "assay_batch_size", "Questions answered together.", ("desk",), buckets=(1, 2, 4, 8, 16, 32), registry=COUNTED
)
BUSY = Counter("assay_busy", "Requests refused because too many waited.", ("desk",), registry=COUNTED)

_ROWS = 5000  # decisions read at a scrape; the rest at the next
_KEY_S = 60.0  # between looks at the signing key: a key service may be asked for it


def answered(method: str, route: str | None, status: int | None, seconds: float) -> None:
    """Counts one request; of a path that is no route only that there was one."""
    where = route or "none"
    REQUESTS.labels(method if method in _METHODS else "other", where, str(status or 0)).inc()
    SECONDS.labels(where).observe(seconds)


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


def decided(of: str, decisions: Iterable[Decision | Mapping[str, Any]]) -> None:
    """Counts decisions; `of` says of what: job or moderation."""
    for one in decisions:
        body = one.to_json() if isinstance(one, Decision) else one
        stage, action = body["stage"], body["action"]
        DECISIONS.labels(of, stage, action).inc()
        found, absent = set(), set()
        for reason in body["reasons"]:
            if reason["action"] == "allow":
                continue
            if reason["absence"] is None:
                found.add(reason["category"])
            else:
                absent.add((reason["category"], reason["absence"]))
        for category in found:
            REFUSALS.labels(of, stage, category, action).inc()
        for category, absence in absent:
            FAILED.labels(of, stage, category, absence).inc()


class ServerState(Collector):
    """What is read when somebody asks: the queue, the desks, the key, and the decisions since the last time."""

    def __init__(self, settings: Settings, ledger: Ledger, desks: Mapping[str, Batcher[Any, Any]]) -> None:
        self._settings, self._ledger, self._desks = settings, ledger, desks
        self._lock = threading.Lock()
        self._seen = self._newest()
        self._key: tuple[float, float | None] = (-_KEY_S, None)
        self.ready: Callable[[], bool] = lambda: False

    def exposition(self) -> bytes:
        """Everything, in the text format. A ledger that cannot be read is an error, not an empty queue."""
        with self._lock:
            self._hear()
            own = CollectorRegistry()
            own.register(self)
            return generate_latest(COUNTED) + generate_latest(own)

    def collect(self) -> Iterator[GaugeMetricFamily | HistogramMetricFamily]:
        """The gauges and the stages' times; for the registry."""
        yield _gauge("assay_ready", "1 where the server is ready.", [((), float(self.ready()))])
        yield from self._queue()
        waiting = {name: desk.depth for name, desk in self._desks.items()}
        rows = [((name,), float(depth.waiting)) for name, depth in waiting.items()]
        yield _gauge("assay_desk_waiting", "Questions that wait.", rows, ("desk",))
        ages = [((name,), depth.oldest_s) for name, depth in waiting.items()]
        yield _gauge("assay_desk_oldest_seconds", "How long the oldest of them waits.", ages, ("desk",))
        days = self.certificate_days()
        yield _gauge(
            "assay_certificate_days_left", "Until the signing certificate ends; NaN where there is none.",
            [((), float("nan") if days is None else days)],
        )  # fmt: skip
        yield _stages(stagetimes.gathered(self._settings.home))

    def certificate_days(self) -> float | None:
        """Days until the signing certificate or one above it ends; None where there is no key that could sign."""
        when, days = self._key
        if time.monotonic() - when >= _KEY_S:
            days = _days_left(self._settings)
            self._key = (time.monotonic(), days)
        return days

    def _queue(self) -> Iterator[GaugeMetricFamily]:
        with Session(self._ledger.engine) as session:
            counted = session.execute(select(JobRow.state, func.count()).group_by(JobRow.state)).all()
            oldest = session.scalar(select(func.min(JobRow.created)).where(JobRow.state == State.QUEUED))
            held = session.scalar(select(func.min(HeldRow.created)).where(HeldRow.state == "waiting"))
        states = {state: count for state, count in counted}  # noqa: C416 (rows are no tuples to a type checker)
        rows = [((state.value,), float(states.get(state.value, 0))) for state in State]
        yield _gauge("assay_jobs", "Jobs by state.", rows, ("state",))
        for name, words, since in (
            ("assay_queue_age_seconds", "How long the oldest waiting job waits.", oldest),
            ("assay_review_age_seconds", "How long the oldest held prompt or output waits for a person.", held),
        ):
            age = 0.0 if since is None else max(0.0, (now() - since).total_seconds())
            yield _gauge(name, words, [((), age)])

    def _hear(self) -> None:
        """Counts what was decided about jobs since the last time, by whichever process."""
        with Session(self._ledger.engine) as session:
            rows = session.execute(
                select(DecisionRow.key, DecisionRow.body)
                .where(DecisionRow.key > self._seen, DecisionRow.policy_digest.is_not(None))
                .order_by(DecisionRow.key)
                .limit(_ROWS)
            ).all()
        decided("job", (body for _, body in rows))
        self._seen = max([self._seen, *(key for key, _ in rows)])

    def _newest(self) -> int:
        with Session(self._ledger.engine) as session:
            return session.scalar(select(func.max(DecisionRow.key))) or 0


def _days_left(settings: Settings) -> float | None:
    try:
        until = signing_identity(settings).usable_until
    except (AssayError, OSError):
        return None
    return (until.replace(tzinfo=None) - now()).total_seconds() / 86400


def _gauge(
    name: str, words: str, rows: Sequence[tuple[tuple[str, ...], float]], labels: Sequence[str] = ()
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _stages(times: Mapping[str, stagetimes.Times]) -> HistogramMetricFamily:
    family = HistogramMetricFamily("assay_stage_seconds", "How long the stages take.", labels=("stage",))
    for stage, one in sorted(times.items()):
        total, buckets = 0, []
        for bound, count in zip((*map(str, stagetimes.BOUNDS_S), "+Inf"), one.counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        family.add_metric([stage], buckets, one.seconds)
    return family
