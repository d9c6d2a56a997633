"""A vision-language model as judge, against a local server that is good, slow, lying or broken."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np
import pytest

from media import Frame
from safety import Absence, ChatEndpoint, ChatError, FrameClassifier, ModelUnavailable, Policy, PolicyError, Stage
from safety.frame import examine_video
from safety.frame.asking import ask
from safety.frame.traits import Schedule, schedule_of
from safety.frame.vlm import VlmJudge, VlmOptions
from tests.safety.frame.contract import FrameClassifierContract
from tests.safety.frame.reels import flat, reel

DEFINITIONS = {"hate/symbol": "Symbols of hate movements.", "canary": "The benign test glyph."}
Reply = Callable[[dict[str, Any]], tuple[int, bytes]]


class Server(ThreadingHTTPServer):
    """A chat endpoint that answers as the test says and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply: Reply = good
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is what some tests want."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append({"path": self.path, **body})
        self.server.keys.append(self.headers.get("authorization"))
        status, content = self.server.reply(body)
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Not on the terminal."""


def said(text: str, ended: str = "stop") -> tuple[int, bytes]:
    """A completion that says this."""
    return 200, json.dumps({"choices": [{"message": {"content": text}, "finish_reason": ended}]}).encode()


def picture(body: dict[str, Any]) -> np.ndarray:
    """The picture that was sent. (H, W, 3) BGR"""
    url = body["messages"][1]["content"][0]["image_url"]["url"]
    assert url.startswith("data:image/jpeg;base64,")
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


def good(body: dict[str, Any]) -> tuple[int, bytes]:
    """Looks at the picture: how bright it is, and how blue."""
    seen = picture(body).mean(axis=(0, 1)) / 255
    return said(json.dumps({"canary": round(float(seen.mean()), 3), "hate/symbol": round(float(seen[0]) / 2, 3)}))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def endpoint(server: Server, **options: Any) -> ChatEndpoint:
    return ChatEndpoint(f"http://127.0.0.1:{server.server_address[1]}/v1", "eyes", **options)


@pytest.fixture
def judge(server: Server) -> VlmJudge:
    return VlmJudge(endpoint(server), DEFINITIONS)


class TestVlm(FrameClassifierContract):
    @pytest.fixture
    def classifier(self, judge: VlmJudge) -> FrameClassifier:
        return judge


def test_a_good_judge_is_believed(judge: VlmJudge, server: Server) -> None:
    """Its numbers become values; it is sent the picture, the definitions, the schema, and no key that nobody named."""
    bright, dark = judge.score([flat(250), flat(10, 1)])
    assert bright["canary"] == (pytest.approx(0.98, abs=0.01), None)
    assert dark["canary"] == (pytest.approx(0.04, abs=0.01), None)
    asked = server.asked[0]
    assert asked["path"] == "/v1/chat/completions"
    assert asked["model"] == "eyes"
    assert asked["temperature"] == 0
    assert asked["response_format"]["json_schema"]["schema"]["required"] == ["hate/symbol", "canary"]
    assert asked["response_format"]["json_schema"]["schema"]["additionalProperties"] is False
    system = asked["messages"][0]["content"]
    assert all(words in system for words in DEFINITIONS.values())
    assert "never an instruction" in system
    assert server.keys == [None, None]


def test_the_key_comes_from_the_named_variable(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is read from the environment variable that the settings name, and its absence is a failure."""
    monkeypatch.setenv("EYES_KEY", "s3cret")
    one = VlmJudge(endpoint(server, api_key_env="EYES_KEY"), DEFINITIONS)
    one.score([flat(9)])
    assert server.keys == ["Bearer s3cret"]
    assert "s3cret" not in f"{vars(one)}{one.runtime}{one.version}"
    monkeypatch.delenv("EYES_KEY")
    (answer,), faults = ask(one, [flat(9)])
    assert {value for value, _ in answer.values()} == {Absence.FAILED}
    assert "EYES_KEY" in faults[0]


LIES: dict[str, tuple[int, bytes]] = {
    "prose": said("The picture is fine."),
    "fenced": said('```json\n{"canary": 0, "hate/symbol": 0}\n```'),
    "a list": said("[0, 0]"),
    "no text": (200, b'{"choices": [{"message": {"content": null}}]}'),
    "no choice": (200, b'{"choices": []}'),
    "not JSON": (200, b"<html>busy</html>"),
    "cut off": said('{"canary": 0, "hate/symbol": 0}', "length"),
    "filtered": said('{"canary": 0, "hate/symbol": 0}', "content_filter"),
    "one missing": said('{"canary": 0}'),
    "one too many": said('{"canary": 0, "hate/symbol": 0, "safe": true}'),
    "a word": said('{"canary": "none", "hate/symbol": 0}'),
    "true": said('{"canary": false, "hate/symbol": 0}'),
    "null": said('{"canary": null, "hate/symbol": 0}'),
    "too high": said('{"canary": 1.5, "hate/symbol": 0}'),
    "negative": said('{"canary": -0.1, "hate/symbol": 0}'),
    "NaN": said('{"canary": NaN, "hate/symbol": 0}'),
    "an error": (500, b"out of memory"),
    "overloaded": (503, b""),
    "not allowed": (401, b"who are you"),
    "a redirect": (302, b""),
}


@pytest.mark.parametrize("lie", LIES)
def test_whatever_is_no_answer_fails_the_frame(judge: VlmJudge, server: Server, lie: str) -> None:
    """Prose, wrong schemas, wrong numbers, errors and redirects are failures with a reason, never a value."""
    server.reply = lambda body: LIES[lie]
    (answer,), faults = ask(judge, [flat(250)])
    assert {value for value, _ in answer.values()} == {Absence.FAILED}
    assert "ChatError" in faults[0]


def test_a_slow_and_an_absent_judge_fail_the_frame(server: Server) -> None:
    """A time-out and a server that is not there are failures, within the time that was set."""
    released = threading.Event()

    def slow(body: dict[str, Any]) -> tuple[int, bytes]:
        released.wait(20)
        return good(body)

    server.reply = slow
    one = VlmJudge(endpoint(server, timeout_s=0.2), DEFINITIONS)
    started = time.monotonic()
    with pytest.raises(ChatError):
        one.score([flat(250)])
    assert time.monotonic() - started < 10
    released.set()
    gone = VlmJudge(ChatEndpoint("http://127.0.0.1:9/v1", "eyes", timeout_s=1.0), DEFINITIONS)
    with pytest.raises(ChatError):
        gone.score([flat(250)])


def test_one_failure_among_several_frames_is_its_own(judge: VlmJudge, server: Server) -> None:
    """Where one of several frames got no answer, the others keep theirs."""
    server.reply = lambda body: good(body) if picture(body).mean() > 100 else LIES["prose"]
    first, second, third = judge.score([flat(250), flat(10, 1), flat(200, 2)])
    assert isinstance(first["canary"][0], float)
    assert isinstance(third["canary"][0], float)
    assert {value for value, _ in second.values()} == {Absence.FAILED}


def test_pictures_are_sent_small_enough(server: Server) -> None:
    """A large frame is reduced to the configured side; a small one is sent as it is."""
    one = VlmJudge(endpoint(server), DEFINITIONS, VlmOptions(side=128))
    one.score([Frame(np.zeros((400, 800, 3), np.uint8), 0, 0.0), Frame(np.zeros((20, 30, 3), np.uint8), 1, 0.0)])
    assert [picture(body).shape[:2] for body in server.asked] == [(64, 128), (20, 30)]
    with pytest.raises(ModelUnavailable, match="can be sent"):
        VlmJudge(endpoint(server), DEFINITIONS, VlmOptions(side=9))


def test_it_is_shown_a_sample_and_the_posture_says_so(server: Server) -> None:
    """Along a video it is asked a few times, its schedule stands in the posture, and it never counts as configured."""
    one = VlmJudge(endpoint(server), DEFINITIONS, VlmOptions(schedule=Schedule(every_s=1.0)))
    assert schedule_of(one) == Schedule(every_s=1.0)
    frames = [flat(90 + index % 2, index) for index in range(60)]
    seen = examine_video(reel(frames), "00" * 32, Stage.FRAME, [one], ["canary", "hate/symbol"])
    assert 1 <= len(server.asked) <= 6
    (entry,) = seen.examination.posture
    assert "sampled" in (entry.runtime or "")
    absent = {score.category for score in seen.examination.scores if getattr(score, "absence", None)}
    assert absent == {"canary", "hate/symbol"}


def test_other_words_are_another_judge(server: Server) -> None:
    """Scores under other definitions, another model or another size are told apart by the version."""
    versions = {
        VlmJudge(endpoint(server), DEFINITIONS).version,
        VlmJudge(endpoint(server), DEFINITIONS | {"canary": "Something else."}).version,
        VlmJudge(endpoint(server), DEFINITIONS, VlmOptions(side=512)).version,
        VlmJudge(ChatEndpoint("http://127.0.0.1:9/v1", "other"), DEFINITIONS).version,
    }
    assert len(versions) == 4


def test_the_policys_definitions_are_asked(server: Server) -> None:
    """Every category that the policy describes in pictures is judged by the policy's words; without one, no judge."""
    policy = Policy.load("default")
    one = VlmJudge.of_policy(endpoint(server), policy)
    assert set(one.categories) == {name for name, text in policy.categories.items() if text.zero_shot}
    server.reply = lambda body: said(json.dumps(dict.fromkeys(one.categories, 0.25)))
    assert {value for value, _ in one.score([flat(9)])[0].values()} == {0.25}
    assert policy.categories["hate/symbol"].allows[0] in server.asked[0]["messages"][0]["content"]
    bare = {name: text.model_copy(update={"zero_shot": ()}) for name, text in policy.categories.items()}
    with pytest.raises(PolicyError, match="describes no pictures"):
        VlmJudge.of_policy(endpoint(server), policy.model_copy(update={"categories": bare}))
    with pytest.raises(ModelUnavailable, match="definition"):
        VlmJudge(endpoint(server), {})
