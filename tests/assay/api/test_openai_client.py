"""The unmodified `openai` client against a running server: everything it can do with videos, sync and async."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import openai
import pytest
from toy_server import Served

from assay import review
from assay.assemble import signer
from assay.ledger import Ledger
from provenance import read

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")

SMALL: dict[str, Any] = {"seconds": "1", "size": "96x64"}


@pytest.fixture
def client(server: Served) -> openai.OpenAI:
    return openai.OpenAI(api_key=server.keys["one"], base_url=server.url, max_retries=0)


@pytest.fixture(scope="module")
def made(server: Served) -> Any:
    """A finished video of tenant one."""
    client = openai.OpenAI(api_key=server.keys["one"], base_url=server.url, max_retries=0)
    return client.videos.create_and_poll(prompt="a grey second", **SMALL)


def test_create_and_poll(made: Any) -> None:
    """`create_and_poll` comes back with a finished video, and the safety object rides along."""
    assert made.status == "completed"
    assert made.progress == 100
    assert made.error is None
    assert (made.seconds, made.size) == ("1", "96x64")
    assert made.safety["decision"] == "allow"
    assert made.safety["billable"] is True
    assert made.safety["policy"]["cited"].startswith("default@")
    assert {entry["stage"] for entry in made.safety["posture"]} == {"prompt", "frame"}


@pytest.mark.parametrize("variant", ["video", "thumbnail", "spritesheet"])
def test_every_variant_is_signed(
    server: Served, client: openai.OpenAI, made: Any, variant: Any, tmp_path: Path
) -> None:
    """Whatever variant is downloaded carries credentials that verify as trusted."""
    suffix = "mp4" if variant == "video" else "jpg"
    target = tmp_path / f"{variant}.{suffix}"
    client.videos.download_content(made.id, variant=variant).write_to_file(target)
    assert read(target, signer(server.settings).trust).state.value == "trusted"


def test_pages(client: openai.OpenAI, made: Any) -> None:
    """Paging by one in either order meets every video once, in opposite orders."""
    client.videos.create_and_poll(prompt="another grey second", **SMALL)
    newest = [video.id for video in client.videos.list(limit=1)]
    oldest = [video.id for video in client.videos.list(limit=1, order="asc")]
    assert newest == oldest[::-1]
    assert len(set(newest)) == len(newest) >= 2
    assert made.id in newest


def test_remix(client: openai.OpenAI, made: Any) -> None:
    """A remix is a new video that names the one it was made from."""
    remix = client.videos.poll(client.videos.remix(made.id, prompt="grey again").id)
    assert (remix.status, remix.remixed_from_video_id) == ("completed", made.id)


def test_extension_of_a_file(client: openai.OpenAI, made: Any, tmp_path: Path) -> None:
    """A downloaded video that is sent back for an extension comes out longer by what was asked for."""
    client.videos.download_content(made.id).write_to_file(tmp_path / "sent.mp4")
    with open(tmp_path / "sent.mp4", "rb") as file:
        extended = client.videos.extend(video=file, prompt="grey on", seconds="1")
    extended = client.videos.poll(extended.id)
    assert (extended.status, extended.seconds) == ("completed", "2")


def test_extension_and_edit_by_id(client: openai.OpenAI, made: Any) -> None:
    """A video of one's own can be named by its id, as the published API has it."""
    for path, seconds, length in (("extensions", {"seconds": "1"}, "2"), ("edits", {}, "1")):
        body = {"video": {"id": made.id}, "prompt": "grey on", **seconds}
        sent = client.post(f"/videos/{path}", body=body, cast_to=type(made))
        assert client.videos.poll(sent.id).seconds == length


def test_blocked_prompt(client: openai.OpenAI) -> None:
    """A refused prompt is a typed 400 with details, a request id, and a word against trying again."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.videos.create(prompt="something forbidden", **SMALL)
    error: Any = caught.value
    assert error.code == "moderation_blocked"
    assert error.body["moderation_details"] == {"moderation_stage": "input", "categories": ["violence/graphic"]}
    assert "violence/graphic in the prompt" in error.body["safety"]["statement"]
    assert error.request_id.startswith("req_")
    assert error.response.headers["x-should-retry"] == "false"


def test_blocked_output(client: openai.OpenAI) -> None:
    """What the eyes refuse is a failed job that says where it was stopped, serves nothing, and is not billed."""
    video: Any = client.videos.create_and_poll(prompt="red", **SMALL)
    assert (video.status, video.error.code) == ("failed", "moderation_blocked")
    assert video.error.moderation_details == {"moderation_stage": "output", "categories": ["violence/graphic"]}
    assert "from 0.2 s to 0.3 s" in video.error.message
    assert video.safety["billable"] is False
    for variant in ("video", "thumbnail", "spritesheet"):
        with pytest.raises(openai.NotFoundError):
            client.videos.download_content(video.id, variant=variant)


def test_held_output_approved(server: Served, client: openai.OpenAI, tmp_path: Path) -> None:
    """A held output stays in_progress for the client until a person approves it; then it is served, and billed."""
    held: Any = wait_for_review(client, client.videos.create(prompt="pink", **SMALL).id)
    assert held.status == "in_progress"
    with pytest.raises(openai.ConflictError):
        client.videos.download_content(held.id)
    ledger = Ledger(server.settings.ledger)
    (one,) = [each for each in review.waiting(ledger) if each.row.job == held.id]
    review.approve_output(ledger, one.row.id, "reviewer-7", "harmless", signer(server.settings))
    ledger.close()
    video: Any = client.videos.retrieve(held.id)
    assert (video.status, video.safety["review"], video.safety["billable"]) == ("completed", False, True)
    for variant in ("video", "thumbnail"):
        target = tmp_path / ("approved.mp4" if variant == "video" else "approved.jpg")
        client.videos.download_content(held.id, variant=variant).write_to_file(target)
        credentials = read(target, signer(server.settings).trust)
        assert credentials.decision is not None
        assert credentials.decision["human"]["reference"] == one.row.id


def test_held_prompt_approved(server: Served, client: openai.OpenAI) -> None:
    """An approved prompt goes back into the queue and the same job comes to its end."""
    held: Any = wait_for_review(client, client.videos.create(prompt="something doubtful", **SMALL).id)
    ledger = Ledger(server.settings.ledger)
    (one,) = [each for each in review.waiting(ledger) if each.row.job == held.id]
    review.requeue(ledger, one.row.id, "reviewer-7", "harmless")
    ledger.close()
    assert client.videos.poll(held.id).status == "completed"


def wait_for_review(client: openai.OpenAI, id: str) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        video: Any = client.videos.retrieve(id)
        if video.safety["review"]:
            return video
        time.sleep(0.1)
    raise AssertionError("it was not held")


def test_delete(server: Served, client: openai.OpenAI) -> None:
    """A deleted video is gone for the client and from the disk; the decisions about it stay in the ledger."""
    video = client.videos.create_and_poll(prompt="grey for a while", **SMALL)
    assert list((server.settings.videos / video.id).rglob("*.mp4"))
    assert client.videos.delete(video.id).deleted
    assert not (server.settings.videos / video.id).exists()
    for gone in (client.videos.retrieve, client.videos.download_content, client.videos.delete):
        with pytest.raises(openai.NotFoundError):
            gone(video.id)
    ledger = Ledger(server.settings.ledger)
    assert len(ledger.decisions(video.id)) == 2
    assert "grey for a while" not in str(ledger.job(video.id).request)
    ledger.close()


def test_async_client(server: Served) -> None:
    """The asynchronous client sees the same: a video, its bytes, a page, a refusal."""

    async def speak() -> None:
        async with openai.AsyncOpenAI(api_key=server.keys["one"], base_url=server.url, max_retries=0) as client:
            video = await client.videos.create_and_poll(prompt="a grey second", **SMALL)
            content = await client.videos.download_content(video.id)
            assert (await content.aread())[4:8] == b"ftyp"
            assert (await client.videos.list(limit=1)).data[0].id == video.id
            with pytest.raises(openai.BadRequestError):
                await client.videos.create(prompt="something forbidden", **SMALL)
            assert (await client.videos.delete(video.id)).deleted

    asyncio.run(speak())


def test_picture_as_first_frame(client: openai.OpenAI, made: Any, tmp_path: Path) -> None:
    """A picture is taken as a file of a form and as a data URL; what only claims to be one is refused."""
    client.videos.download_content(made.id, variant="thumbnail").write_to_file(tmp_path / "first.jpg")
    with open(tmp_path / "first.jpg", "rb") as file:
        assert client.videos.create_and_poll(prompt="grey", input_reference=file, **SMALL).status == "completed"
    with pytest.raises(openai.BadRequestError) as caught:
        client.videos.create(prompt="grey", input_reference=("first.jpg", b"#!/bin/sh\n"), **SMALL)
    assert caught.value.code == "invalid_file"


def test_character(client: openai.OpenAI, made: Any, tmp_path: Path) -> None:
    """A character is made of a video, fetched, and named by a video that begins with its picture."""
    client.videos.download_content(made.id).write_to_file(tmp_path / "sent.mp4")
    with open(tmp_path / "sent.mp4", "rb") as file:
        character = client.videos.create_character(name="Mossy", video=file)
    assert character.id is not None
    assert client.videos.get_character(character.id).name == "Mossy"
    body = {"characters": [{"id": character.id}]}
    assert client.videos.create_and_poll(prompt="grey", extra_body=body, **SMALL).status == "completed"
