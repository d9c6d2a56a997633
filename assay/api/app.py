"""The application: routes, layers and lifetime. `create_app` is all that a server needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from importlib import metadata
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from assay.api.context import Context
from assay.api.desks import open_desks
from assay.api.document import documenting
from assay.api.errors import HANDLERS
from assay.api.housekeeping import kept_house
from assay.api.looking import watched
from assay.api.middleware import Outermost
from assay.api.routes import (
    admin,
    characters,
    checks,
    content,
    health,
    metrics,
    moderations,
    reviews,
    scans,
    videos,
    webhooks,
)
from assay.settings import Settings

ROUTERS: tuple[APIRouter, ...] = (
    moderations.router, characters.router, videos.router, content.router, checks.router, scans.router,
    health.router, metrics.router, webhooks.router, reviews.router, admin.router,
)  # fmt: skip
# Entered with the context when the server starts and left when it stops: background loops and the like.
LIVES: tuple[Callable[[Context], AbstractContextManager[Any]], ...] = (open_desks, watched, metrics.counted, kept_house)


def create_app(
    settings: Settings, *, routers: Sequence[APIRouter] = ROUTERS, started: Callable[[], None] = lambda: None
) -> FastAPI:
    """The ASGI application of these settings. Nothing is opened before it starts; `started` is called once it has."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        here = await run_in_threadpool(Context.of, settings)
        app.state.context = here
        here.asker.warm("prompt")
        try:
            for life in LIVES:
                await run_in_threadpool(here.on_close.enter_context, life(here))
            started()
            yield
        finally:
            await run_in_threadpool(here.close)

    app = FastAPI(
        title="Assay", version=metadata.version("assay-video"), lifespan=lifespan, docs_url=None, redoc_url=None,
        description="The gated generation API: OpenAI-compatible, every output judged and signed.",
        redirect_slashes=False, generate_unique_id_function=_operation, exception_handlers=HANDLERS,
    )  # fmt: skip
    for router in routers:
        app.include_router(router)
    app.openapi = documenting(app, routers, settings.serve)  # type: ignore[method-assign]
    app.add_middleware(Outermost, serving=settings.serve)
    return app


def _operation(route: APIRoute) -> str:
    """An operation's id in the OpenAPI document: the function's name."""
    return route.name
