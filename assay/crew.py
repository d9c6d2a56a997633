"""Several worker processes on one stream of batches, answered in order; a slow writer is answered as it writes."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

from assay.settings import Settings
from assay.worker import Worker

HANDS = min(2, os.cpu_count() or 1)  # processes; each loads the models once and computes on one thread
_AHEAD = 2 * HANDS  # batches read before their turn

Batch = TypeVar("Batch")
_End = object()


class Crew:
    """Worker processes that are started when there is work for them; a context manager."""

    def __init__(self, settings: Settings, hands: int = HANDS) -> None:
        self._settings, self._hands = settings, hands
        self._local = threading.local()
        self._workers: list[Worker] = []
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(hands, thread_name_prefix="crew")
        self._closing = threading.Event()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._pool.shutdown(wait=error is None, cancel_futures=True)
        for worker in self._workers:
            worker.close()

    def answers(self, batches: Iterable[Batch], ask: Callable[[Worker, Batch], Any]) -> Iterator[Any]:
        """What `ask` returns for each batch, in the order of the batches; raises what reading or asking raised."""
        waiting: queue.Queue[Any] = queue.Queue(_AHEAD)
        reader = threading.Thread(target=self._read, args=(batches, ask, waiting), daemon=True, name="crew-reader")
        reader.start()
        while (ahead := waiting.get()) is not _End:
            yield ahead.result()

    def _read(self, batches: Iterable[Batch], ask: Callable[[Worker, Batch], Any], waiting: queue.Queue[Any]) -> None:
        """Hands every batch on as it comes; reading may block for as long as its writer likes."""
        try:
            for batch in batches:
                if self._closing.is_set():
                    return
                waiting.put(self._pool.submit(self._ask, ask, batch))
        except BaseException as error:  # noqa: BLE001 (it is raised where the answers are read)
            failed: Future[Any] = Future()
            failed.set_exception(error)
            waiting.put(failed)
        waiting.put(_End)

    def _ask(self, ask: Callable[[Worker, Batch], Any], batch: Batch) -> Any:
        if not hasattr(self._local, "worker"):
            self._local.worker = Worker(self._settings)
            with self._lock:
                self._workers.append(self._local.worker)
        return ask(self._local.worker, batch)
