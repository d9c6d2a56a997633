"""A server of this checkout in a process of its own, as a user would start it, with toy stages."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from toy_run import TOY_ENVIRONMENT, assay_environment

from assay.ledger import Ledger
from assay.settings import Settings
from assay.tenants import CLIENT_SCOPES, Tenants


@dataclass
class Served:
    """A running server: where, whose keys, and the folder it keeps everything in."""

    folder: Path
    port: int
    environment: dict[str, str]
    keys: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The base that clients are given."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def settings(self) -> Settings:
        """The server's home, for looking at its ledger and files."""
        return Settings(home=self.folder / "home", ledger_url=self.environment.get("ASSAY_LEDGER_URL"))

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "assay", "serve", "--port", str(self.port)],
                env=assay_environment(self.folder, **self.environment), stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 300  # a crowded machine takes its time to import it all
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/nothing", timeout=5)
            except urllib.error.HTTPError as answer:
                answer.close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError((self.folder / "server.log").read_text())

    def kill(self) -> None:
        """SIGKILL to the server alone; its workers must find out by themselves."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(180)

    def end(self) -> None:
        """Whatever is left of its group goes."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def served(folder: Path, *tenants: str, **environment: str) -> Iterator[Served]:
    """A server with these tenants, each with a key of the scopes of clients."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Served(folder, port, {**TOY_ENVIRONMENT, **environment})
    ledger = Ledger(server.settings.ledger)
    for name in tenants:
        Tenants(ledger).add(name)
        server.keys[name] = Tenants(ledger).issue(name, CLIENT_SCOPES)
    ledger.close()
    try:
        server.start()
        yield server
    finally:
        server.end()
