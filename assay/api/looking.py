"""Is this server ready? A thread of its own asks everything that it needs, so that a probe is answered at once."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from assay.api.context import Context
from assay.api.desks import FileAsk, desks_of
from assay.api.housekeeping import Housekeeper
from assay.assemble import signing_identity
from assay.batching import Busy
from media import AssayError

log = logging.getLogger("assay.api")

EVERY_S = 10.0
MODELS_EVERY_S = 300.0  # once they are there; until then, every time
_LEAST_FREE = 256 << 20  # bytes of disk, below which no video is begun
_BEGIN_S = 1.0  # after the start: the first client comes before the models are loaded for nobody
_PATIENCE_S = 5.0  # with the worker that knows its models
_STALE_S = 60.0  # a look that is older says nothing any more


@dataclass(frozen=True)
class Look:
    """What was found: by what was looked at, None where it is well, else why not, in words without names of files."""

    faults: Mapping[str, str | None] = field(default_factory=lambda: {"started": "nothing was looked at yet"})
    models: list[dict[str, Any]] = field(default_factory=list)
    to_people: Mapping[str, list[str]] = field(
        default_factory=dict
    )  # categories that a person is asked about, by stage

    @property
    def ready(self) -> bool:
        """True where nothing is wrong."""
        return not any(self.faults.values())


class Looker:
    """Looks every ten seconds; a context manager."""

    def __init__(self, here: Context) -> None:
        self._here, self._stop = here, threading.Event()
        self._look, self._when = Look(), time.monotonic()
        self._models: tuple[float, Look] | None = None
        self._asked: Future[Any] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="readiness")
        self.closing = False

    @property
    def last(self) -> Look:
        """The newest look; one that says so where the server is closing, or where nobody has looked for long."""
        if self.closing:
            return Look({"closing": "the server is going down"})
        if time.monotonic() - self._when > _STALE_S:
            return Look({"stale": "nobody has looked for too long"})
        return self._look

    def look(self) -> Look:
        """Looks now."""
        faults = {
            "ledger": _fault(self._ledger),
            "signing": _fault(self._signing),
            "disk": _fault(self._disk),
            "audit": self._chore("audit"),
        }
        models = self._of_models()
        self._look, self._when = Look({**faults, **models.faults}, models.models, models.to_people), time.monotonic()
        return self._look

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def close(self) -> None:
        """Ends; a look that is under way ends with the desks."""
        self.closing = True
        self._stop.set()

    def _run(self) -> None:
        self._stop.wait(_BEGIN_S)
        while not self._stop.is_set():
            try:
                before, now = self._look.ready, self.look()
                if before != now.ready:
                    wrong = {name: why for name, why in now.faults.items() if why}
                    log.info("ready" if now.ready else "not ready", extra={"facts": {"faults": wrong}})
            except Exception:
                self._look = Look({"looking": "the look itself failed; see the log"})
                log.exception("looking whether all is well failed")
            self._stop.wait(EVERY_S)

    def _ledger(self) -> None:
        with self._here.ledger.write() as session:  # a database that is locked or full fails here
            session.execute(text("SELECT 1"))
            if self._here.ledger.engine.dialect.name == "sqlite":
                session.execute(text("UPDATE alembic_version SET version_num = version_num"))

    def _chore(self, name: str) -> str | None:
        """Why a chore of the housekeeper fails; None where it does not, or nobody keeps house yet."""
        keeper: Housekeeper | None = self._here.parts.get("housekeeper")
        return None if keeper is None else keeper.faults.get(name)

    def _signing(self) -> None:
        signing_identity(self._here.settings).ensure_usable()

    def _disk(self) -> None:
        free = shutil.disk_usage(self._here.settings.home).free
        if free < _LEAST_FREE:
            raise AssayError(f"{free >> 20} MiB of disk are left")

    def _of_models(self) -> Look:
        """What a worker says of its models; loaded there at the first look, so that the first client need not wait."""
        if self._models is not None and time.monotonic() - self._models[0] < MODELS_EVERY_S:
            return self._models[1]
        before = self._models[1] if self._models else Look({"models": "not loaded yet"})
        try:
            self._asked = self._asked or desks_of(self._here).files.submit(FileAsk("readiness", None))[0]
            said: dict[str, Any] = self._asked.result(_PATIENCE_S)
            self._asked = None
        except (Busy, TimeoutError):
            return before  # a long scan is in its way; it is heard at a later look
        except Exception as error:  # noqa: BLE001 (whatever it is: without its models a server is not ready)
            self._models = self._asked = None
            return Look({"models": _words(error)})
        blocked = said["gaps"]["block"]
        why = "; ".join(f"{stage}: {', '.join(names)}" for stage, names in blocked.items())
        found = Look(
            {"models": None, "policy": f"blocks all, since no model evaluates {why}" if why else None},
            said["models"],
            said["gaps"]["review"],
        )
        self._models = (time.monotonic(), found) if found.ready else None
        return found


def _fault(look: Callable[[], object]) -> str | None:
    try:
        look()
    except Exception as error:  # noqa: BLE001 (whatever it is, it is what is wrong)
        return _words(error)
    return None


def _words(error: Exception) -> str:
    """The kind of an error; its text may name files."""
    failure = getattr(error, "failure", None)
    if failure is None:
        return type(error).__name__
    return str(failure.cause if failure.type == "StageFailed" and failure.cause else failure.type)


@contextmanager
def watched(here: Context) -> Iterator[Looker]:
    """Looks while the server runs; kept in its context as the part `looker`."""
    looker = Looker(here)
    here.parts["looker"] = looker
    looker.start()
    try:
        yield looker
    finally:
        looker.close()


def looker_of(here: Context) -> Looker:
    """The looker of a running server."""
    looker: Looker = here.parts["looker"]
    return looker
