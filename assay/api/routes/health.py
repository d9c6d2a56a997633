"""For whoever keeps the server running: is the process alive, and may it be sent requests?"""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from assay.api.context import Here
from assay.api.looking import looker_of

router = APIRouter(tags=["operations"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"]


class Readiness(BaseModel):
    """Whether requests may come, and if not, why not."""

    ready: bool
    faults: dict[str, str | None]
    models: list[dict[str, Any]]
    to_people: dict[str, list[str]]


@router.get("/healthz", response_model=Alive)
async def healthz() -> dict[str, str]:
    """200 as long as the process answers at all; nothing else is looked at."""
    return {"status": "alive"}


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness, "description": "Not ready."}})
async def readyz(here: Here, response: Response) -> dict[str, Any]:
    """200 where ledger, signing key, disk, models and policy are well; 503 with what is wrong, and while closing."""
    found = looker_of(here).last
    response.status_code = 200 if found.ready else 503
    return {
        "ready": found.ready,
        "faults": dict(found.faults),
        "models": found.models,
        "to_people": dict(found.to_people),
    }
