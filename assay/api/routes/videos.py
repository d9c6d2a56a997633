"""The OpenAI-compatible Videos API: create, retrieve, list, delete, cancel, remix, extensions, edits."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from assay import characters
from assay.api import schemas
from assay.api.auth import require
from assay.api.bodies import Creation, Edit, Extension, Making, Remix, body, documented_body, is_file
from assay.api.context import Context, Here
from assay.api.errors import COMMON, ApiError, documented, not_found
from assay.api.objects import records, video_object
from assay.api.taking import Wish, is_ready, take_in
from assay.api.uploads import IMAGES, VIDEOS, keep
from assay.jobs.queue import Queue
from assay.jobs.tidying import OnLegalHold, delete
from assay.ledger import JobRow, State, now
from assay.tenants import Caller
from assay.withdrawal import withdrawn

router = APIRouter(prefix="/v1", tags=["videos"], responses=COMMON)

Reader = Annotated[Caller, Depends(require("videos:read"))]
Writer = Annotated[Caller, Depends(require("videos:write"))]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)]

_ID = re.compile(r"job_[0-9a-f]{24}\Z")
_YOUNG_S = 20.0  # a job that is younger is asked about more often


def _makes(model: type[BaseModel], *files: str) -> dict[str, Any]:
    """What the routes that make a video say of themselves."""
    extra = documented_body(model, *files)
    return {"response_model": schemas.Video, "responses": documented(409, 415), "openapi_extra": extra}


@router.post("/videos", **_makes(Creation, "input_reference"))
def create_video(
    here: Here, caller: Writer, asked: Annotated[Creation, Depends(body(Creation))], response: Response, key: Key = None
) -> dict[str, Any]:
    """Make a video from a prompt, with a picture as its first frame or later prompts where those are given."""
    size = None if asked.size is None else tuple(int(side) for side in asked.size.split("x"))
    inputs = None
    if asked.input_reference is not None:
        inputs = _brought(here, asked.input_reference, IMAGES, "input_reference", "image")
    wire: dict[str, Any] = {}
    if asked.characters:
        inputs = _character(here, caller, asked)
        wire = {"characters": [asked.characters[0].id]}
    beats = tuple(sorted((beat.at, beat.prompt) for beat in asked.storyboard))
    wish = _wish(asked, seconds=asked.seconds, size=size, storyboard=beats, inputs=inputs, wire=wire)
    return _taken(here, caller, wish, key, response)


@router.post("/videos/extensions", **_makes(Extension, "video"))
def extend_video(
    here: Here, caller: Writer, asked: Annotated[Extension, Depends(body(Extension))], response: Response,
    key: Key = None,
) -> dict[str, Any]:  # fmt: skip
    """Go on where a video ends; `seconds` is what is added."""
    row, inputs, wire = source(here, caller, asked.video)
    length = float((row.wire or {})["seconds"]) if row else None
    total = None if length is None else length + asked.seconds
    wire |= {"seconds": f"{total or asked.seconds:g}"}  # of an upload it is known when it was made
    wish = _wish(asked, inputs=inputs, wire=wire, extra={"extend": "forward", "longer_s": asked.seconds})
    return _taken(here, caller, wish, key, response)


@router.post("/videos/edits", **_makes(Edit, "video"))
def edit_video(
    here: Here, caller: Writer, asked: Annotated[Edit, Depends(body(Edit))], response: Response, key: Key = None
) -> dict[str, Any]:
    """Make a video anew after another prompt; `strength` says how far the old one holds it."""
    _, inputs, wire = source(here, caller, asked.video)
    wish = _wish(asked, inputs=inputs, wire=wire, extra={"strength": asked.strength})
    return _taken(here, caller, wish, key, response)


@router.post("/videos/{id}/remix", **_makes(Remix))
def remix_video(
    here: Here, caller: Writer, id: str, asked: Annotated[Remix, Depends(body(Remix))], response: Response,
    key: Key = None,
) -> dict[str, Any]:  # fmt: skip
    """Make a finished video of one's own anew after another prompt."""
    _, inputs, wire = source(here, caller, {"id": id})
    wish = _wish(asked, inputs=inputs, wire=wire, extra={"strength": asked.strength}, parent=id)
    return _taken(here, caller, wish, key, response)


@router.get("/videos", response_model=schemas.VideoPage)
def list_videos(
    here: Here, caller: Reader, after: str | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
) -> dict[str, Any]:  # fmt: skip
    """The videos of one's own tenant, page by page."""
    mine = (JobRow.tenant == caller.tenant) & JobRow.wire.is_not(None) & JobRow.deleted.is_(None)
    query = select(JobRow).where(mine)
    if after is not None:
        last = own(here, caller, after)
        later = or_(JobRow.created > last.created, and_(JobRow.created == last.created, JobRow.id > last.id))
        earlier = or_(JobRow.created < last.created, and_(JobRow.created == last.created, JobRow.id < last.id))
        query = query.where(later if order == "asc" else earlier)
    keys = (JobRow.created, JobRow.id) if order == "asc" else (JobRow.created.desc(), JobRow.id.desc())
    with Session(here.ledger.engine, expire_on_commit=False) as session:
        rows = session.scalars(query.order_by(*keys).limit(limit + 1)).all()
    shown = rows[:limit]
    known = records(here.ledger, shown)
    return {
        "object": "list", "data": [video_object(row, known[row.id]) for row in shown],
        "first_id": shown[0].id if shown else None, "last_id": shown[-1].id if shown else None,
        "has_more": len(rows) > limit,
    }  # fmt: skip


@router.get("/videos/{id}", response_model=schemas.Video)
def retrieve_video(here: Here, caller: Reader, id: str, response: Response) -> dict[str, Any]:
    """How far a video is, and what was decided about it."""
    return _shown(here, own(here, caller, id), response)


@router.delete("/videos/{id}", response_model=schemas.VideoDeleted, responses=documented(409))
def delete_video(here: Here, caller: Writer, id: str) -> dict[str, Any]:
    """Delete a video with its files; one that is not finished is cancelled. What was decided stays on record."""
    own(here, caller, id)
    Queue(here.ledger, here.settings.serve).cancel(id)
    try:
        delete(here.settings, here.ledger, id, hide=True)
    except OnLegalHold as error:
        raise ApiError(409, "legal_hold", "the law asks that this video is kept; it cannot be deleted") from error
    return {"id": id, "object": "video.deleted", "deleted": True}


@router.post("/videos/{id}/cancel", response_model=schemas.Video)
def cancel_video(here: Here, caller: Writer, id: str, response: Response) -> dict[str, Any]:
    """End a video that is not finished; one that is keeps its end."""
    own(here, caller, id)
    Queue(here.ledger, here.settings.serve).cancel(id)
    return _shown(here, own(here, caller, id), response)


def own(here: Context, caller: Caller, id: str) -> JobRow:
    """A job of the caller's own tenant; 404 for everybody else's, as for none."""
    row = None
    if _ID.match(id):
        with Session(here.ledger.engine, expire_on_commit=False) as session:
            row = session.get(JobRow, id)
    if row is None or row.tenant != caller.tenant or row.wire is None or row.deleted is not None:
        raise not_found("video", id)
    return row


def _wish(asked: Making, **more: Any) -> Wish:
    return Wish(
        prompt=asked.prompt, model=asked.model, seed=asked.seed, negative_prompt=asked.negative_prompt,
        expand=asked.expand, preview=asked.preview, end_user=asked.end_user, **more,
    )  # fmt: skip


def source(here: Context, caller: Caller, given: Any) -> tuple[JobRow | None, Any, dict[str, Any]]:
    """The finished video of one's own that `{"id": ...}` names, or an upload; how it is brought in, and its words."""
    if is_file(given):
        return None, _brought(here, given, VIDEOS, "video", "video"), {}
    if not isinstance(given, dict) or not isinstance(given.get("id"), str) or len(given) != 1:
        raise ApiError(400, "invalid_value", 'video: send a file, or {"id": "..."}', "video")
    row = own(here, caller, given["id"])
    if not is_ready(row):
        raise ApiError(409, "video_not_ready", "that video is not finished, was refused or has expired", "video")
    if withdrawn(here.ledger, row.id) is not None:
        raise ApiError(409, "taken_down", "that video was taken down; nothing is made of it", "video")
    assert row.asset is not None
    assert row.wire is not None
    path = Path(row.asset["path"])

    def linked(folder: Path) -> dict[str, Path]:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.link(path, folder / "input.mp4")  # it stays whole when its own job is deleted meanwhile
        except FileNotFoundError as error:
            raise not_found("video", row.id) from error
        return {"video": folder / "input.mp4"}

    words = {name: row.wire[name] for name in ("size", "seconds")}
    return row, linked, {**words, "remixed_from_video_id": row.id}


def _character(here: Context, caller: Caller, asked: Creation) -> Callable[[Path], dict[str, Path]]:
    """How the picture of a character comes into the job's folder; there it is judged like any picture."""
    if asked.input_reference is not None:
        raise ApiError(
            400, "invalid_value", "characters: a video begins with one picture, and there are two", "characters"
        )
    row = characters.find(here.ledger, caller.tenant, asked.characters[0].id)
    if row is None:
        raise not_found("character", asked.characters[0].id)
    path = characters.picture(here.settings, row.id)

    def copied(folder: Path) -> dict[str, Path]:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return {"image": Path(shutil.copyfile(path, folder / "input.png"))}
        except FileNotFoundError as error:  # it was deleted this moment
            raise not_found("character", row.id) from error

    return copied


def _brought(here: Context, given: Any, kinds: set[str], param: str, name: str) -> Callable[[Path], dict[str, Path]]:
    """How an upload or a reference to one comes into the job's folder."""
    if not is_file(given) and not isinstance(given, dict):
        raise ApiError(400, "invalid_value", f"{param}: send a file", param)
    return lambda folder: {name: keep(given, folder, kinds, here.settings.serve, param)}


def _taken(here: Context, caller: Caller, wish: Wish, key: str | None, response: Response) -> dict[str, Any]:
    return _shown(here, take_in(here, caller, wish, key), response)


def _shown(here: Context, row: JobRow, response: Response) -> dict[str, Any]:
    if row.state in (State.QUEUED, State.RUNNING, State.HELD):
        young = (now() - row.created).total_seconds() < _YOUNG_S
        wait_ms = 10_000 if row.state == State.HELD else 500 if young else 2_000
        response.headers["openai-poll-after-ms"] = str(wait_ms)
    return video_object(row, records(here.ledger, [row])[row.id])
