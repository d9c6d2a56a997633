"""One job of the queue, in a worker process: taken, kept by a heartbeat, run through the spine, and ended."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from assay.jobs.queue import Cancelled, Queue, Taken
from assay.jobs.tidying import tidy_job
from assay.watch import Watch
from media import AssayError

if TYPE_CHECKING:
    from assay.tasks import Bench

BEAT_S = 1.0  # between heartbeats; also how long a cancelled job may go on unnoticed
# Where each stage lies between 0 and 1, so that a client sees one bar. Rendering and looking take the time.
_SPANS = {"prompt": (0.0, 0.02), "input": (0.02, 0.05), "generator": (0.05, 0.6), "frame": (0.6, 0.97)}


def work(bench: Bench, argument: None, watch: Watch) -> str | None:
    """Takes one job and brings it to an end, or back into the queue; its id, or None where nothing waits."""
    queue = bench.queue
    taken = queue.take(bench.owner)
    if taken is None:
        return None
    with Heart(queue, taken) as heart:
        try:
            _run(bench, taken, Leased(watch, heart))
        except Exception as error:  # noqa: BLE001 (the job ends in it, by its code; nothing was released)
            queue.give_up(taken, heart.lost or error)
    tidy_job(bench.settings, queue.ledger, taken.job)
    return taken.job


def _run(bench: Bench, taken: Taken, watch: Watch) -> None:
    from assay import pipeline
    from assay.review import approval_of

    stages = bench.under(taken.policy).generating
    folder = destination_folder(bench.settings.videos, taken)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    request = replace(taken.request, destination=folder / "video.mp4")
    outcome = pipeline.generate(request, stages, watch, approval_of(taken.approval), taken.job)
    if outcome.record is not None:
        width, height = outcome.record["size"]
        made = {"size": f"{width}x{height}", "seconds": f"{outcome.record['seconds']:g}"}
        bench.queue.tell(taken.job, made)


def destination_folder(videos: Path, taken: Taken) -> Path:
    """A folder an attempt, so that one that lost its lease overwrites nothing."""
    return videos / taken.job / str(taken.attempt)


class Heart:
    """Beats while the job runs, whatever the stages do; `lost` says why nothing of this attempt counts any more."""

    def __init__(self, queue: Queue, taken: Taken) -> None:
        self._queue, self._taken = queue, taken
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="heart")
        self.progress = 0.0
        self.lost: AssayError | None = None

    def __enter__(self) -> Heart:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_S):
            try:
                self._queue.beat(self._taken, self.progress)
            except AssayError as error:
                self.lost = error
                return
            except Exception:  # noqa: BLE001, S112 (a database that is away for a moment: the lease outlasts some beats)
                continue


class Leased:
    """A watch that ends a job whose lease is gone, and notes how far it is."""

    def __init__(self, watch: Watch, heart: Heart) -> None:
        self._watch, self._heart = watch, heart

    def entered(self, stage: str) -> None:
        """A stage begins; not where the job was cancelled or belongs to somebody else by now."""
        self._stop_if_lost()
        self._watch.entered(stage)
        self._heart.progress = _SPANS.get(stage, (0.97, 1.0))[0]

    def left(self, stage: str) -> None:
        """A stage ended."""
        self._watch.left(stage)

    def progress(self, stage: str, done: float, total: float) -> None:
        """How far the stage is."""
        self._stop_if_lost()
        self._watch.progress(stage, done, total)
        start, end = _SPANS.get(stage, (0.97, 1.0))
        self._heart.progress = start + (end - start) * min(1.0, done / total if total else 0.0)

    def _stop_if_lost(self) -> None:
        if self._heart.lost is not None:
            raise Cancelled(str(self._heart.lost)) from self._heart.lost
