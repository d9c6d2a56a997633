"""The outermost layers: request ids, security headers, a limit on what is sent, one log line, and no bare exception.

Plain ASGI, since a layer that buffers would hold whole videos in memory.
"""

from __future__ import annotations

import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assay.api.errors import ApiError
from assay.api.meters import answered
from assay.serving import Serving
from assay.telemetry import REQUEST, span

log = logging.getLogger("assay.api")

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")  # of a request id that a proxy gave; no other is repeated
_SECURITY = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
}


class Outermost:
    """Every answer has an id and the security headers; whatever is raised below is a typed 500."""

    def __init__(self, app: ASGIApp, serving: Serving) -> None:
        self.app, self._serving = app, serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        call = _Call(scope, self._serving)
        REQUEST.set(call.id)  # every request is answered in a task, and so in a context, of its own
        try:
            refusal = call.refusal()
            if refusal is not None:
                await refusal.response()(scope, receive, call.sending(send))
            else:
                with span("request", method=scope["method"]):
                    await self.app(scope, call.receiving(receive), call.sending(send))
        except _TooLarge:
            if call.status is None:
                await call.too_large().response()(scope, receive, call.sending(send))
        except Exception as error:
            log.exception("failed: %s", type(error).__name__)
            if call.status is None:
                fault = ApiError(500, "internal_error", "the server failed; nothing was released")
                await fault.response()(scope, receive, call.sending(send))
        finally:
            call.log()


class _TooLarge(Exception):
    """More was sent than is let in."""


class _Call:
    """One request on its way."""

    def __init__(self, scope: Scope, serving: Serving) -> None:
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        self.id = given if _ID.match(given) else f"req_{secrets.token_hex(12)}"
        scope.setdefault("state", {})["request_id"] = self.id
        self.status: int | None = None
        self._scope, self._began, self._read = scope, time.perf_counter(), 0
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        self._limit = serving.max_upload_bytes if kind == "multipart/form-data" else serving.max_json_bytes
        if scope["path"] == "/v1/moderations" and self._limit == serving.max_json_bytes:
            self._limit = serving.max_moderation_bytes  # pictures come inside its JSON
        self._declared = headers.get("content-length", "")

    def refusal(self) -> ApiError | None:
        """Why not to read it at all."""
        if self._declared.isdigit() and int(self._declared) > self._limit:
            return self.too_large()
        return None

    def too_large(self) -> ApiError:
        """What is said of a body beyond the limit."""
        return ApiError(413, "request_too_large", f"at most {self._limit} bytes are let in")

    def receiving(self, receive: Receive) -> Receive:
        """Counts what comes in."""

        async def counted() -> Message:
            message = await receive()
            self._read += len(message.get("body", b""))
            if self._read > self._limit:
                raise _TooLarge
            return message

        return counted

    def sending(self, send: Send) -> Send:
        """Adds the headers."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = self.id
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        return with_headers

    def log(self) -> None:
        """One line of facts and one count: no query, no body, no key."""
        took_ms = round((time.perf_counter() - self._began) * 1000, 1)
        route = getattr(self._scope.get("route"), "path", None)
        facts = {"request": self.id, "method": self._scope["method"], "route": route, "status": self.status}
        log.info("answered", extra={"facts": {**facts, "ms": took_ms}})
        answered(self._scope["method"], route, self.status, took_ms / 1000)
