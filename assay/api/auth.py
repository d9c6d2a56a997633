"""Who calls: a bearer key, the scope that a route asks for, and a pseudonym of the end user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

from assay.api.context import Context, Here
from assay.api.errors import ApiError
from assay.serving import Serving
from assay.tenants import KNOWN_S, Caller

_BEARER = HTTPBearer(auto_error=False, description="An API key of `assay keys api create`.")
_LONGEST_USER = 200


@dataclass(frozen=True)
class Opens:
    """What a dependency asks for, as the OpenAPI document says it."""

    scope: str
    to_all: Callable[[Serving], bool] = lambda _: False  # by the settings; then a key is not asked for


OPENS: dict[Callable[..., object], Opens] = {}  # by the dependency


def require(scope: str) -> Callable[..., Awaitable[Caller]]:
    """A dependency that gives the Caller, or answers 401 (no or wrong key), 403 (no such scope) or 429 (too many).

    A key that was found a moment ago is not looked up again (`Tenants.known`): then nothing here waits.
    """

    async def caller(request: Request, here: Here, _: Annotated[object, Depends(_BEARER)]) -> Caller:
        key = _key(request)
        found = await _holder(here, key)
        if found is None:
            raise ApiError(401, "invalid_api_key", "the API key is missing, wrong, expired or revoked")
        here.limiter.request(found)
        if not found.may(scope):
            raise ApiError(403, "insufficient_scope", f"this key does not open {scope}")
        user = request.headers.get("x-end-user")
        if not user:
            return found
        names = await run_in_threadpool(pseudonyms, here, found.tenant, user)
        return replace(found, actor=names[0], former=names[1:])

    OPENS[caller] = Opens(scope)
    return caller


async def _holder(here: Context, key: str) -> Caller | None:
    """Whose key it is; looked up again ahead of the second for which that is known."""
    known = here.tenants.known(key)
    if known is None:
        return await here.sharing.ask(here.tenants.question(key), lambda: here.tenants.caller(key))
    if here.tenants.known(key, KNOWN_S / 2) is None:
        here.sharing.ahead(here.tenants.question(key), lambda: here.tenants.caller(key))
    return known


def pseudonyms(here: Context, tenant: str, user: str | None) -> tuple[str, ...]:
    """What stands in records for an end user whom a tenant names: keyed hashes, different for every tenant.

    The first is the present one; the others are under keys that were replaced and are still kept. None without a user.
    """
    if not user:
        return ()
    if len(user) > _LONGEST_USER:
        raise ApiError(400, "invalid_value", f"the end user's name is longer than {_LONGEST_USER} characters", "user")
    return here.pseudonyms.all(f"{tenant}\0{user}")


def _key(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
