"""The measurements; each figure is a ratio within one run, whose rounds are interleaved."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.batch.plan import Plan
from assay.batch.run import Batch, local, opened
from assay.batch.store import Filed, Store
from assay.settings import Settings

LIGHT = ("canary",)


def settings(home: Path, models: Sequence[str] = LIGHT) -> Settings:
    """A home of its own, and a set of models that every installation has."""
    return Settings(home=home, policy="demo", frame_classifiers=tuple(models), nudenet="off")


@dataclass
class Took:
    """Wall and processor seconds of a scan; the writer's own share, and where the memory stood."""

    wall_s: float
    writer_s: float  # wall time in group commits
    writer_cpu_s: float
    frames: int
    cpu_s: float  # of the workers
    resident_mb: list[float]


def scanned(folder: Path, home: Path, workers: int, models: Sequence[str], pinned: bool = False) -> Took:
    """One scan of the folder. The clock starts when the models are loaded, as a long scan would have it."""
    spent, memory = [0.0, 0.0], [0.0]
    with _timed_commits(spent), opened(settings(home, models), local(settings(home, models), workers)) as batch:
        engine: Any = batch.engine
        for hand in engine._hands:  # every model loaded before the clock starts
            hand.scoring_digest()
        if pinned:
            _pin([hand.worker._process.pid for hand in engine._hands])
        memory.clear()
        workers = [hand.worker._process.pid for hand in engine._hands]
        cpu = _cpu_s(workers)
        began = time.perf_counter()

        def note(_: Batch) -> None:
            if batch.counts is not None and batch.counts.files // 200 >= len(memory):
                memory.append(_resident_mb([os.getpid(), *workers]))

        batch.scan(Plan((str(folder),)), False, lambda _, row: None, note)
        took = time.perf_counter() - began
        return Took(took, spent[0], spent[1], batch.counts.frames, _cpu_s(workers) - cpu, memory)


@contextmanager
def _timed_commits(spent: list[float]):  # type: ignore[no-untyped-def]
    keep = Store.keep

    def timed(self: Store, run: str, finished: Sequence[Filed]) -> None:
        began, cpu = time.perf_counter(), time.thread_time()
        keep(self, run, finished)
        spent[0] += time.perf_counter() - began
        spent[1] += time.thread_time() - cpu

    Store.keep = timed  # type: ignore[method-assign]
    try:
        yield
    finally:
        Store.keep = keep  # type: ignore[method-assign]


def _pin(processes: Sequence[int]) -> None:
    """One processor for each worker, whatever the number of its threads: a one-thread worker."""
    cpus = sorted(os.sched_getaffinity(0))
    for number, process in enumerate(processes):
        for thread in Path(f"/proc/{process}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {cpus[number % len(cpus)]})


def _cpu_s(processes: Sequence[int]) -> float:
    fields = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in processes]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def _resident_mb(processes: Sequence[int]) -> float:
    pages = sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in processes)
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def workers(folder: Path, scratch: Path, rounds: int, models: Sequence[str]) -> str:
    """Two one-thread workers against one, in wall time and in what a file costs of a processor."""
    walls, costs = [], []
    for number in range(rounds):
        one = scanned(folder, scratch / f"one-{number}", 1, models, pinned=True)
        two = scanned(folder, scratch / f"two-{number}", 2, models, pinned=True)
        walls.append(one.wall_s / two.wall_s)
        costs.append(two.cpu_s / one.cpu_s)
    shown = ", ".join(f"{ratio:.2f}" for ratio in walls)
    return (
        f"| 2 one-thread workers against 1 | **{statistics.median(walls):.2f}x** | rounds: {shown}; a file cost "
        f"{statistics.median(costs):.2f} times the processor time; load {os.getloadavg()[0]:.1f} |"
    )


def ledger(folder: Path, scratch: Path, models: Sequence[str]) -> str:
    """What writing took of the processor, beside what looking took."""
    took = scanned(folder, scratch / "ledger", 2, models)
    files = sum(1 for path in folder.rglob("*.mp4"))
    share = took.writer_cpu_s / (took.cpu_s + took.writer_cpu_s)
    return (
        f"| ledger, {files} files of {took.frames // files} frames | **{100 * share:.2f} %** of the processor time | "
        f"{1000 * took.writer_cpu_s / files:.2f} ms a file to write, {1000 * took.cpu_s / files:.0f} ms to look; "
        f"commits took {100 * took.writer_s / took.wall_s:.1f} % of the wall time, beside the workers |"
    )


def again(folder: Path, scratch: Path, models: Sequence[str]) -> str:
    """A second run over the same folder, from the command's start to its end, against the first."""
    home = scratch / "again"
    took = []
    for _ in range(2):
        began = time.perf_counter()
        with opened(settings(home, models), local(settings(home, models), 2)) as batch:
            batch.scan(Plan((str(folder),)), False, lambda _, row: None, lambda _: None)
        took.append(time.perf_counter() - began)
    files = sum(1 for path in folder.rglob("*.mp4"))
    return f"| second run over {files} files | **{took[0] / took[1]:.0f}x** | {took[0]:.1f} s, then {took[1]:.2f} s |"


def memory(folder: Path, scratch: Path, models: Sequence[str]) -> str:
    """Resident memory of the driver and its workers, every 200 files."""
    gc.collect()
    took = scanned(folder, scratch / "memory", 2, models)
    marks = took.resident_mb
    half = statistics.median(marks[len(marks) // 4 : len(marks) // 2]), statistics.median(marks[3 * len(marks) // 4 :])
    files = sum(1 for path in folder.rglob("*.mp4"))
    shown = ", ".join(f"{mark:.0f}" for mark in marks)
    return f"| memory over {files} files | **{half[0]:.0f} -> {half[1]:.0f} MB** (2nd and 4th quarter) | {shown} |"
