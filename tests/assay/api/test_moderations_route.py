"""`/v1/moderations` over HTTP: the unmodified openai client, malformed requests, and a queue that does not grow."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from fastapi.testclient import TestClient
from toy_server import Served

from assay.api.app import create_app
from assay.api.desks import Desks, desks_of
from assay.settings import Settings
from media import write_image

SENT: list[Any] = [
    (3, "input"), ([], "input"), ({"a": 1}, "input"), ([{"type": "text"}], "input[0]"), (["a", 3], "input"),
    ([{"type": "image_url", "image_url": {"url": 3}}], "input[0].image_url.url"),
    ([{"type": "image_url", "image_url": {"url": "data:image/png;base64,!!!"}}], "input.image_url"),
    ([{"type": "image_url", "image_url": {"url": "data:image/png,raw"}}], "input.image_url"),
    ([{"type": "image_url", "image_url": {"url": "data:image/png;base64,bm8gcGljdHVyZQ=="}}], "input.image_url"),
    ([{"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest"}}], "input.image_url"),
    ([{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}], "input.image_url"),
]  # fmt: skip


def _url(folder: Path, colour: tuple[int, int, int]) -> str:
    write_image(folder / "it.png", np.full((24, 32, 3), colour, np.uint8))
    return "data:image/png;base64," + base64.b64encode((folder / "it.png").read_bytes()).decode()


def _multimodal(text: str, url: str) -> Any:
    return [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]


@pytest.fixture
def headers(api_keys: dict[str, str]) -> dict[str, str]:
    return {"authorization": f"Bearer {api_keys['one']}"}


def test_texts_by_the_openai_client(server: Served) -> None:
    """The openai client gets one result a string, with its typed fields, null where nobody looked, and our own."""
    client = openai.OpenAI(api_key=server.keys["one"], base_url=server.url, max_retries=0)
    made = client.moderations.create(input=["a red kite", "a forbidden scene"], model="omni-moderation-latest")
    assert made.id.startswith("modr-")
    clean, foul = made.results
    assert (clean.flagged, foul.flagged) == (False, True)
    assert foul.categories.violence_graphic is True
    assert foul.category_scores.violence_graphic == 1.0
    assert foul.category_applied_input_types.violence_graphic == ["text"]
    assert clean.categories.sexual is False
    assert clean.categories.harassment is None
    extra: Any = clean
    assert extra.safety["not_evaluated"]["text"]["harassment"] == "no_rule"
    assert extra.categories.to_dict()["ip/character"] is False


def test_text_and_picture_by_the_openai_client(server: Served, tmp_path: Path) -> None:
    """A multimodal array gets one combined result that says which kind of input each category was found in."""

    async def ask() -> Any:
        async with openai.AsyncOpenAI(api_key=server.keys["one"], base_url=server.url, max_retries=0) as client:
            return await client.moderations.create(input=_multimodal("a kite", _url(tmp_path, (255, 0, 0))))

    made = asyncio.run(ask())
    (found,) = made.results
    assert found.flagged is True
    assert found.category_applied_input_types.violence_graphic == ["text", "image"]
    assert found.safety["decision"] == "block"
    assert {reason["stage"] for reason in found.safety["reasons"]} == {"input image"}


def test_a_malformed_request_is_a_typed_error(server: Served) -> None:
    """What the endpoint cannot read becomes the client's BadRequestError with the field's name, and no retry."""
    client = openai.OpenAI(api_key=server.keys["one"], base_url=server.url, max_retries=3)
    with pytest.raises(openai.BadRequestError) as refused:
        client.moderations.create(input=[{"type": "nonsense"}])  # type: ignore[list-item]
    assert refused.value.param == "input[0]"
    assert refused.value.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(("sent", "param"), SENT)
def test_malformed_input_is_400(api_client: TestClient, headers: dict[str, str], sent: Any, param: str) -> None:
    """Every malformed input, and every URL while none are fetched, is a 400 that names its place."""
    answer = api_client.post("/v1/moderations", json={"input": sent}, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_unknown_fields_and_strange_bodies(api_client: TestClient, headers: dict[str, str]) -> None:
    """A missing input, an unknown field, another type and a body that is no JSON are refused, never half-read."""
    for body in ({}, {"input": "a", "sensitivity": 3}, {"input": "a", "model": 3}):
        assert api_client.post("/v1/moderations", json=body, headers=headers).status_code == 400
    strange = api_client.post("/v1/moderations", content=b"{", headers={**headers, "content-type": "application/json"})
    assert strange.status_code == 400
    assert (
        api_client.post("/v1/moderations", content=b"a", headers={**headers, "content-type": "text/plain"}).status_code
        == 415
    )


def test_who_has_no_key_is_refused(api_client: TestClient) -> None:
    """Without a key, and with a wrong one, nothing is looked at."""
    for headers in ({}, {"authorization": "Bearer ak_0_0"}):
        assert api_client.post("/v1/moderations", json={"input": "a"}, headers=headers).status_code == 401


def test_a_picture_that_does_not_decode(
    api_client: TestClient, headers: dict[str, str], api_settings: Settings
) -> None:
    """A picture that breaks the decoder is the sender's fault, names no path of ours, and leaves no file."""
    url = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n and then nonsense").decode()
    answer = api_client.post("/v1/moderations", json={"input": _multimodal("a", url)}, headers=headers)
    assert answer.status_code == 400
    assert str(api_settings.home) not in answer.text
    assert [path for path in api_settings.private.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_pictures_may_be_larger_than_other_json(
    api_client: TestClient, headers: dict[str, str], tmp_path: Path
) -> None:
    """A request may hold a picture of megabytes; beyond its own limit it is refused unread."""
    noise = np.random.default_rng(1).integers(0, 255, (700, 800, 3), np.uint8)
    write_image(tmp_path / "n.png", noise)
    url = "data:image/png;base64," + base64.b64encode((tmp_path / "n.png").read_bytes()).decode()
    assert len(url) > 1 << 20
    assert api_client.post("/v1/moderations", json={"input": _multimodal("a", url)}, headers=headers).status_code == 200
    huge = {"input": "a" * (33 << 20)}
    assert api_client.post("/v1/moderations", json=huge, headers=headers).status_code == 413


@pytest.fixture
def narrow(api_settings: Settings) -> Settings:
    """A server whose text desk lets one question wait, and whose model hangs until its deadline."""
    serving = api_settings.serve.model_copy(
        update={"moderation_hands": 1, "moderation_waiting": 1, "moderation_batch": 1}
    )
    deadlines = api_settings.deadlines.model_copy(update={"prompt": 2.0})
    changes = {"serve": serving, "prompt_classifiers": ("assay_toys:HangingPrompt",), "deadlines": deadlines}
    return api_settings.model_copy(update=changes)


def test_beyond_the_queue_429(narrow: Settings, headers: dict[str, str]) -> None:
    """Who finds the queue full hears 429 with a time to come back; a model that hangs is ended and is a typed error."""
    app = create_app(narrow)

    async def ask() -> list[Any]:
        import httpx

        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here", timeout=60) as client:
            tasks = []
            for _ in range(5):
                tasks.append(asyncio.create_task(client.post("/v1/moderations", json={"input": "a"}, headers=headers)))
                await asyncio.sleep(0.1)
            return list(await asyncio.gather(*tasks))

    with TestClient(app):  # the context of the app; its loop is another, which the desks do not mind
        answers = asyncio.run(ask())
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    for answer in refused:
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["x-should-retry"] == "true"
        assert answer.json()["error"]["code"] == "overloaded"
    for answer in set(answers) - set(refused):
        assert answer.status_code == 500
        assert answer.json()["error"]["code"] == "evaluation_failed"


def test_a_raising_model_flags(api_settings: Settings, headers: dict[str, str]) -> None:
    """A model that raises is no server error and no pass: the answer is flagged, and every category null."""
    broken = api_settings.model_copy(update={"prompt_classifiers": ("assay_toys:RaisingPrompt",)})
    with TestClient(create_app(broken)) as client:
        (found,) = client.post("/v1/moderations", json={"input": "a"}, headers=headers).json()["results"]
    assert found["flagged"] is True
    assert set(found["categories"].values()) == {None}
    assert found["safety"]["not_evaluated"]["text"]["hate"] == "failed"


def test_a_missing_model_is_503(api_settings: Settings, headers: dict[str, str]) -> None:
    """Where a model cannot be loaded nothing is judged, and the client is told to come back."""
    broken = api_settings.model_copy(update={"prompt_classifiers": ("assay_toys:NoSuchThing",)})
    with TestClient(create_app(broken)) as client:
        answer = client.post("/v1/moderations", json={"input": "a"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")


def test_a_closed_server_refuses(api_settings: Settings, headers: dict[str, str]) -> None:
    """A request that comes while the desks close is told so, and looked at by nobody."""
    app = create_app(api_settings)
    with TestClient(app) as client:
        desks: Desks = desks_of(app.state.context)
        desks.texts.close()
        answer = client.post("/v1/moderations", json={"input": "a"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "closing")
