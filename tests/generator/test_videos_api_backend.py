"""A remote Videos API as a generator: a local server with the vendors' quirks, slow, failing and lying replies."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generator import (
    Cancelled,
    Completed,
    Conditioning,
    Frames,
    GenerationError,
    GenerationRequest,
    GeneratorUnavailable,
    InvalidRequest,
    Progress,
    UpstreamRefused,
    VideosApiGenerator,
    VideosServer,
)
from media import encode

FPS = Fraction(12)
ASKED = GenerationRequest("a red ball", size=(64, 48), seconds=1, fps=FPS)


@dataclass
class Behaviour:
    """What the server does: how often it fails first, what it says, what it sends."""

    create: tuple[int, Any] = (200, {"id": "video_1", "status": "queued"})
    looks: list[tuple[int, Any]] = field(default_factory=list)  # the last one is repeated
    content: tuple[int, str, bytes] = (200, "video/mp4", b"")
    endless: bool = False
    fail_first: int = 0
    wait_s: float = 0.0
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


class Server(BaseHTTPRequestHandler):
    """Answers as its behaviour says, and remembers what it was asked."""

    behaviour: Behaviour

    def do_POST(self) -> None:
        self._answer(*self.behaviour.create)

    def do_GET(self) -> None:
        if self.path.endswith("/content"):
            self._note()
            status, kind, body = self.behaviour.content
            self.send_response(status)
            self.send_header("content-type", kind)
            if not self.behaviour.endless:
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)
                while self.behaviour.endless:
                    self.wfile.write(b"\0" * 65536)
            self.close_connection = True
            return
        looks = self.behaviour.looks
        self._answer(*(looks.pop(0) if len(looks) > 1 else looks[0]))

    def do_DELETE(self) -> None:
        self._answer(200, {"id": "video_1", "status": "in_progress", "file_path": "/srv/out/video_1.mp4"})

    def _note(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.behaviour.seen.append((self.command, self.path, dict(self.headers.items()), body))
        return body

    def _answer(self, status: int, body: Any) -> None:
        self._note()
        time.sleep(self.behaviour.wait_s)
        if self.behaviour.fail_first > 0:
            self.behaviour.fail_first -= 1
            status, body = 503, {"error": {"message": "busy"}}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, tuple[int, int]], bytes]:
    def made(frames: int, size: tuple[int, int] = (64, 48)) -> bytes:
        path: Path = tmp_path_factory.mktemp("film") / "film.mp4"
        encode(path, (np.full((size[1], size[0], 3), 10 + 10 * i, np.uint8) for i in range(frames)), FPS)
        return path.read_bytes()

    return made  # type: ignore[return-value]


@pytest.fixture
def serve(film: Callable[..., bytes]) -> Iterator[Callable[..., tuple[VideosApiGenerator, Behaviour]]]:
    servers = []

    def start(behaviour: Behaviour | None = None, **settings: Any) -> tuple[VideosApiGenerator, Behaviour]:
        behaviour = behaviour or Behaviour()
        behaviour.looks = behaviour.looks or [
            (200, {"id": "video_1", "status": "in_progress", "progress": 40}),
            (200, {"id": "video_1", "status": "completed", "progress": 100}),
        ]
        if not behaviour.content[2]:
            behaviour.content = (*behaviour.content[:2], film(12))
        handler = type("Handler", (Server,), {"behaviour": behaviour})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        url = f"http://127.0.0.1:{server.server_port}/v1"
        patient = {"poll_s": 0.01, "request_s": 5.0, "timeout_s": 10.0}
        return VideosApiGenerator(VideosServer(url, "sora-like", **{**patient, **settings})), behaviour

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_video_is_made_fetched_and_given_as_frames(serve: Callable[..., Any]) -> None:
    """Frames arrive at the size and rate asked for, progress rises, and the server's copy is deleted."""
    model, behaviour = serve()
    events = list(model.generate(ASKED))
    frames = np.concatenate([e.pixels for e in events if isinstance(e, Frames)])
    assert frames.shape == (12, 48, 64, 3)
    assert [round(float(f.mean()) / 10) for f in frames] == list(range(1, 13))
    steps = [e.step for e in events if isinstance(e, Progress)]
    assert steps == sorted(steps)
    assert steps[-1] == 100
    record = events[-1].record
    assert isinstance(events[-1], Completed)
    assert (record.model, record.backend, record.frames, record.mode) == (
        "sora-like",
        "videos-api",
        12,
        "text-to-video",
    )
    assert [call[0] for call in behaviour.seen] == ["POST", "GET", "GET", "GET", "DELETE"]
    assert json.loads(behaviour.seen[0][3]) == {
        "model": "sora-like",
        "prompt": "a red ball",
        "seconds": "1",
        "size": "64x48",
    }


def test_each_flavour_is_spoken_to_in_its_words(serve: Callable[..., Any]) -> None:
    """vLLM-Omni is told frames, seed and negative prompt; SGLang whole seconds; what was not sent is said."""
    asked = GenerationRequest("a ball", "blur", size=(64, 48), seconds=0.9, fps=FPS, seed=7)
    model, behaviour = serve(flavour="vllm-omni")
    list(model.generate(asked))
    sent = json.loads(behaviour.seen[0][3])
    assert (sent["seed"], sent["num_frames"], sent["negative_prompt"], sent["width"]) == (7, 11, "blur", 64)
    model, behaviour = serve(flavour="sglang")
    record = list(model.generate(asked))[-1].record
    assert json.loads(behaviour.seen[0][3])["seconds"] == 1
    assert any("negative prompt was not sent" in note for note in record.notes)


def test_a_first_picture_is_sent_as_a_file(serve: Callable[..., Any]) -> None:
    """Image-to-video goes as multipart with a PNG of the size asked for; what the API has no field for is refused."""
    model, behaviour = serve()
    given = Conditioning(np.full((1, 96, 128, 3), 200, np.uint8))
    events = list(model.generate(GenerationRequest("a ball", size=(64, 48), seconds=1, fps=FPS, conditioning=(given,))))
    assert events[-1].record.mode == "image-to-video"
    _, _, headers, body = behaviour.seen[0]
    assert re.search("multipart/form-data", next(v for k, v in headers.items() if k.lower() == "content-type"))
    assert b"\x89PNG" in body
    for wrong in (
        {"conditioning": (Conditioning(given.frames, 3),)},
        {"conditioning": (Conditioning(given.frames, strength=0.5),)},
        {"storyboard": ((0.5, "a star"),)},
    ):
        with pytest.raises(InvalidRequest):
            model.generate(GenerationRequest("a ball", seconds=1, **wrong))


def test_a_busy_server_is_asked_again_with_the_same_key(serve: Callable[..., Any]) -> None:
    """503 is tried again, under one idempotency key, so that no second video is made."""
    model, behaviour = serve(Behaviour(fail_first=2))
    assert isinstance(list(model.generate(ASKED))[-1], Completed)
    keys = {
        v for call in behaviour.seen if call[0] == "POST" for k, v in call[2].items() if k.lower() == "idempotency-key"
    }
    assert len([call for call in behaviour.seen if call[0] == "POST"]) == 3
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (Behaviour(create=(200, {"status": "queued"})), "names no video"),
        (Behaviour(create=(200, {"id": "../../etc"})), "names no video"),
        (Behaviour(create=(200, b"<html>")), "not JSON"),
        (Behaviour(create=(200, b"[" * 5000)), "not JSON"),
        (Behaviour(create=(200, b"x" * (5 << 20))), "more than"),
        (Behaviour(create=(400, {"error": "prompt /srv/x is bad"})), "HTTP 400, an error without a code"),
        (Behaviour(create=(500, b"boom")), "HTTP 500"),
        (Behaviour(create=(302, {})), "HTTP 302"),
        (Behaviour(looks=[(200, {"status": "blocked"})]), "unknown status"),
        (Behaviour(looks=[(200, {"status": "failed", "error": {"code": "oom", "message": "/srv/x"}})]), "oom"),
        (Behaviour(looks=[(200, {"status": "failed", "error": "died at /srv/x"})]), "without a code"),
        (Behaviour(content=(200, "text/html", b"<html>")), "in place of a video"),
        (Behaviour(content=(200, "application/json", b"{}")), "in place of a video"),
        (Behaviour(content=(404, "video/mp4", b"x")), "HTTP 404"),
        (Behaviour(content=(200, "video/mp4", b"not a video at all")), "cannot be used"),
        (Behaviour(content=(200, "video/mp4", b"\0"), endless=True), "longer than"),
    ],
    ids=[
        "no id", "an id that is a path", "html", "deep", "a long answer", "an error in prose", "a server error",
        "a redirect", "an unknown status", "failed", "failed in prose", "html as video", "json as video", "gone",
        "junk", "an endless body",
    ],
)  # fmt: skip
def test_a_server_that_fails_or_lies_is_an_error_in_our_words(
    serve: Callable[..., Any], behaviour: Behaviour, message: str
) -> None:
    """Whatever a server does wrong ends in one typed error without its paths, and no frame is handed over."""
    model, _ = serve(behaviour, retries=1, max_bytes=1 << 20)
    got = []
    with pytest.raises(GenerationError, match=message) as caught:
        for event in model.generate(ASKED):
            got.append(event)
    assert "/srv" not in str(caught.value)
    assert not any(isinstance(event, Frames) for event in got)


def test_a_refusal_upstream_is_told_apart(serve: Callable[..., Any]) -> None:
    """A server's own moderation is an error of its own type: no rule of ours spoke."""
    model, _ = serve(Behaviour(create=(400, {"error": {"code": "moderation_blocked", "message": "no"}})))
    with pytest.raises(UpstreamRefused, match="own policy"):
        list(model.generate(ASKED))


def test_a_video_that_is_never_done_times_out(serve: Callable[..., Any]) -> None:
    """A server that never completes is left after the time-out, and its job is deleted."""
    model, behaviour = serve(Behaviour(looks=[(200, {"status": "queued"})]), timeout_s=0.3)
    with pytest.raises(GenerationError, match=r"not made in 0\.3 s"):
        list(model.generate(ASKED))
    assert behaviour.seen[-1][0] == "DELETE"


def test_a_slow_server_is_a_time_out_not_a_hang(serve: Callable[..., Any]) -> None:
    """A call that does not answer ends by its own time-out."""
    model, _ = serve(Behaviour(wait_s=1.0), request_s=0.2, retries=0)
    with pytest.raises(GenerationError, match="ReadTimeout"):
        list(model.generate(ASKED))


def test_cancel_ends_the_job_there_too(serve: Callable[..., Any]) -> None:
    """A cancel while waiting ends the stream within a look and deletes the server's job; so does closing it."""
    model, behaviour = serve(Behaviour(looks=[(200, {"status": "in_progress", "progress": 5})]))
    cancel = threading.Event()
    got = []
    with pytest.raises(Cancelled):
        for event in model.generate(ASKED, cancel=cancel):
            got.append(event)
            cancel.set()
    assert len(got) == 1
    assert behaviour.seen[-1][0] == "DELETE"
    stream = model.generate(ASKED)
    next(stream)
    stream.close()
    assert behaviour.seen[-1][0] == "DELETE"


def test_what_the_server_made_otherwise_is_said(serve: Callable[..., Any], film: Callable[..., bytes]) -> None:
    """Another size is fitted, a frame or two short is held, both said; half a clip is refused."""
    model, _ = serve(Behaviour(content=(200, "video/mp4", film(10, (96, 48)))))
    events = list(model.generate(ASKED))
    frames = np.concatenate([e.pixels for e in events if isinstance(e, Frames)])
    assert frames.shape == (12, 48, 64, 3)
    said = " / ".join(events[-1].record.notes)
    assert "the server made 96x48" in said
    assert "2 frames short" in said
    model, _ = serve(Behaviour(content=(200, "video/mp4", film(4))))
    with pytest.raises(GenerationError, match="of the 1 s asked for"):
        list(model.generate(ASKED))


def test_a_server_that_cannot_be_called_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another address scheme or a missing key is an error when the back-end is made."""
    with pytest.raises(GeneratorUnavailable, match="http"):
        VideosApiGenerator(VideosServer("ftp://x", "m"))
    monkeypatch.delenv("UPSTREAM_KEY", raising=False)
    with pytest.raises(GeneratorUnavailable, match="UPSTREAM_KEY"):
        VideosApiGenerator(VideosServer("http://x", "m", api_key_env="UPSTREAM_KEY"))
