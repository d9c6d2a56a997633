"""What a running server says of itself: log lines as JSON, and traces. Never a prompt, a key, a file's name or a path.

A line holds the time, the level, the logger, the words that the code wrote, and the id of the request it belongs to. Of
an exception it holds the type and the places in the code: its text may quote what a user sent.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import IO, Any

from media import UsageError

# The id of the request that is being answered; set by the server's outermost layer.
REQUEST: ContextVar[str | None] = ContextVar("assay_request", default=None)

_OURS = "assay"


class JsonLines(logging.Formatter):
    """One JSON object a line. `log.info("words", extra={"facts": {...}})` adds facts of plain values."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "says": self._words(record),
            "request": REQUEST.get(),
        }
        facts = getattr(record, "facts", None)
        if isinstance(facts, Mapping):
            line |= facts
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["where"] = _places(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=lambda _: "?")

    def _words(self, record: logging.LogRecord) -> str:
        """What the code wrote. Of other libraries' lines the arguments are left out: they may quote a request."""
        ours = record.name.partition(".")[0] == _OURS
        return record.getMessage() if ours else str(record.msg)


def _places(exc_info: Any) -> list[str]:
    """The innermost calls, as file:line function; no values."""
    frames = traceback.extract_tb(exc_info[2])[-8:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]


def log_as_json(stream: IO[str] | None = None, level: int = logging.INFO) -> None:
    """Every logger of this process writes JSON lines to the stream (stderr)."""
    out = logging.StreamHandler(stream or sys.stderr)
    out.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[out], force=True)
    logging.captureWarnings(True)
    for chatty in ("httpx", "httpcore", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def export_traces() -> None:
    """Sends spans over OTLP; where to, the OpenTelemetry SDK reads from its own OTEL_* variables.

    Raises UsageError without the extra.
    """
    if any(importlib.util.find_spec(name) is None for name in ("opentelemetry.sdk", "opentelemetry.exporter")):
        raise UsageError("serve.traces needs the SDK of OpenTelemetry: pip install 'assay-video[otel]'")
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "assay"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


@cache
def _traceable() -> bool:
    return importlib.util.find_spec("opentelemetry") is not None


@contextmanager
def span(name: str, **facts: str | int | float | bool) -> Iterator[None]:
    """A span of a trace; nothing where OpenTelemetry is not installed, or nobody collects. Facts hold no user's text.

    An error is noted by its type; its text stays inside.
    """
    if not _traceable():
        yield
        return
    from opentelemetry import trace

    tracer = trace.get_tracer("assay")
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as current:
        current.set_attributes({f"assay.{key}": value for key, value in facts.items()})
        if (request := REQUEST.get()) is not None:
            current.set_attribute("assay.request", request)
        try:
            yield
        except BaseException as error:
            current.set_status(trace.Status(trace.StatusCode.ERROR, type(error).__name__))
            raise
