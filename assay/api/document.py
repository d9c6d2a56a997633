"""The OpenAPI document: what FastAPI says of the routes, and which key each of them really asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from assay.api.auth import OPENS, Opens
from assay.serving import Serving

_SCHEME = "HTTPBearer"


def documenting(app: FastAPI, routers: Sequence[APIRouter], serving: Serving) -> Callable[[], dict[str, Any]]:
    """What `app.openapi` is to be: with the scope that a key needs, or that none is asked for, at each operation."""
    plain, made = app.openapi, dict[str, Any]()

    def document() -> dict[str, Any]:
        if not made:
            made.update(plain())
            for route in _routes(routers):
                for method in route.methods or ():
                    made["paths"][route.path][method.lower()]["security"] = _security(route, serving)
        return made

    return document


def _routes(routers: Iterable[APIRouter]) -> Iterator[APIRoute]:
    for router in routers:
        yield from (route for route in router.routes if isinstance(route, APIRoute) and route.include_in_schema)


def _security(route: APIRoute, serving: Serving) -> list[dict[str, list[str]]]:
    """Empty: open to all. With an empty choice: a key may come along. The names are scopes, any of a route's own."""
    asked = list(_asked(route.dependant))
    keyed = [{_SCHEME: [each.scope]} for each in asked]
    return [{}, *keyed] if any(each.to_all(serving) for each in asked) else keyed


def _asked(dependant: Dependant) -> Iterator[Opens]:
    for inner in dependant.dependencies:
        if inner.call is not None and (opens := OPENS.get(inner.call)) is not None:
            yield opens
        yield from _asked(inner)
