"""A large guard from the settings settles what the first classifier is uncertain about."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from assay.assemble import prompt_stage
from assay.request import Request
from assay.settings import Guard, Settings
from media import UsageError
from safety import Circumstances, decide


class Calm(BaseHTTPRequestHandler):
    """A judge that finds nothing in anything."""

    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        names = body["response_format"]["json_schema"]["schema"]["required"]
        content = json.dumps(dict.fromkeys(names, 0.0))
        reply = json.dumps({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Calm)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Calm.asked = 0
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


def action(settings: Settings, text: str) -> str:
    stage = prompt_stage(settings)
    seen = stage.read(Request(text, Path("out.mp4")))
    return decide(stage.policy, seen.items, seen.scores, Circumstances()).action.word


def test_a_configured_guard_settles_the_uncertain_and_is_asked_for_nothing_else(
    toy_settings: Callable[..., Settings], address: str
) -> None:
    """A doubtful prompt goes to review without a guard and is allowed by one; sure prompts never reach it."""
    guarded = toy_settings(guards=(Guard(family="chat", model="judge", url=address),))
    assert action(toy_settings(), "a doubtful walk") == "review"
    assert action(guarded, "a doubtful walk") == "allow"
    assert Calm.asked == 1
    assert action(guarded, "a forbidden walk") == "block"
    assert action(guarded, "a calm walk") == "allow"
    assert Calm.asked == 1


def test_a_guard_that_is_gone_releases_nothing(toy_settings: Callable[..., Settings]) -> None:
    """Where nobody listens at the guard's address, a doubtful prompt is refused as a failure of its stage."""
    guarded = toy_settings(guards=(Guard(family="chat", model="judge", url="http://127.0.0.1:9/v1", timeout_s=1.0),))
    assert action(guarded, "a doubtful walk") == "block"


def test_a_chat_guard_needs_an_address(toy_settings: Callable[..., Settings]) -> None:
    """A chat guard without an address is refused when the stages are made, with the missing setting named."""
    with pytest.raises(UsageError, match="url"):
        prompt_stage(toy_settings(guards=(Guard(family="chat", model="judge"),)))
