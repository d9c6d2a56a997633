"""How much a tenant may ask for: requests a minute (a token bucket in memory), jobs at a time and a day (ledger)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from assay.api.errors import ApiError
from assay.ledger import JobRow, Ledger, State, now
from assay.serving import Serving
from assay.tenants import Caller, TenantRow

_ACTIVE = (State.QUEUED, State.RUNNING, State.HELD)


class Limiter:
    """One bucket a tenant; it holds a minute's worth and fills evenly. A server that restarts starts with full ones."""

    def __init__(self, ledger: Ledger, serving: Serving, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._serving, self._clock = ledger, serving, clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tenant -> tokens, when
        self._lock = threading.Lock()

    def request(self, caller: Caller) -> None:
        """Counts one request; ApiError 429 with Retry-After beyond the limit."""
        limit = caller.limits.requests_per_minute or self._serving.requests_per_minute
        with self._lock:
            tokens, then = self._buckets.get(caller.tenant, (float(limit), self._clock()))
            moment = self._clock()
            tokens = min(float(limit), tokens + (moment - then) * limit / 60)
            enough = tokens >= 1
            self._buckets[caller.tenant] = (tokens - 1 if enough else tokens, moment)
        if not enough:
            wait_s = (1 - tokens) * 60 / limit
            raise ApiError(429, "rate_limit_exceeded", f"{limit} requests a minute are allowed", retry_after_s=wait_s)

    def job(self, caller: Caller) -> None:
        """ApiError 429 where the tenant has as many jobs under way, or had as many today, as it may.

        Asked before a prompt is read, so that nothing is read in vain; `room` is what counts.
        """
        with Session(self._ledger.engine) as session:
            self._count(session, caller)

    def room(self, session: Session, caller: Caller) -> None:
        """The same inside the transaction that adds the job: of one tenant's requests one at a time comes past here."""
        own = update(TenantRow).where(TenantRow.id == caller.tenant).values(created=TenantRow.created)
        session.execute(own)  # its row on PostgreSQL, and the one lock of SQLite, until the job stands or does not
        self._count(session, caller)

    def _count(self, session: Session, caller: Caller) -> None:
        at_once = caller.limits.active_jobs or self._serving.active_jobs
        a_day = caller.limits.jobs_per_day or self._serving.jobs_per_day
        mine = (JobRow.tenant == caller.tenant) & JobRow.wire.is_not(None)
        count = select(func.count()).select_from(JobRow)
        active = session.scalar(count.where(mine, JobRow.state.in_(_ACTIVE))) or 0
        if active >= at_once:
            raise ApiError(429, "concurrency_limit", f"{at_once} videos at a time are allowed", retry_after_s=5)
        today = session.scalar(count.where(mine, JobRow.created > now() - timedelta(days=1))) or 0
        if today >= a_day:
            raise ApiError(429, "quota_exceeded", f"{a_day} videos a day are allowed", retry_after_s=3600)
