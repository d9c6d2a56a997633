"""What every route needs, made once a server: settings, ledger, tenants, limits, and a warm worker process."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from assay.api.errors import ApiError
from assay.api.limits import Limiter
from assay.api.sharing import Sharing
from assay.auditing.pseudonyms import Pseudonyms
from assay.ledger import Ledger
from assay.sealed import load_key
from assay.settings import Settings
from assay.tenants import Tenants
from assay.worker import Worker
from media import AssayError


class Hand:
    """One warm worker process for short tasks; a bounded number of threads waits for it, the next one hears 429."""

    def __init__(self, settings: Settings, waiting: int) -> None:
        self._worker = Worker(settings)
        self._turn = threading.Lock()
        self._places = threading.BoundedSemaphore(waiting)

    def call(self, task: str, argument: object) -> Any:
        """What a task of `assay.tasks` returns; raises what it raised, or ApiError 429 where too many wait."""
        if not self._places.acquire(blocking=False):
            raise ApiError(429, "overloaded", "too many requests are being judged; try again soon", retry_after_s=1)
        try:
            with self._turn:
                return self._worker.call(task, argument)
        finally:
            self._places.release()

    def warm(self, what: str) -> None:
        """Loads models in the background, so that the first request does not wait for them."""

        def load() -> None:
            with contextlib.suppress(
                AssayError, ApiError
            ):  # the first request, and readiness, will say what is missing
                self.call("warm", what)

        threading.Thread(target=load, daemon=True, name=f"warm-{what}").start()

    def close(self) -> None:
        """Ends the process."""
        self._worker.abort()


@dataclass
class Context:
    """See the module. `on_close` takes whatever else must end with the server; `parts` what other routes keep."""

    settings: Settings
    ledger: Ledger
    tenants: Tenants
    limiter: Limiter
    asker: Hand  # reads prompts when a video is created
    artist: Hand  # draws thumbnails and sheets of signed videos
    pseudonyms: Pseudonyms  # of end users and reviewers
    pseudonym_key: bytes = b""  # of addresses that are counted for an hour
    clock: Callable[[], float] = time.time
    sharing: Sharing = field(default_factory=Sharing)
    on_close: ExitStack = field(default_factory=ExitStack)
    parts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Context:
        """The context of a server; raises LedgerVersion where the database is another version's."""
        ledger = Ledger(settings.ledger)
        waiting = settings.serve.asking
        return cls(
            settings, ledger, Tenants(ledger), Limiter(ledger, settings.serve),
            asker=Hand(settings, waiting), artist=Hand(settings, waiting),
            pseudonym_key=load_key(settings.home / "pseudonyms.key", create=True),
            pseudonyms=Pseudonyms(settings.home / "pseudonyms.json", settings.pseudonym_days),
        )  # fmt: skip

    def close(self) -> None:
        """Ends every process and connection."""
        self.on_close.close()
        self.asker.close()
        self.artist.close()
        self.ledger.close()


async def context(request: Request) -> Context:
    """The context of the server that got this request; asynchronous, so that no thread is needed for it."""
    here: Context = request.app.state.context
    return here


Here = Annotated[Context, Depends(context)]  # a route's parameter: `here: Here`
