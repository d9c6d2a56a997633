"""The objects of the Videos API as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Object(BaseModel):
    model_config = ConfigDict(extra="allow")


class Safety(_Object):
    """What was decided, by what, and why. Stands beside the OpenAI fields."""

    decision: Literal["allow", "review", "block"] | None
    review: bool
    reasons: list[dict[str, Any]]
    posture: list[dict[str, Any]]
    policy: dict[str, Any] | None
    decisions: list[str]
    not_evaluated: list[str]
    waived: list[str]
    statement: str | None
    error: dict[str, Any] | None
    billable: bool


class Failure(_Object):
    """Why there is no video."""

    code: str
    message: str
    type: str | None
    param: str | None


class Preview(_Object):
    """A judged and signed preview that can be fetched now (`content?variant=preview`), and after which step."""

    step: int
    steps: int


class Video(_Object):
    """A video job."""

    id: str
    object: Literal["video"]
    created_at: int
    completed_at: int | None
    expires_at: int | None
    model: str
    prompt: str | None
    progress: int
    seconds: str
    size: str
    status: Literal["queued", "in_progress", "completed", "failed"]
    remixed_from_video_id: str | None
    error: Failure | None
    preview: Preview | None
    safety: Safety


class VideoPage(_Object):
    """A page of videos."""

    object: Literal["list"]
    data: list[Video]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VideoDeleted(_Object):
    """What is left to say of a deleted video."""

    id: str
    object: Literal["video.deleted"]
    deleted: bool
