"""What a server says of itself: JSON lines without anybody's words, stage times over processes, traces if installed."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from assay import stagetimes, telemetry
from assay.stagetimes import BOUNDS_S, Times
from assay.worker import Worker

SECRET = "a prompt that nobody else may read"


def _line(say: Any, name: str = "assay.test") -> dict[str, Any]:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(telemetry.JsonLines())
    logger = logging.Logger(name)
    logger.addHandler(handler)
    say(logger)
    line: dict[str, Any] = json.loads(out.getvalue())
    return line


def test_a_line_holds_the_request_and_facts() -> None:
    """A log line is one JSON object with time, level, words, facts and the id of the request."""
    token = telemetry.REQUEST.set("req_1")
    line = _line(lambda log: log.info("answered %s", 200, extra={"facts": {"ms": 3.5}}))
    telemetry.REQUEST.reset(token)
    assert line["at"].endswith("+00:00")
    assert (line["says"], line["level"], line["request"], line["ms"]) == ("answered 200", "info", "req_1", 3.5)


def test_no_text_of_an_error_is_logged() -> None:
    """Of an exception the type and the places are written, never its text: it may quote what a user sent."""

    def fail(log: logging.Logger) -> None:
        try:
            raise ValueError(SECRET)
        except ValueError:
            log.exception("it failed")

    line = _line(fail)
    assert line["error"] == "ValueError"
    assert any("test_telemetry.py" in place and "fail" in place for place in line["where"])
    assert SECRET not in json.dumps(line)


def test_arguments_of_other_libraries_are_left_out() -> None:
    """What another library would quote (a URL, a body) does not stand in our log."""
    line = _line(lambda log: log.warning("sent %s", SECRET), "somebody.else")
    assert line["says"] == "sent %s"


def test_a_line_breaks_no_line() -> None:
    """No text can forge a second line, or anything but ASCII."""
    out = json.dumps(_line(lambda log: log.info("a\nb\u2028c")))
    assert "\n" not in out
    assert out.isascii()


def test_logging_is_set_up_for_a_process() -> None:
    """After `log_as_json` every logger of the process writes JSON lines."""
    before = (logging.root.handlers[:], logging.root.level)
    out = io.StringIO()
    try:
        telemetry.log_as_json(out)
        logging.getLogger("assay.somewhere").info("up")
    finally:
        logging.captureWarnings(False)
        logging.root.handlers, logging.root.level = before
    assert json.loads(out.getvalue())["says"] == "up"


def test_a_span_holds_no_text() -> None:
    """A span has its facts and the request; an error in it is its type alone."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)
    token = telemetry.REQUEST.set("req_2")
    with pytest.raises(ValueError, match="prompt"), telemetry.span("texts", batch=3):
        raise ValueError(SECRET)
    telemetry.REQUEST.reset(token)
    (span,) = kept.get_finished_spans()
    assert span.name == "texts"
    assert span.attributes == {"assay.batch": 3, "assay.request": "req_2"}
    assert span.status.description == "ValueError"
    assert SECRET not in span.to_json()


def test_times_are_added_up_over_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What several processes counted is one histogram, own counts once, and broken files are passed over."""
    monkeypatch.setattr(stagetimes, "_mine", {})
    monkeypatch.setattr(stagetimes, "_file", None)
    stagetimes.share(tmp_path)
    stagetimes.observe("frame", 0.2)
    stagetimes.observe("frame", 10_000.0)
    (own,) = (tmp_path / "meters").iterdir()
    other = tmp_path / "meters" / "1-ff.json"
    other.write_bytes(own.read_bytes())
    (tmp_path / "meters" / "2-ee.json").write_text("{broken")
    found = stagetimes.gathered(tmp_path)["frame"]
    assert found.seconds == pytest.approx(2 * 10_000.2)
    assert found.counts[BOUNDS_S.index(0.25)] == 2
    assert found.counts[-1] == 2
    stagetimes.clear(tmp_path)
    assert stagetimes.gathered(tmp_path)["frame"].counts[-1] == 1


def test_a_bound_belongs_to_its_bucket() -> None:
    """A time of exactly a bound counts as at most that bound."""
    times = Times()
    times.add(BOUNDS_S[3])
    assert times.counts[3] == 1


def test_a_worker_times_its_stages(toy_settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a worker counts how long its stages took."""
    mine: dict[str, Times] = {}
    monkeypatch.setattr(stagetimes, "_mine", mine)
    with Worker(toy_settings()) as worker:
        worker.call("prompt", [(1, "a kite")])
    assert sum(mine["prompt"].counts) == 1
