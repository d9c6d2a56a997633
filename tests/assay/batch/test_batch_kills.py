"""Workers and drivers are killed at random moments: every row is there once, and is what an undisturbed run says."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_toys import GREY, RED, clip
from toy_run import TOY_ENVIRONMENT, assay_environment

FILES, WORKER_KILLS, DRIVER_KILLS = 180, 20, 5  # a task of Ray brings four to six rows at once
STEP = 2  # rows between two kills: whoever was killed last works again


def laid_out(folder: Path) -> Path:
    """Contents of two kinds, copies and broken files."""
    for number in range(FILES):
        path = folder / "clips" / f"{number % 7}" / f"{number:03d}.mp4"
        if number % 10 == 7:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"broken" * number)
        else:
            clip(path, RED if number % 4 == 0 else GREY, mark=number - number % 10 % 2)
    return folder


class Runs:
    """`assay scan`, started again whenever it was killed."""

    def __init__(self, folder: Path, home: str, *options: str, **environment: str) -> None:
        self.folder, self.ledger = folder, folder / home / "home" / "ledger.sqlite"
        toys = TOY_ENVIRONMENT | {"ASSAY_FRAME_CLASSIFIERS": '["batch_toys:SlowFrame"]', "ASSAY_BATCH_COMMIT_S": "0.1"}
        self.environment = assay_environment(folder / home, **toys, **environment)
        self.rows = folder / f"{home}.jsonl"
        self.command = [sys.executable, "-m", "assay", "scan", "clips", "--out", str(self.rows), *options]
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        """The command, with all that it starts in a session of its own."""
        self.process = subprocess.Popen(
            self.command, cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        )  # fmt: skip
        return self.process

    def written(self) -> int:
        """Rows in the ledger so far."""
        if not self.ledger.exists():
            return 0
        try:
            with sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=10) as ledger:
                return int(ledger.execute("SELECT count(*) FROM path_rows").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # the tables are being made

    def progressed(self, rows: int) -> bool:
        """Waits until there are so many rows, or the run has ended."""
        assert self.process is not None
        until = time.monotonic() + 500
        while self.process.poll() is None and time.monotonic() < until:
            if self.written() >= rows:
                return True
            time.sleep(0.02)
        return False

    def finish(self) -> list[dict[str, Any]]:
        """Waits for the end; the rows that were written."""
        assert self.process is not None
        _, said = self.process.communicate(timeout=600)
        assert self.process.returncode == 0, said
        return [json.loads(line) for line in self.rows.read_text().splitlines()]


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The worker processes that a command has started."""
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        children += [
            c for t in Path(f"/proc/{process.pid}/task").iterdir() for c in (t / "children").read_text().split()
        ]
    except OSError:
        return []
    return [int(one) for one in set(children) if "spawn_main" in command_line(one)]


def actors_of(home: str) -> list[int]:
    """Ray's actors whose environment is this test's: no other process is ever touched."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and "ray::" in command_line(entry.name) and "Scanner" in command_line(entry.name):
            try:
                mine = home.encode() in (entry / "environ").read_bytes()
            except OSError:
                continue
            found += [int(entry.name)] if mine else []
    return found


def command_line(process: str) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text("utf-8", "replace")
    except OSError:
        return ""


def killed_again_and_again(runs: Runs, workers: Any) -> None:
    """Twenty workers and five drivers, each when the run has moved on since the last kill."""
    dice = random.Random(5)
    kills = ["worker"] * WORKER_KILLS + ["driver"] * DRIVER_KILLS
    dice.shuffle(kills)
    process = runs.start()
    for kill in kills:
        assert runs.progressed(runs.written() + STEP), f"the run ended before the {kill} was killed"
        if kill == "driver":
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            process = runs.start()
            continue
        until = time.monotonic() + 300
        while not (alive := workers(process)) and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(dice.choice(alive), signal.SIGKILL)


def one_row_a_key(runs: Runs) -> None:
    """The ledger holds each content once, and each path once in its run."""
    with sqlite3.connect(runs.ledger) as ledger:
        for table, key in (("contents", "sha256, scoring_digest"), ("path_rows", "run, uri"), ("decided", "content")):
            doubled = ledger.execute(f"SELECT {key} FROM {table} GROUP BY {key} HAVING count(*) > 1").fetchall()
            assert doubled == [], table
        assert ledger.execute("SELECT count(*), count(DISTINCT run) FROM path_rows").fetchone() == (FILES, 1)
        dangling = "SELECT count(*) FROM contents LEFT JOIN items ON items.job = contents.job WHERE items.key IS NULL"
        assert ledger.execute(dangling).fetchone() == (0,)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A run that nobody disturbs."""
    runs = Runs(laid_out(tmp_path_factory.mktemp("kills")), "calm", "--workers", "2")
    runs.start()
    rows = runs.finish()
    assert len(rows) == FILES
    assert {row["action"] for row in rows} == {"allow", "block", None}
    return runs


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_kills_change_no_row_of_the_local_engine(calm: Runs) -> None:
    """After 20 kills of workers and 5 of the driver the rows are those of an undisturbed run, byte for byte."""
    runs = Runs(calm.folder, "local", "--workers", "2", "--resume")
    killed_again_and_again(runs, workers_of)
    runs.finish()
    assert runs.rows.read_bytes() == calm.rows.read_bytes()
    one_row_a_key(runs)


@pytest.fixture
def cluster(calm: Runs, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Runs, str]]:
    """Ray with two nodes on this machine, in the environment of a run."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    runs = Runs(calm.folder, "ray", "--resume", "--engine", "ray", "--workers", "2")
    for name, value in (runs.environment | {"RAY_memory_monitor_refresh_ms": "0", "RAY_worker_niceness": "0"}).items():
        monkeypatch.setenv(name, value)
    small = {"num_cpus": 1, "object_store_memory": 150_000_000, "include_dashboard": False}
    nodes = Cluster(initialize_head=True, head_node_args=small)
    try:
        nodes.add_node(num_cpus=1, object_store_memory=150_000_000)
        nodes.wait_for_nodes()
        runs.command += ["--address", nodes.address]
        yield runs, runs.environment["ASSAY_HOME"]
    finally:
        if runs.process is not None and runs.process.poll() is None:
            os.killpg(runs.process.pid, signal.SIGKILL)
            runs.process.communicate()
        nodes.shutdown()


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_kills_change_no_row_of_the_ray_engine(calm: Runs, cluster: tuple[Runs, str]) -> None:
    """On a cluster of two nodes too; and its rows are those of the local engine."""
    runs, home = cluster
    killed_again_and_again(runs, lambda _: actors_of(home))
    runs.finish()
    assert runs.rows.read_bytes() == calm.rows.read_bytes()
    one_row_a_key(runs)
