"""The worker processes that answer short questions while a client waits: texts in batches, pictures, files.

Each desk has a bounded queue, and beyond it clients hear 429. Its processes start with the first question (or when
readiness is first asked for), keep their models, and are replaced where one dies or hangs.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool

from assay import banking, rollout
from assay.api import meters
from assay.api.context import Context
from assay.api.errors import ApiError
from assay.batching import Batcher, Busy, Closing, Limits
from assay.errors import ExitCode
from assay.leftovers import OwnerLock, new_owner
from assay.moderating import PictureAsk, TextAsk
from assay.sealed import load_key
from assay.settings import Settings
from assay.telemetry import span
from assay.tenants import Caller
from assay.worker import TaskFailed, Worker
from safety import Examination, Policy

_PICTURES = 16  # that may wait; each is looked at for a second or so, and is held in memory meanwhile
_PATIENCE_S = 1.0  # with each desk at the end: its clients have had the server's grace already
_ROLLOUT_S = 1.0  # a roll-out is read again after so long
_FILES = 4  # that may wait; each is on the disk

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class FileAsk:
    """A task of `assay.tasks` about a file, by the task's name."""

    task: str
    argument: object


@dataclass(frozen=True)
class Desks:
    """The desks of a server, and a private folder (0700) for what is uploaded to them."""

    texts: Batcher[TextAsk, Examination]
    pictures: Batcher[PictureAsk, Examination]
    files: Batcher[FileAsk, Any]
    folder: Path
    check_key: bytes  # ids of answers of the public detector are proved by it
    policies: Callable[[str | None], Policy]  # by name; None: the server's
    rolled: Callable[[str], str]  # the name of the policy of a digest: its file
    rollouts: dict[str, tuple[float, rollout.Rollout]] = field(default_factory=dict)  # by tenant, and when it was read

    @property
    def by_name(self) -> Mapping[str, Batcher[Any, Any]]:
        """For meters."""
        return {"texts": self.texts, "pictures": self.pictures, "files": self.files}

    @contextmanager
    def upload(self) -> Iterator[Path]:
        """A folder for one upload; it and all in it is gone afterwards, whatever happens."""
        made = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)


@contextmanager
def open_desks(here: Context) -> Iterator[Desks]:
    """The desks of a server while it runs; kept in its context as the part `desks`."""
    settings, owner = here.settings, new_owner()
    serving = settings.serve
    with ExitStack() as stack:
        stack.enter_context(OwnerLock(settings, owner))  # a server that is killed: the next start clears its folder
        folder = settings.private / owner
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        limits = Limits(serving.moderation_batch, serving.moderation_waiting)
        crew = stack.enter_context(_Crew(settings))
        texts = Batcher(crew.opening(_in_a_batch), limits, hands=serving.moderation_hands)
        pictures = Batcher(crew.opening(_one_by_one), Limits(1, _PICTURES))
        files = Batcher(crew.opening(_each_its_task), Limits(1, _FILES))
        for desk in (texts, pictures, files):
            stack.callback(desk.close, _PATIENCE_S)
        key = load_key(settings.home / "checks.key", create=True)
        desks = Desks(texts, pictures, files, folder, key, _policies(settings), _rolled(here))
        here.parts["desks"] = desks
        yield desks


def desks_of(here: Context) -> Desks:
    """The desks of a running server."""
    desks: Desks = here.parts["desks"]
    return desks


async def policy_for(here: Context, caller: Caller, id: str) -> Policy:
    """The policy that judges this request: what is rolled out for the tenant, else the tenant's, else the server's.

    A roll-out counts from at most a second after it was made; what a request is judged by is cited in its answer.
    """
    desks = desks_of(here)
    current = await _rolled_out(here, caller.tenant)
    digest = current.acts_for(id)
    if digest is None and here.settings.ledger_url is None:  # then two small files are asked, and no thread is needed
        return desks.policies(caller.policy)
    return await run_in_threadpool(lambda: desks.policies(caller.policy if digest is None else desks.rolled(digest)))


async def _rolled_out(here: Context, tenant: str) -> rollout.Rollout:
    """What counts for a tenant; read again ahead of the second for which that is known."""
    kept, question = desks_of(here).rollouts, ("rollout", tenant)

    def read() -> rollout.Rollout:
        began = time.monotonic()  # as of before it was read
        found = rollout.current(here.ledger, tenant)
        kept[tenant] = (began, found)
        return found

    when, current = kept.get(tenant, (0.0, None))
    age_s = time.monotonic() - when
    if current is None or age_s >= _ROLLOUT_S:
        return await here.sharing.ask(question, read)
    if age_s > _ROLLOUT_S / 2:
        here.sharing.ahead(question, read)
    return current


def ask(desk: Batcher[Asked, Answer], name: str, *asked: Asked, weight: int = 1) -> list[Future[Answer]]:
    """Puts questions to a desk; ApiError 429 with a time to come back where too many wait, 503 at the end."""
    try:
        return desk.submit(*asked, weight=weight)
    except Busy as error:
        meters.BUSY.labels(name).inc()
        raise ApiError(429, "overloaded", str(error), retry_after_s=error.retry_after_s) from error
    except Closing as error:
        raise ApiError(503, "closing", str(error), retry_after_s=1) from error


async def all_of(futures: Sequence[Future[Answer]]) -> list[Answer]:
    """Every answer, in order; whatever one of them raised, as an ApiError where a client can do something about it.

    Where the client goes away, or one fails, what was not begun of the others is not begun.
    """
    try:
        return [await asyncio.wrap_future(future) for future in futures]
    except TaskFailed as error:
        raise _told(error) from error
    except Closing as error:
        raise ApiError(503, "closing", str(error), retry_after_s=1) from error
    finally:
        for future in futures:
            future.cancel()


def _told(error: TaskFailed) -> Exception:
    """A task's failure as the client may know it; anything else is ours, and stays as it is."""
    if error.failure.exit_code is ExitCode.USAGE:
        return ApiError(400, "invalid_file", str(error))
    if error.failure.cause == "MediaError":
        return ApiError(400, "invalid_file", "the file cannot be read; export it again", "file")
    if "ModelUnavailable" in (error.failure.type, error.failure.cause):
        return ApiError(503, "model_unavailable", "a model of this server cannot be loaded; nothing was looked at")
    return error


class _Crew:
    """Every worker of the desks: whoever is still at something when the server goes is ended."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._workers: list[Worker] = []

    def __enter__(self) -> _Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.abort()

    def opening(self, answer: Callable[[Worker, Sequence[Any]], Sequence[Any]]) -> Any:
        """For a batcher: a worker of its own for each hand."""

        @contextmanager
        def opening() -> Iterator[Callable[[Sequence[Any]], Sequence[Any]]]:
            worker = Worker(self._settings)
            self._workers.append(worker)
            yield lambda asked: answer(worker, asked)

        return opening


def _in_a_batch(worker: Worker, asked: Sequence[TextAsk]) -> Sequence[Examination]:
    meters.BATCHES.labels("texts").observe(len(asked))
    with span("texts", batch=len(asked)):
        said: Sequence[Examination] = worker.call("texts", list(asked))
    return said


def _one_by_one(worker: Worker, asked: Sequence[PictureAsk]) -> Sequence[Examination]:
    with span("pictures", batch=len(asked)):
        return [worker.call("picture", one) for one in asked]


def _each_its_task(worker: Worker, asked: Sequence[FileAsk]) -> Sequence[Any]:
    with span("files", batch=len(asked)):
        return [worker.call(one.task, one.argument) for one in asked]


def _rolled(here: Context) -> Callable[[str], str]:
    """Names of policies that were rolled out; what is under a digest never changes."""
    folder = here.settings.policies

    def name(digest: str) -> str:
        rollout.load(here.ledger, folder, digest)  # whole, and in a file
        return str(rollout.file_of(folder, digest))

    return lru_cache(maxsize=32)(name)


def _policies(settings: Settings) -> Callable[[str | None], Policy]:
    """Policies by name, loaded once, and anew where somebody has changed a bank: each bank has its rule."""
    kept: dict[str, tuple[object, Policy]] = {}

    def policy(name: str | None) -> Policy:
        wanted = settings if name is None else settings.model_copy(update={"policy": name})
        state = banking.state(wanted)
        known = kept.get(wanted.policy)
        if known is None or known[0] != state:
            known = kept[wanted.policy] = (state, banking.policy(wanted))
        return known[1]

    return policy
