"""Errors as clients of the OpenAI API expect them: one shape, a request id, and a word on whether to try again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from media import AssayError, UsageError

log = logging.getLogger("assay.api")

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 409: "conflict_error"}
_TYPES |= {429: "rate_limit_error"}
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "request_too_large", 415: "unsupported_media_type"}


@dataclass
class ApiError(Exception):
    """An answer other than success. `more` stands beside the message: moderation_details, safety.

    `retry_after_s` tells the client when to come back; without it, clients are told not to try the same again, except
    where the fault is ours.
    """

    status: int
    code: str
    message: str
    param: str | None = None
    type: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    retry_after_s: float | None = None

    def response(self) -> JSONResponse:
        """The body and headers of this error."""
        kind = self.type or _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        param = None if self.param is None else _plain(self.param)
        body = {"message": _plain(self.message), "type": kind, "param": param, "code": self.code, **self.more}
        again = self.retry_after_s is not None or self.status >= 500
        headers = {"x-should-retry": "true" if again else "false"}
        if self.retry_after_s is not None:
            headers["retry-after"] = str(max(1, round(self.retry_after_s)))
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        return JSONResponse({"error": body}, self.status, headers)


def _plain(text: str) -> str:
    """Text that can be sent: what a client sent may hold halves of characters."""
    return text.encode("utf-8", "replace").decode("utf-8")


async def on_api_error(_: Request, error: Exception) -> JSONResponse:
    """What a route raised on purpose."""
    assert isinstance(error, ApiError)
    return error.response()


async def on_http_error(_: Request, error: Exception) -> JSONResponse:
    """What the framework raised: no such route, a wrong method."""
    assert isinstance(error, HTTPException)
    made = ApiError(error.status_code, _CODES.get(error.status_code, "invalid_request"), str(error.detail)).response()
    made.headers.update(error.headers or {})
    return made


async def on_invalid(_: Request, error: Exception) -> JSONResponse:
    """A parameter that the framework could not read; the client's values are not repeated."""
    assert isinstance(error, RequestValidationError)
    fault = error.errors()[0]
    name = ".".join(str(part) for part in fault["loc"][1:]) or None
    return ApiError(400, "invalid_value", f"{name or 'request'}: {fault['msg']}", name).response()


async def on_assay_error(_: Request, error: Exception) -> JSONResponse:
    """A typed error of Assay: the caller's fault where it is a usage error, else ours. Paths stay inside."""
    if isinstance(error, UsageError):
        return ApiError(400, "invalid_request", str(error)).response()
    log.error("%s: %s", type(error).__name__, error)
    name = type(error).__name__
    return ApiError(500, "evaluation_failed", f"{name}: nothing was released; the server's log says why").response()


async def on_database_error(_: Request, error: Exception) -> JSONResponse:
    """The database is locked, full or away; what the request was about to change is as it was."""
    log.error("the database: %s", type(getattr(error, "orig", error)).__name__)
    words = "the database cannot be used at the moment; nothing was changed and nothing was released"
    return ApiError(503, "database_unavailable", words, retry_after_s=2).response()


HANDLERS: dict[Any, Any] = {
    OperationalError: on_database_error,
    ApiError: on_api_error,
    HTTPException: on_http_error,
    RequestValidationError: on_invalid,
    AssayError: on_assay_error,
}


def not_found(what: str, id: str) -> ApiError:
    """Also what another tenant's thing looks like: nobody learns that it exists."""
    return ApiError(404, "not_found", f"no {what} with id {id[:80]!r}", "id")


SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
                "moderation_details": {"type": "object"},
                "safety": {"type": "object"},
            },
        }
    },
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may answer with these errors."""
    content = {"application/json": {"schema": SCHEMA}}
    return {status: {"description": "An error in the OpenAI shape.", "content": content} for status in statuses}


COMMON = documented(400, 401, 403, 404, 405, 413, 429, 500, 503)
