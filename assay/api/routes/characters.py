"""Characters: a picture out of a video of one's own, under a name, that later videos can begin with."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from assay import characters
from assay.api import schemas
from assay.api.auth import pseudonyms
from assay.api.bodies import Text, _Body, body, documented_body
from assay.api.context import Context, Here
from assay.api.desks import FileAsk, all_of, ask, desks_of
from assay.api.errors import COMMON, ApiError, documented, not_found
from assay.api.objects import safety
from assay.api.routes.videos import Reader, Writer, source
from assay.api.standing import acting, refuse_cooling
from assay.api.taking import blocked
from assay.characters import CharacterRow
from assay.jobs.casting import Casting
from assay.ledger import new_id
from assay.tenants import Caller

router = APIRouter(prefix="/v1", tags=["videos"], responses=COMMON)


class Made(_Body):
    """`POST /v1/videos/characters`."""

    name: Annotated[Text, Field(min_length=1, max_length=100)]
    video: Any  # a file, or {"id": ...} of a finished video of one's own
    user: Annotated[Text, Field(max_length=200)] | None = None
    safety_identifier: Annotated[Text, Field(max_length=200)] | None = None


class Character(BaseModel):
    """A character. `safety` stands in the answer that made it."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["character"]
    created_at: int
    name: str
    safety: schemas.Safety | None = None


class CharacterDeleted(BaseModel):
    """What is left to say of it."""

    id: str
    object: Literal["character.deleted"]
    deleted: bool


@router.post(
    "/videos/characters", response_model=Character, response_model_exclude_none=True,
    responses=documented(409, 415), openapi_extra=documented_body(Made, "video"),
)  # fmt: skip
async def create_character(here: Here, caller: Writer, asked: Annotated[Made, Depends(body(Made))]) -> dict[str, Any]:
    """Keep a picture of a video under a name; the name and every frame of the video are judged first."""
    id = new_id("char")
    folder = characters.folder(here.settings, id)
    kept = False
    try:
        casting = await run_in_threadpool(_casting, here, caller, asked, folder)
        (said,) = await all_of(ask(desks_of(here).files, "files", FileAsk("cast", casting)))
        if said["sha256"] is None:
            raise await run_in_threadpool(blocked, here, said, casting.policy, "video")
        row = CharacterRow(id=id, tenant=caller.tenant, name=asked.name, job=said["job"], sha256=said["sha256"])
        kept = await run_in_threadpool(characters.keep, here.ledger, row)
        if not kept:
            words = f"{characters.MOST} characters are kept of a tenant; delete one"
            raise ApiError(429, "quota_exceeded", words, retry_after_s=3600)
        casting.video.unlink(missing_ok=True)
        return _shown(row) | {"safety": safety(said["decisions"], said["posture"], word=said["action"])}
    finally:
        if not kept:
            await run_in_threadpool(characters.forget, here.settings, here.ledger, id)


@router.get("/videos/characters/{id}", response_model=Character, response_model_exclude_none=True)
def retrieve_character(here: Here, caller: Reader, id: str) -> dict[str, Any]:
    """A character of one's own tenant."""
    return _shown(own_character(here, caller, id))


@router.delete("/videos/characters/{id}", response_model=CharacterDeleted)
def delete_character(here: Here, caller: Writer, id: str) -> dict[str, Any]:
    """Delete a character with its picture; videos that were made with it stay, and what was decided, too."""
    characters.forget(here.settings, here.ledger, own_character(here, caller, id).id)
    return {"id": id, "object": "character.deleted", "deleted": True}


def own_character(here: Context, caller: Caller, id: str) -> CharacterRow:
    """A character of the caller's own tenant; 404 for everybody else's, as for none."""
    row = characters.find(here.ledger, caller.tenant, id)
    if row is None:
        raise not_found("character", id)
    return row


def _casting(here: Context, caller: Caller, asked: Made, folder: Path) -> Casting:
    """The video in the character's folder, and whose it is. Raises ApiError."""
    said = asked.safety_identifier or asked.user
    names = pseudonyms(here, caller.tenant, said) or tuple(name for name in (caller.actor, *caller.former) if name)
    policy = acting(here, caller, folder.name)
    refuse_cooling(here, caller.tenant, names, policy)
    _, inputs, _ = source(here, caller, asked.video)
    return Casting(
        asked.name, inputs(folder)["video"], characters.picture(here.settings, folder.name), caller.tenant,
        names[0] if names else None, policy,
    )  # fmt: skip


def _shown(row: CharacterRow) -> dict[str, Any]:
    made = int(row.created.replace(tzinfo=UTC).timestamp())
    return {"id": row.id, "object": "character", "created_at": made, "name": row.name}
