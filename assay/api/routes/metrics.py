"""`/metrics`, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from assay.api.auth import OPENS, Opens, require
from assay.api.context import Context, Here, context
from assay.api.desks import desks_of
from assay.api.errors import documented
from assay.api.housekeeping import gauges
from assay.api.looking import looker_of
from assay.api.meters import ServerState
from assay.metrics import exposition

router = APIRouter(tags=["operations"])


@contextmanager
def counted(here: Context) -> Iterator[ServerState]:
    """What is counted while the server runs; kept in its context as the part `state`."""
    state = ServerState(here.settings, here.ledger, desks_of(here).by_name)
    state.ready = lambda: looker_of(here).last.ready
    here.parts["state"] = state
    yield state


async def scraper(request: Request, here: Annotated[Context, Depends(context)]) -> None:
    """A key with the scope `metrics`, unless the settings open the metrics to all."""
    if not here.settings.serve.open_metrics:
        await _keyed(request, here, None)


_keyed = require("metrics")
OPENS[scraper] = Opens("metrics", lambda serving: serving.open_metrics)


@router.get(
    "/metrics", dependencies=[Depends(scraper)], response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **documented(401, 403, 429, 500)},
)  # fmt: skip
def metrics(here: Here) -> Response:
    """Counts, times and gauges in the text format of Prometheus."""
    state: ServerState = here.parts["state"]
    ours = exposition(gauges(here)).encode()
    return Response(state.exposition() + ours, media_type=CONTENT_TYPE_LATEST)
