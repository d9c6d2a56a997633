"""The upstream switch over HTTP: a remote Videos API, and one that lies. Whoever made it, our gate judges."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from toy_server import Served, served

from assay.assemble import signer
from media import Encoder
from provenance import read

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")]

SMALL: dict[str, Any] = {"seconds": "1", "size": "96x64"}
ONCE = {"ASSAY_SERVE__ATTEMPTS": "1"}


def client_of(server: Served) -> openai.OpenAI:
    return openai.OpenAI(api_key=server.keys["one"], base_url=server.url, max_retries=0)


def trusted(server: Served, id: str, folder: Path) -> Any:
    """The credentials of the video as it is downloaded, which must be signed by this server."""
    client_of(server).videos.download_content(id).write_to_file(folder / "got.mp4")
    credentials = read(folder / "got.mp4", signer(server.settings).trust)
    assert credentials.state.value == "trusted"
    return credentials


def remote(url: str) -> dict[str, str]:
    return {
        **ONCE, "ASSAY_BACKEND": "videos-api", "ASSAY_VIDEOS_API__URL": url, "ASSAY_VIDEOS_API__MODEL": "far-model",
        "ASSAY_VIDEOS_API__API_KEY_ENV": "FAR_KEY", "ASSAY_VIDEOS_API__TIMEOUT_S": "60",
    }  # fmt: skip


@pytest.mark.timeout(600)
def test_our_own_server_upstream(server: Served, tmp_path: Path) -> None:
    """A server that has its videos made by another one judges and signs them; what that one refuses is refused."""
    with served(tmp_path, "one", **remote(server.url), FAR_KEY=server.keys["two"]) as front:
        client = client_of(front)
        made: Any = client.videos.create_and_poll(prompt="a grey second", **SMALL)
        assert (made.status, made.safety["decision"]) == ("completed", "allow"), made
        assert {entry["stage"] for entry in made.safety["posture"]} == {"prompt", "frame"}
        trusted(front, made.id, tmp_path)
        refused: Any = client.videos.create_and_poll(prompt="red", **SMALL)  # by the eyes of the other server
        assert (refused.status, refused.error.code) == ("failed", "moderation_blocked"), refused
        assert refused.safety["billable"] is False
        with pytest.raises(openai.BadRequestError):
            client.videos.create(prompt="something forbidden", **SMALL)
    far = openai.OpenAI(api_key=server.keys["two"], base_url=server.url)
    assert made.id not in [video.id for video in far.videos.list()], "nothing is left at the other server"


@contextmanager
def liar(folder: Path) -> Iterator[str]:
    """A server that says of every video that it is finished, and sends what the prompt names."""
    contents = {name: _content(folder, name) for name in ("red", "text", "nothing", "short", "broken")}
    jobs: dict[str, str] = {}

    class Liar(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode("utf-8", "replace")
            id = f"video_{len(jobs)}"
            jobs[id] = next(name for name in contents if f"lie {name}" in body)
            self._say(200, "application/json", json.dumps({"id": id, "status": "queued"}).encode())

        def do_GET(self) -> None:
            id = self.path.split("/videos/")[1].split("/")[0]
            if not self.path.endswith("/content"):
                told = {"id": id, "status": "completed", "progress": 100, "safety": {"decision": "allow"}}
                self._say(200, "application/json", json.dumps(told).encode())
            elif jobs[id] == "nothing":
                self._say(404, "application/json", b'{"error": {"message": "/srv/secret/path is not there"}}')
            else:
                self._say(200, "video/mp4", contents[jobs[id]])

        def do_DELETE(self) -> None:
            self._say(200, "application/json", b"{}")

        def _say(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}/v1"
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


def _content(folder: Path, name: str) -> bytes:
    if name == "text":
        return b"#!/bin/sh\necho this is a video\n"
    path = folder / f"{name}.mp4"
    with Encoder(path, size=(96, 64), rate=Fraction(24)) as encoder:
        for _ in range(6 if name == "short" else 24):
            encoder.write(np.full((64, 96, 3), (255, 0, 0) if name == "red" else (90, 90, 90), np.uint8))
    content = path.read_bytes()
    return content[: len(content) // 2] if name == "broken" else content


@pytest.mark.timeout(600)
def test_upstream_that_lies(tmp_path: Path) -> None:
    """Whatever an upstream calls finished: no unjudged byte leaves, and every lie is a typed, unbilled end."""
    with liar(tmp_path) as url, served(tmp_path, "one", **remote(url), FAR_KEY="k") as front:
        client = client_of(front)
        ids = {
            name: client.videos.create(prompt=f"lie {name}", **SMALL).id
            for name in ("red", "text", "nothing", "short", "broken")
        }
        ends: dict[str, Any] = {name: client.videos.poll(id) for name, id in ids.items()}
        assert {name: (end.status, end.error.code) for name, end in ends.items()} == {
            "red": ("failed", "moderation_blocked"), "text": ("failed", "generation_failed"),
            "nothing": ("failed", "generation_failed"), "short": ("failed", "generation_failed"),
            "broken": ("failed", "generation_failed"),
        }  # fmt: skip
        assert ends["red"].error.moderation_details["moderation_stage"] == "output"
        for end in ends.values():
            assert end.safety["billable"] is False
            assert "secret" not in end.model_dump_json()
            for variant in ("video", "thumbnail", "spritesheet"):
                with pytest.raises(openai.NotFoundError):
                    client.videos.download_content(end.id, variant=variant)  # type: ignore[arg-type]
        assert not list(front.settings.videos.rglob("*.mp4"))


@pytest.mark.timeout(600)
def test_upstream_that_is_not_there(tmp_path: Path) -> None:
    """An upstream that nobody answers for is a failed job, and the server stays up."""
    with served(tmp_path, "one", **remote("http://127.0.0.1:9/v1"), FAR_KEY="k") as front:
        end: Any = client_of(front).videos.create_and_poll(prompt="grey", **SMALL)
        assert (end.status, end.error.code, end.safety["billable"]) == ("failed", "generation_failed", False)
        assert "127.0.0.1" not in end.error.message
