"""The shell examples of the docs, line by line through a real bash, with `curl` as a request to the application."""

from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from assay.ledger import Ledger
from assay.settings import Settings
from assay.tenants import CLIENT_SCOPES, Tenants

DOCS = Path(__file__).resolve().parents[3] / "docs"
PRELUDE = """curl() { printf '%s\\0' "$@"; }
assay() { :; }
"""
LEARNED = {"emg_": "EMERGENCY", "hold_": "HOLD", "job_": "JOB"}  # by how an id begins

pytestmark = pytest.mark.full


def lines_of(page: str) -> Iterator[str]:
    """The commands of every shell block of a page that calls the API."""
    for block in re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.S):
        if "curl" in block:
            yield from block.replace("\\\n", " ").splitlines()


class Shell:
    """Runs lines with what is known so far, and learns from the answers."""

    def __init__(self, client: TestClient, known: dict[str, str]) -> None:
        self._client, self._known, self._kept = client, known, PRELUDE
        self.answered: list[tuple[str, int]] = []

    def run(self, line: str) -> None:
        if re.match(r"(export )?[A-Z]+=", line):
            self._kept += line + "\n" if "..." not in line else ""  # what the reader fills in is known here already
            return
        said = subprocess.run(
            ["bash", "-euc", self._kept + line], capture_output=True, check=True, text=True, env=self._known
        )
        if said.stdout:
            self._send(said.stdout.split("\0")[:-1], line)

    def _send(self, words: list[str], line: str) -> None:
        parser = argparse.ArgumentParser(exit_on_error=False)
        parser.add_argument("url")
        parser.add_argument("-s", action="store_true")
        parser.add_argument("-X", default=None)
        parser.add_argument("-o")
        parser.add_argument("-d")
        parser.add_argument("-H", action="append", default=[])
        asked = parser.parse_args(words)
        path = re.sub(r"^(http://)?localhost:8080", "", asked.url)
        assert path.startswith("/v1/"), line
        headers = dict(header.split(": ", 1) for header in asked.H)
        method = asked.X or ("GET" if asked.d is None else "POST")
        answer = self._client.request(method, path, content=asked.d, headers=headers)
        self.answered.append((f"{method} {path}: {answer.text[:300]}", answer.status_code))
        if answer.headers["content-type"] == "application/json":
            self._learn(answer.json())

    def _learn(self, body: dict[str, Any]) -> None:
        if "digest" in body:
            self._known["DIGEST"] = body["digest"]
        for start, name in LEARNED.items():
            if str(body.get("id", "")).startswith(start):
                self._known[name] = body["id"]


@pytest.fixture
def shell(api_settings: Settings, api_client: TestClient) -> Shell:
    ledger = Ledger(api_settings.ledger)
    tenants = Tenants(ledger)
    tenants.add("one")
    known = {
        "KEY": tenants.issue("one", CLIENT_SCOPES), "ADMIN": tenants.issue("one", ("admin",)),
        "ASSAY": "http://localhost:8080",
    }  # fmt: skip
    ledger.close()
    made = api_client.post(
        "/v1/videos", json={"prompt": "grey", "seconds": "1", "size": "96x64"},
        headers={"authorization": f"Bearer {known['KEY']}"},
    )  # fmt: skip
    known["VIDEO"] = made.json()["id"]
    return Shell(api_client, known)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", ["api.md", "rollout.md"])
def test_examples_do_what_they_say(shell: Shell, page: str) -> None:
    """Every command of the page, copied as it stands, is a request that the server takes."""
    for line in lines_of(page):
        shell.run(line)
    assert len(shell.answered) >= 3
    refused = [said for said, status in shell.answered if status >= 400]
    assert [said for said in refused if "/content" not in said] == []  # nobody makes the video here
