"""The bytes of finished videos. Nothing else is ever served, and every variant is signed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import FileResponse

from assay.api.context import Here
from assay.api.errors import COMMON, ApiError, documented
from assay.api.routes.videos import Reader, own
from assay.api.taking import is_ready
from assay.jobs.variants import NAMES, Wanted
from assay.ledger import JobRow, State
from assay.shown import shown
from assay.withdrawal import withdrawn
from assay.worker import TaskFailed

router = APIRouter(prefix="/v1", tags=["videos"], responses=COMMON)

_ACTIVE = (State.QUEUED, State.RUNNING, State.HELD)
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_ANSWER = {
    200: {"description": "The signed file.", "content": {"video/mp4": _BYTES, "image/jpeg": _BYTES}},
    206: {"description": "The part that was asked for.", "content": {"video/mp4": _BYTES, "image/jpeg": _BYTES}},
    416: {"description": "No such part.", "content": {"text/plain": {"schema": {"type": "string"}}}},
    **documented(409),
}


@router.get("/videos/{id}/content", response_class=FileResponse, responses=_ANSWER)
def video_content(
    here: Here, caller: Reader, id: str, variant: Literal["video", "thumbnail", "spritesheet", "preview"] = "video"
) -> FileResponse:
    """The video, a thumbnail of it, or a sheet of its frames; each with its Content Credentials.

    `preview` is what the video may become, judged and signed as well, while it is being made and was asked for with
    `preview: true`.
    """
    row = own(here, caller, id)
    if variant == "preview":
        return _preview(row)
    if row.state in _ACTIVE:
        raise ApiError(409, "video_not_ready", "the video is not finished")
    if not is_ready(row):
        raise ApiError(404, "no_content", "there is no file: the video failed, was refused, or has expired", "id")
    assert row.asset is not None
    if (down := withdrawn(here.ledger, id)) is not None:
        raise ApiError(404, "taken_down", "this video was taken down: " + down.reason[:300], "id")
    path = Path(row.asset["path"])
    if variant != "video":
        try:
            path = Path(here.artist.call("draw", Wanted(row.id, variant)))
        except TaskFailed as error:
            if error.failure.type == "NoPicture":
                raise ApiError(404, "no_picture", "of this video no picture is made", "variant") from error
            raise
    if not path.is_file():
        raise ApiError(404, "no_content", "there is no file: the video was deleted this moment", "id")
    kind = "video/mp4" if variant == "video" else "image/jpeg"
    name = f"{row.id}.mp4" if variant == "video" else f"{row.id}-{NAMES[variant]}"
    return FileResponse(path, media_type=kind, filename=name)


def _preview(row: JobRow) -> FileResponse:
    """The newest preview that was allowed; 409 where there is none yet, 404 where there will be none."""
    if row.state in (State.COMPLETED, State.FAILED, State.HELD) or not row.request.get("preview"):
        raise ApiError(404, "no_preview", "previews are of videos that are being made with `preview: true`", "variant")
    found = shown(row)
    if found is None or not Path(found["path"]).is_file():
        raise ApiError(409, "preview_not_ready", "no preview may be seen yet", "variant")
    return FileResponse(found["path"], media_type="video/mp4", filename=f"{row.id}-preview.mp4")
