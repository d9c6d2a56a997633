"""The public detector: does this file prove, or seem, to be made by a generator? Nothing of it is kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from assay.api.auth import OPENS, Opens, require
from assay.api.bodies import _Body, body, documented_body
from assay.api.context import Context, Here, context
from assay.api.desks import FileAsk, all_of, ask, desks_of
from assay.api.errors import COMMON, ApiError, documented, not_found
from assay.checking import answer_of, keep_feedback, public
from assay.fetching import Bounds, fetch
from assay.tenants import Caller, Limits
from media import UsageError

router = APIRouter(prefix="/v1", tags=["provenance"], responses=COMMON)

_SCOPE = "checks"


async def visitor(request: Request, here: Annotated[Context, Depends(context)]) -> Caller:
    """Whoever asks: the holder of a key or, where the server is open to all, an address with a small allowance."""
    if request.headers.get("authorization") or not here.settings.serve.public_checks:
        return await _keyed(request, here, None)
    address = request.client.host if request.client else ""
    nobody = hashlib.sha256(here.pseudonym_key + address.encode()).hexdigest()[:32]
    limits = Limits(requests_per_minute=here.settings.serve.public_checks_per_minute)
    caller = Caller(f"public:{nobody}", "public", frozenset({_SCOPE}), limits=limits)
    here.limiter.request(caller)
    return caller


_keyed = require(_SCOPE)
OPENS[visitor] = Opens(_SCOPE, lambda serving: serving.public_checks)


class Checked(_Body):
    """A file, as a form's `file` or by its `url` where this server fetches any."""

    file: Any = None
    url: str | None = None


class Word(_Body):
    """What somebody thinks of an answer."""

    word: Literal["correct", "incorrect", "unsure"]


class Check(BaseModel):
    """The answer and what it rests on. `outcome` of a witness that did not look is null."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["provenance_check"]
    created_at: int
    answer: Literal["synthetic", "likely-synthetic", "contradictory", "inconclusive", "no-evidence"]
    meaning: str
    synthetic: float | None
    fpr: float | None
    because: list[str]
    generator: dict[str, str] | None
    segments: list[dict[str, Any]]
    results: list[dict[str, Any]]
    hints: list[dict[str, str]]


class Feedback(BaseModel):
    """What was kept."""

    id: str
    object: Literal["provenance_check.feedback"]
    answer: str
    word: str


Visitor = Annotated[Caller, Depends(visitor)]


@router.post(
    "/provenance/checks", response_model=Check, responses=documented(415),
    openapi_extra=documented_body(Checked, "file"),
)  # fmt: skip
async def create_provenance_check(
    here: Here, _: Visitor, asked: Annotated[Checked, Depends(body(Checked))]
) -> dict[str, Any]:
    """Say what is known of a file's origin. No personal provenance data is told, and nothing is kept."""
    return await _checked(here, asked)


@router.post(
    "/content_provenance_checks", response_model=Check, responses=documented(415),
    openapi_extra=documented_body(Checked, "file"),
)  # fmt: skip
async def create_content_provenance_check(
    here: Here, _: Visitor, asked: Annotated[Checked, Depends(body(Checked))]
) -> dict[str, Any]:
    """The same under the name that the openai client knows; ours takes videos, too."""
    return await _checked(here, asked)


@router.post("/provenance/checks/{id}/feedback", response_model=Feedback, responses=documented(415))
async def give_feedback(here: Here, _: Visitor, id: str, said: Annotated[Word, Depends(body(Word))]) -> dict[str, Any]:
    """Say whether an answer was right. Only its id, the answer, the word and the day are kept."""
    answer = answer_of(id, desks_of(here).check_key)
    if answer is None:
        raise not_found("check", id)
    await run_in_threadpool(keep_feedback, here.ledger, id, answer, said.word)
    return {"id": id, "object": "provenance_check.feedback", "answer": answer.value, "word": said.word}


async def _checked(here: Context, asked: Checked) -> dict[str, Any]:
    desks = desks_of(here)
    with desks.upload() as folder:
        path = folder / "upload"
        await run_in_threadpool(_take, here, asked, path)
        (row,) = await all_of(ask(desks.files, "files", FileAsk("origins", path)))
    try:
        return public(row, desks.check_key) | {"created_at": int(time.time())}
    except UsageError as error:
        raise ApiError(400, "invalid_file", str(error), "file") from error


def _take(here: Context, asked: Checked, path: Path) -> None:
    """Writes what was sent, or what a URL leads to, to a private file (0600)."""
    serving = here.settings.serve
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as target:
        if isinstance(asked.file, UploadFile) and asked.url is None:
            shutil.copyfileobj(asked.file.file, target, 1 << 20)
        elif asked.file is not None or asked.url is None:
            raise ApiError(400, "invalid_value", "send a file as a form's field `file`, or a url", "file")
        elif not serving.fetch_urls:
            raise ApiError(400, "urls_not_fetched", "this server fetches no URLs; send the file", "url")
        else:
            fetch(asked.url, target, Bounds(serving.max_upload_bytes))
