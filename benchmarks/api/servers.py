"""Servers to race: processes of this checkout, and the CPU time of each with all its children."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assay.ledger import Ledger
from assay.settings import Settings
from assay.tenants import CLIENT_SCOPES, Tenants

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    key: str
    pid: int

    def cpu_s(self) -> float:
        """CPU seconds of its process and its children so far."""
        return sum(_cpu_s(pid) for pid in _family(self.pid))

    def rss_mb(self) -> float:
        """Resident memory of them all, in MB."""
        return sum(_rss_kb(pid) for pid in _family(self.pid)) / 1024


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _cpu_s(pid: int) -> float:
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / _TICKS if fields else 0.0  # own and of children that have ended


def _rss_kb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0.0)


def _family(pid: int) -> list[int]:
    """A process and all that came of it."""
    parents = {int(p.name): fields[1] for p in Path("/proc").glob("[0-9]*") if (fields := _stat(int(p.name)))}
    found, new = [], [pid]
    while new:
        found += new
        new = [child for child, parent in parents.items() if int(parent) in new]
    return found


@contextmanager
def served(folder: Path, **serving: int) -> Iterator[Server]:
    """A server without job workers, with the shipped classifiers; `serving` are settings of `assay.serving`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(home=folder)
    ledger = Ledger(settings.ledger)
    Tenants(ledger).add("bench")
    key = Tenants(ledger).issue("bench", CLIENT_SCOPES)
    ledger.close()
    asked = {"requests_per_minute": 10**9, **serving}
    changed = {f"ASSAY_SERVE__{name.upper()}": str(value) for name, value in asked.items()}
    environment = {**os.environ, "ASSAY_HOME": str(folder), "OMP_NUM_THREADS": "1", **changed}
    command = [sys.executable, "-m", "assay", "serve", "--no-workers", "--port", str(port)]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait(port, process)
        yield Server(port, key, process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
        else:
            return
    raise RuntimeError(f"the server on port {port} did not get ready")
