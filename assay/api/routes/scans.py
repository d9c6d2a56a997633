"""`/v1/scans`: every frame of a video that a client sends, judged; the row is that of `assay scan --json`.

The client waits for it. That keeps the promise simple (nothing is kept once it is answered), and it bounds what may be
sent: larger files are for `assay scan`, which has no limit.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from assay.api.auth import require
from assay.api.bodies import _Body, body, documented_body
from assay.api.context import Here
from assay.api.desks import FileAsk, all_of, ask, desks_of, policy_for
from assay.api.errors import COMMON, ApiError, documented
from assay.moderating import judged
from assay.outcome import Outcome
from assay.request import ScanRequest
from assay.rows import scan_row
from assay.tenants import Caller
from safety import Circumstances

router = APIRouter(prefix="/v1", tags=["scans"], responses=COMMON)

_PRINTABLE = re.compile(r"[^\w. -]")


class Sent(_Body):
    """A video as a form's `file`."""

    file: Any
    require_complete: bool = False


class ScanRow(BaseModel):
    """A line of `assay scan --json`; docs/schemas/scan.schema.json says all of it."""

    model_config = ConfigDict(extra="allow")

    path: str
    sha256: str | None
    action: str | None
    complete: bool
    not_evaluated: list[str]
    reasons: list[dict[str, Any]]
    scores: dict[str, float | None]
    segments: list[dict[str, Any]]
    frames: dict[str, int] | None
    posture: list[dict[str, Any]]
    policy: dict[str, str] | None
    error: dict[str, Any] | None


@router.post("/scans", response_model=ScanRow, responses=documented(415), openapi_extra=documented_body(Sent, "file"))
async def create_scan(
    here: Here,
    caller: Annotated[Caller, Depends(require("scans"))],
    sent: Annotated[Sent, Depends(body(Sent))],
) -> dict[str, Any]:
    """Look at every frame of a video, and decide by the policy. Nothing of it is kept but what the law asks for."""
    if not isinstance(sent.file, UploadFile):
        raise ApiError(400, "invalid_value", "send the video as a form's field `file`", "file")
    most = here.settings.serve.scan_bytes
    if (sent.file.size or 0) > most:
        raise ApiError(413, "request_too_large", f"at most {most} bytes are scanned here; use `assay scan`", "file")
    desks = desks_of(here)
    policy = await policy_for(here, caller, "scan")
    with desks.upload() as folder:
        path = folder / "upload"
        await run_in_threadpool(_write, sent.file, path)
        request = ScanRequest(path, sent.require_complete, quarantine=True)
        outcome: Outcome
        (outcome,) = await all_of(ask(desks.files, "files", FileAsk("scan", request)))
    own = outcome.decisions[0].policy if outcome.decisions else None
    if own != policy.ref:  # the caller's policy decides, over the scores that were made for the server's own
        circumstances = Circumstances(require_complete=sent.require_complete)
        outcome = replace(outcome, decisions=judged(policy, outcome.examination, circumstances))
    return scan_row(_name(sent.file), outcome)


def _write(file: UploadFile, path: Path) -> None:
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as target:
        shutil.copyfileobj(file.file, target, 1 << 20)


def _name(file: UploadFile) -> str:
    """What the client called it, without folders; only told back to it."""
    last = (file.filename or "").replace("\\", "/").rpartition("/")[2]
    return _PRINTABLE.sub("_", last)[:120] or "upload"
