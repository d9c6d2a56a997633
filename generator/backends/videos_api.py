"""Any server that speaks the OpenAI-compatible Videos API, as a generator: create, poll, fetch, decode. Needs httpx.

What vLLM-Omni and SGLang-Diffusion do differently is made alike here. Nothing a server says is believed: its file is
fetched into a private folder up to a size limit, decoded by our own eyes, and its frames are brought to the size, rate
and length that were asked for, each change said in the record. A server's paths and texts stay out of records.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from generator.errors import GenerationError, GeneratorUnavailable, InvalidRequest, UpstreamRefused
from generator.footage import Footage
from generator.geometry import fitted
from generator.request import GenerationRequest
from generator.stream import Completed, Event, Frames, GenerationRecord, Hook, Progress, drive
from media import MediaError

CHUNK = 8  # frames handed over at a time
PADDING_S = 0.5  # a server's frame rule may end a clip a little early; more than this is another clip

_WAITING = {"queued", "in_progress", "pending", "processing", "running", "created"}
_DONE, _FAILED = {"completed", "succeeded", "success"}, {"failed", "cancelled", "canceled", "error", "expired"}
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504}
_CONTENT = ("video/", "application/octet-stream", "binary/octet-stream")
_JSON_BYTES = 4 << 20


@dataclass(frozen=True)
class VideosServer:
    """Where a server is and how patient we are.

    url          its base, e.g. `http://generator:8000/v1`
    flavour      "openai" sends the published fields alone; "vllm-omni" and "sglang" add those that these servers know
    api_key_env  name of the environment variable that holds the key, if it asks for one
    """

    url: str
    model: str
    flavour: Literal["openai", "vllm-omni", "sglang"] = "openai"
    api_key_env: str | None = None
    timeout_s: float = 1800.0  # for the whole video
    request_s: float = 60.0  # for one call
    poll_s: float = 2.0
    retries: int = 4
    max_bytes: int = 1 << 30


class VideosApiGenerator:
    """Text-to-video, and image-to-video by one given first frame. Raises GeneratorUnavailable without httpx."""

    version = "1"
    weights_sha256: str | None = None  # the server's, and nobody here can know them
    backend = "videos-api"
    digital_source_type = "trainedAlgorithmicMedia"

    def __init__(self, server: VideosServer) -> None:
        self.name = server.model
        self._server = server
        _Calls(server).close()  # what cannot be called is said now

    def generate(
        self, request: GenerationRequest, *, hook: Hook | None = None, cancel: threading.Event | None = None
    ) -> Iterator[Event]:
        """See `VideoGenerator.generate`. Raises InvalidRequest for what the API has no field for."""
        given = request.conditioning
        if len(given) > 1 or any(one.frame_index or one.strength != 1 or one.frames.shape[0] != 1 for one in given):
            raise InvalidRequest(
                "conditioning: the Videos API takes one picture, the first frame; leave the others out"
            )
        if request.storyboard:
            raise InvalidRequest("storyboard: the Videos API takes one prompt; write one, or use another back-end")
        return drive(self._events(request, cancel), hook, cancel)

    def _events(self, request: GenerationRequest, cancel: threading.Event | None) -> Generator[Event, None, None]:
        with contextlib.closing(_Calls(self._server)) as calls:
            job = calls.create(request)
            try:
                with tempfile.TemporaryDirectory(prefix="assay-upstream-") as folder:
                    yield from self._wait(calls, job, cancel or threading.Event())
                    path = Path(folder) / "fetched.mp4"
                    calls.fetch(job, path)
                    notes = list(_asked_notes(request, self._server))
                    for frames, note in _frames(path, request):
                        notes += note
                        yield frames
                made = GenerationRecord.of(self, request, ("httpx", "av", "numpy"))
                yield Completed(replace(made, notes=tuple(notes)))
            finally:
                calls.forget(job)

    def _wait(self, calls: _Calls, job: str, cancel: threading.Event) -> Iterator[Progress]:
        """Progress until the server says that it is done; one event a look, so that `drive` sees a cancel soon."""
        until = time.monotonic() + self._server.timeout_s
        before = 1
        while True:
            done, progress, pause_s = calls.look(job)
            before = max(before, progress)  # servers that report none, or step back, do not show
            yield Progress(100 if done else min(before, 99), 100)
            if done:
                return
            if time.monotonic() > until:
                raise GenerationError(f"{self._server.url}: the video was not made in {self._server.timeout_s:g} s")
            cancel.wait(pause_s)


def _asked_notes(request: GenerationRequest, server: VideosServer) -> Iterator[str]:
    if server.flavour != "vllm-omni":
        yield "the server was not told seed, steps and guidance: the same request may give another video"
        if request.negative_prompt:
            yield "the negative prompt was not sent: this server has no field for it"


def _frames(path: Path, request: GenerationRequest) -> Iterator[tuple[Frames, list[str]]]:
    """The fetched file's frames at the size and rate asked for, and what was done to them."""
    try:
        footage = Footage(path, request.fps)
        notes = []
        height, width = footage.shape[1:3]
        if (width, height) != request.size:
            notes.append(f"the server made {width}x{height}: scaled and cropped to {request.size[0]}x{request.size[1]}")
        short = request.frames - len(footage)
        if short > PADDING_S * request.fps:
            raise GenerationError(
                f"the server made {float(len(footage) / request.fps):g} s of the {request.seconds:g} s asked for"
            )
        if short > 0:
            notes.append(f"the server's clip is {short} frames short: its last frame was held")
        for start in range(0, request.frames, CHUNK):
            indices = range(start, min(start + CHUNK, request.frames))
            pictures = [fitted(footage[min(i, len(footage) - 1)], request.size) for i in indices]
            yield Frames(np.stack(pictures), start), notes if start == 0 else []
        footage.close()
    except (MediaError, InvalidRequest) as error:
        raise GenerationError(f"the server's file cannot be used: {error}") from error


class _Calls:
    """The calls of the API, with retries, and with every server's ways made alike."""

    def __init__(self, server: VideosServer) -> None:
        if not server.url.startswith(("http://", "https://")):
            raise GeneratorUnavailable(f"{server.url!r} is no http(s) address of a Videos API")
        try:
            import httpx
        except ImportError as error:
            raise GeneratorUnavailable("a Videos API server needs httpx: pip install 'assay-video[chat]'") from error
        self._httpx, self._server = httpx, server
        headers = {}
        if server.api_key_env is not None:
            key = os.environ.get(server.api_key_env)
            if not key:
                raise GeneratorUnavailable(f"the environment variable {server.api_key_env} holds no key")
            headers["authorization"] = f"Bearer {key}"
        self._http = httpx.Client(headers=headers, timeout=server.request_s, follow_redirects=False, trust_env=False)

    def create(self, request: GenerationRequest) -> str:
        """Starts a video; its id. One idempotency key for all tries, so that a retry makes no second video."""
        fields = _fields(request, self._server)
        key = {"idempotency-key": os.urandom(16).hex()}
        if request.conditioning:
            picture = _png(fitted(request.conditioning[0].frames[0], request.size))
            sent: dict[str, Any] = {
                "data": {name: str(value) for name, value in fields.items()},
                "files": {"input_reference": ("first.png", picture, "image/png")},
            }
        else:
            sent = {"json": fields}
        job = self._json("POST", "/videos", headers=key, **sent)[0].get("id")
        if not isinstance(job, str) or not job or "/" in job or len(job) > 200:
            raise GenerationError(f"{self._server.url}: its answer names no video")
        return job

    def look(self, job: str) -> tuple[bool, int, float]:
        """Whether it is done, progress 0-100, and how many seconds to wait before looking again."""
        body, headers = self._json("GET", f"/videos/{job}")
        state = body.get("status")
        if state in _FAILED:
            raise _failure(body.get("error"), self._server.url)
        if state not in _WAITING | _DONE:
            raise GenerationError(f"{self._server.url}: a video with the unknown status {str(state)[:40]!r}")
        progress = body.get("progress")
        percent = int(progress) if isinstance(progress, (int, float)) and 0 <= progress <= 100 else 0
        asked = headers.get("openai-poll-after-ms", "")
        return state in _DONE, percent, min(int(asked) / 1000, 30.0) if asked.isdigit() else self._server.poll_s

    def fetch(self, job: str, path: Path) -> None:
        """The video's bytes into a file; GenerationError where it is no video or longer than allowed."""
        where = f"/videos/{job}/content"
        for attempt in range(self._server.retries + 1):
            try:
                with self._http.stream("GET", self._server.url.rstrip("/") + where) as reply:
                    if reply.status_code in _AGAIN and attempt < self._server.retries:
                        self._back_off(attempt, reply.headers)
                        continue
                    self._take(reply, path)
                    return
            except self._httpx.HTTPError as error:
                if attempt == self._server.retries:
                    raise GenerationError(f"{self._server.url}: the video cannot be fetched ({error})") from error
                self._back_off(attempt, {})

    def _take(self, reply: Any, path: Path) -> None:
        kind = reply.headers.get("content-type", "")
        if reply.status_code != 200 or not kind.startswith(_CONTENT):
            raise GenerationError(
                f"{self._server.url}: HTTP {reply.status_code} with {kind[:60]!r} in place of a video"
            )
        until, size = time.monotonic() + self._server.timeout_s, 0
        with path.open("wb") as file:
            for chunk in reply.iter_bytes(1 << 16):
                size += len(chunk)
                if size > self._server.max_bytes:
                    raise GenerationError(
                        f"{self._server.url}: its video is longer than {self._server.max_bytes} bytes"
                    )
                if time.monotonic() > until:
                    raise GenerationError(f"{self._server.url}: its video did not end in {self._server.timeout_s:g} s")
                file.write(chunk)

    def forget(self, job: str) -> None:
        """Deletes the server's copy, and ends its work where it is not done. A server that will not is left alone."""
        with contextlib.suppress(self._httpx.HTTPError):
            self._http.delete(f"{self._server.url.rstrip('/')}/videos/{job}")

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _json(self, method: str, path: str, **sent: Any) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        for attempt in range(self._server.retries + 1):
            last = attempt == self._server.retries
            try:
                status, headers, body = self._read(method, path, sent)
            except self._httpx.HTTPError as error:
                if last:
                    raise GenerationError(f"{self._server.url}: {type(error).__name__}: {error}") from error
                self._back_off(attempt, {})
                continue
            if status in _AGAIN and not last and headers.get("x-should-retry") != "false":
                self._back_off(attempt, headers)
                continue
            if status >= 400:
                raise _failure(body.get("error", body), self._server.url, status)
            if status != 200:
                raise GenerationError(f"{self._server.url}: HTTP {status} in place of an answer")
            return body, headers
        raise GenerationError(f"{self._server.url}: no answer")

    def _read(
        self, method: str, path: str, sent: Mapping[str, Any]
    ) -> tuple[int, Mapping[str, str], Mapping[str, Any]]:
        read = bytearray()
        with self._http.stream(method, self._server.url.rstrip("/") + path, **sent) as reply:
            for chunk in reply.iter_bytes(1 << 16):
                read += chunk
                if len(read) > _JSON_BYTES:
                    raise GenerationError(f"{self._server.url}: an answer of more than {_JSON_BYTES} bytes")
        try:
            body = json.loads(read or b"{}")
        except (ValueError, RecursionError) as error:
            if reply.status_code < 400:
                raise GenerationError(f"{self._server.url}: its answer is not JSON") from error
            body = {}
        return reply.status_code, reply.headers, body if isinstance(body, dict) else {}

    def _back_off(self, attempt: int, headers: Mapping[str, str]) -> None:
        asked = headers.get("retry-after", "")
        time.sleep(min(float(asked), 30.0) if asked.isdigit() else min(self._server.poll_s * 2**attempt, 30.0))


def _fields(request: GenerationRequest, server: VideosServer) -> dict[str, Any]:
    """The request in the server's words."""
    seconds: Any = f"{request.seconds:g}"
    fields: dict[str, Any] = {
        "model": server.model, "prompt": request.prompt, "seconds": seconds,
        "size": f"{request.size[0]}x{request.size[1]}",
    }  # fmt: skip
    if server.flavour == "sglang":
        fields["seconds"] = -(-request.frames // round(request.fps))  # whole seconds, rounded up
    if server.flavour == "vllm-omni":
        more = {
            "width": request.size[0], "height": request.size[1], "fps": round(request.fps),
            "num_frames": request.frames, "seed": request.seed, "num_inference_steps": request.steps,
            "guidance_scale": request.guidance_scale, "negative_prompt": request.negative_prompt,
        }  # fmt: skip
        fields |= {name: value for name, value in more.items() if value is not None}
    return fields


def _failure(error: Any, url: str, status: int | None = None) -> GenerationError:
    """A server's error in our words: its code where it has one, never its text, which may hold paths or prompts."""
    code = error.get("code") or error.get("type") if isinstance(error, Mapping) else None
    said = str(code)[:60] if code else "an error without a code"
    where = f"{url}: " + (f"HTTP {status}, " if status else "the video failed, ")
    if code in ("moderation_blocked", "content_policy_violation"):
        return UpstreamRefused(f"{where}{said}: the server's own policy refused it")
    return GenerationError(where + said)


def _png(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    import cv2

    done, data = cv2.imencode(".png", pixels[:, :, ::-1])
    if not done:
        raise GenerationError("the first frame cannot be written as PNG")
    return data.tobytes()
