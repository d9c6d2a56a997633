"""A PostgreSQL server of the test's own, from Debian's packages; it listens on a socket in its folder alone."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def binaries() -> Path | None:
    """Where `initdb` and `postgres` are; installed by apt where that is possible, None where it is not."""
    if (found := _found()) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", "postgresql"]):
            subprocess.run(["apt-get", "-qq", *command], env=environment, capture_output=True, check=False)
        found = _found()
    return found


def _found() -> Path | None:
    there = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if there:
        return there[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextmanager
def postgres(folder: Path, programs: Path) -> Iterator[str]:
    """A running server; its SQLAlchemy URL."""
    who: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        who = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid}
        folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    place = {**who, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        made = [programs / "initdb", "-D", folder / "cluster", "-U", "assay", "-A", "trust", "--no-sync"]
        subprocess.run(made, check=True, **place)
        command = [programs / "postgres", "-D", folder / "cluster", "-k", folder, "-c", "listen_addresses=", "-F"]
        server = subprocess.Popen(command, **place)
        try:
            deadline = time.monotonic() + 60
            while not (folder / ".s.PGSQL.5432").exists() and time.monotonic() < deadline:
                time.sleep(0.1)
            time.sleep(1)
            yield f"postgresql+psycopg://assay@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)  # fast: whoever is still connected is let go
            server.wait(30)
    finally:
        if who:
            shutil.rmtree(folder, ignore_errors=True)
