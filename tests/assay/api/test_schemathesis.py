"""Requests drawn from the API's own OpenAPI document, good and bad: no server error, no answer beyond it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from toy_server import served

from assay.ledger import Ledger
from assay.tenants import SCOPES, Tenants

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth"
QUIET = {"ASSAY_SERVE__REQUESTS_PER_MINUTE": "1000000", "ASSAY_SERVE__ACTIVE_JOBS": "40", "ASSAY_SERVE__WORKERS": "0"}


@pytest.mark.full
@pytest.mark.timeout(600)
def test_drawn_requests(tmp_path: Path) -> None:
    """Whatever is sent, the answer is as documented and never a 5xx; no route forgets its key."""
    with served(tmp_path, "one", **QUIET) as server:
        ledger = Ledger(server.settings.ledger)
        key = Tenants(ledger).issue("one", SCOPES)
        ledger.close()
        document = f"{server.url.removesuffix('/v1')}/openapi.json"
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", document,
            "-H", f"Authorization: Bearer {key}", "--checks", CHECKS, "--max-examples", "5",
            "--phases", "fuzzing", "--seed", "7", "--no-color", "--suppress-health-check", "all",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500)
        log = (tmp_path / "server.log").read_text()
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "Traceback" not in log
