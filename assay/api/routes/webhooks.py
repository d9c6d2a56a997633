"""Webhook endpoints of one's own tenant, and appeals against one's own refusals."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from assay.addresses import TargetRefused
from assay.api.context import Context, Here
from assay.api.errors import COMMON, ApiError
from assay.api.ordering import Strict, answered
from assay.api.routes.videos import Reader, Writer
from assay.appeals import appeal, appeals
from assay.endpoints import Endpoints
from assay.outbox import EVENTS

router = APIRouter(prefix="/v1", tags=["webhooks"], responses=COMMON)


class EndpointBody(Strict):
    """Where events are posted."""

    url: Annotated[str, Field(min_length=1, max_length=2_000)]


class AppealBody(Strict):
    """An objection: the video's id, or the `record` of a prompt that was refused at once."""

    job: Annotated[str, Field(max_length=64)]
    words: Annotated[str, Field(min_length=1, max_length=5_000)]


@router.post("/webhooks")
def add_webhook(here: Here, caller: Writer, asked: EndpointBody) -> dict[str, Any]:
    """Add an endpoint. Its secret is in this answer, and never shown again."""
    try:
        id, secret = _endpoints(here).add(caller.tenant, asked.url)
    except TargetRefused as error:
        raise ApiError(400, "invalid_url", str(error), "url") from error
    return {"id": id, "object": "webhook.endpoint", "url": asked.url, "secret": secret, "events": list(EVENTS)}


@router.get("/webhooks")
def list_webhooks(here: Here, caller: Reader) -> dict[str, Any]:
    """The endpoints, without their secrets; one that was given up on says why."""
    return {"object": "list", "data": _endpoints(here).of(caller.tenant)}


@router.delete("/webhooks/{id}")
def remove_webhook(here: Here, caller: Writer, id: str) -> dict[str, Any]:
    """Remove an endpoint, and what waits for it."""
    with answered("endpoint", id):
        _endpoints(here).remove(caller.tenant, id)
    return {"id": id, "object": "webhook.endpoint.deleted", "deleted": True}


@router.post("/webhooks/{id}/rotate")
def rotate_webhook(here: Here, caller: Writer, id: str) -> dict[str, Any]:
    """A new secret; for a day events are signed with both."""
    with answered("endpoint", id):
        return {"id": id, "object": "webhook.endpoint", "secret": _endpoints(here).rotate(caller.tenant, id)}


@router.post("/webhooks/{id}/enable")
def enable_webhook(here: Here, caller: Writer, id: str) -> dict[str, Any]:
    """Let an endpoint that was given up on be told again, from the next event on."""
    with answered("endpoint", id):
        _endpoints(here).enable(caller.tenant, id)
    return {"id": id, "object": "webhook.endpoint", "enabled": True}


@router.post("/appeals")
def make_appeal(here: Here, caller: Writer, asked: AppealBody) -> dict[str, Any]:
    """Object to a refusal or a take-down; a person upholds or overturns it. The same again gives the first."""
    with answered("video", asked.job):
        return appeal(here.ledger, caller.tenant, asked.job, asked.words).to_json()


@router.get("/appeals")
def list_own_appeals(here: Here, caller: Reader) -> dict[str, Any]:
    """One's own appeals and what came of them."""
    return {"object": "list", "data": [row.to_json() for row in appeals(here.ledger, None, caller.tenant)]}


def _endpoints(here: Context) -> Endpoints:
    return Endpoints(here.ledger, here.settings.home / "webhooks.key", here.settings.webhooks.openable)
