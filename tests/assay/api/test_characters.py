"""Characters: judged before they are kept, a tenant's own, judged again in every video, and gone when deleted."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from assay.jobs.tidying import tidy
from assay.jobs.working import work
from assay.ledger import Ledger
from assay.leftovers import OwnerLock
from assay.settings import Settings
from assay.tasks import Bench
from assay.watch import Silent
from media import Encoder, read_image

GREY, RED, PINK = (90, 90, 90), (255, 0, 0), (255, 110, 110)


def clip(folder: Path, colour: tuple[int, int, int]) -> bytes:
    """Half a second of one colour, whose middle frame has a white corner."""
    path = folder / "sent.mp4"
    with Encoder(path, size=(96, 64), rate=Fraction(12)) as encoder:
        for number in range(7):
            frame = np.full((64, 96, 3), colour, np.uint8)
            if number == 3:
                frame[:16, :16] = 255
            encoder.write(frame)
    return path.read_bytes()


class Cast:
    """A client with the keys of two tenants."""

    def __init__(self, client: TestClient, keys: dict[str, str], folder: Path) -> None:
        self.client, self.keys, self.folder = client, keys, folder

    def ask(self, method: str, path: str, tenant: str = "one", **more: Any) -> Any:
        headers = {"authorization": f"Bearer {self.keys[tenant]}"}
        return self.client.request(method, f"/v1/videos{path}", headers=headers, **more)

    def make(self, colour: tuple[int, int, int] = GREY, name: str = "Mossy") -> Any:
        files = {"video": ("a.mp4", clip(self.folder, colour))}
        return self.ask("post", "/characters", data={"name": name}, files=files)

    def use(self, id: str, tenant: str = "one", **more: Any) -> Any:
        body = {"prompt": "grey", "seconds": "0.5", "size": "96x64", "characters": [{"id": id}], **more}
        return self.ask("post", "", tenant, json=body)


@pytest.fixture
def stage_of_two(api_client: TestClient, api_keys: dict[str, str], tmp_path: Path) -> Cast:
    return Cast(api_client, api_keys, tmp_path)


def kept(settings: Settings) -> list[str]:
    """The files that are kept of all characters."""
    return sorted(path.name for path in (settings.home / "characters").rglob("*") if path.is_file())


def worked(settings: Settings) -> None:
    with OwnerLock(settings, "worker-cast"):
        bench = Bench(settings, "worker-cast")
        work(bench, None, Silent())
        bench.close()


def test_a_life(stage_of_two: Cast, api_settings: Settings) -> None:
    """A character is made, seen, used in a video that begins with its picture, and deleted with its bytes."""
    made = stage_of_two.make().json()
    assert (made["object"], made["name"], made["safety"]["decision"]) == ("character", "Mossy", "allow")
    assert {entry["stage"] for entry in made["safety"]["posture"]} == {"prompt", "input video"}
    assert kept(api_settings) == ["picture.png"]
    (picture,) = (api_settings.home / "characters").rglob("*.png")
    assert picture.stat().st_mode & 0o077 == 0
    assert read_image(picture).pixels[:8, :8].min() > 200, "the frame in the middle"
    seen = stage_of_two.ask("get", f"/characters/{made['id']}").json()
    assert seen == {name: made[name] for name in ("id", "object", "created_at", "name")}
    video = stage_of_two.use(made["id"]).json()
    worked(api_settings)
    done = stage_of_two.ask("get", f"/{video['id']}").json()
    assert done["status"] == "completed", done
    assert {entry["stage"] for entry in done["safety"]["posture"]} == {"prompt", "input image", "frame"}
    assert stage_of_two.ask("delete", f"/characters/{made['id']}").json()["deleted"]
    assert kept(api_settings) == []
    for answer in (stage_of_two.ask("get", f"/characters/{made['id']}"), stage_of_two.use(made["id"])):
        assert answer.status_code == 404
    assert stage_of_two.ask("get", f"/{video['id']}").json()["status"] == "completed"


@pytest.mark.parametrize(
    ("colour", "name", "where"), [(RED, "Mossy", "in the video you sent"), (GREY, "forbidden", "in the prompt")]
)
def test_refused_ones_are_kept_nowhere(
    stage_of_two: Cast, api_settings: Settings, colour: tuple[int, int, int], name: str, where: str
) -> None:
    """A video or a name that the policy blocks is a typed refusal with its decision on record, and no byte stays."""
    answer = stage_of_two.make(colour, name)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "moderation_blocked", "video")
    assert error["moderation_details"] == {"moderation_stage": "input", "categories": ["violence/graphic"]}
    assert where in error["safety"]["statement"]
    assert answer.headers["x-should-retry"] == "false"
    assert kept(api_settings) == []
    ledger = Ledger(api_settings.ledger)
    row = ledger.job(error["safety"]["record"])
    assert (row.kind, row.tenant, row.action) == ("character", "one", "block")
    assert "block" in {decision.action.word for decision in ledger.decisions(row.id)}
    ledger.close()


def test_what_a_person_should_see_waits_in_each_video(stage_of_two: Cast, api_settings: Settings) -> None:
    """A doubtful picture is kept, since nothing is shown of it; a video that is made with it is held for a person."""
    made = stage_of_two.make(PINK).json()
    assert made["safety"]["decision"] == "review"
    video = stage_of_two.use(made["id"]).json()
    worked(api_settings)
    held = stage_of_two.ask("get", f"/{video['id']}").json()
    assert (held["status"], held["safety"]["review"]) == ("in_progress", True)


def test_apart(stage_of_two: Cast) -> None:
    """Another tenant neither sees, uses nor deletes a character; it is as if it never was."""
    id = stage_of_two.make().json()["id"]
    never = "char_" + "0" * 24
    for each in (id, never):
        for answer in (
            stage_of_two.ask("get", f"/characters/{each}", "two"),
            stage_of_two.ask("delete", f"/characters/{each}", "two"),
            stage_of_two.use(each, "two"),
        ):  # fmt: skip
            assert answer.status_code == 404
            assert answer.json()["error"]["message"].replace(each, "ID") == "no character with id 'ID'"
    assert stage_of_two.ask("get", f"/characters/{id}").status_code == 200


def test_what_is_no_video_or_one_picture_too_many(stage_of_two: Cast, api_settings: Settings) -> None:
    """A file that only claims to be a video, a broken one, a picture beside a character: typed 400s."""
    sent = clip(stage_of_two.folder, GREY)
    for content, param in ((b"#!/bin/sh", "video"), (sent[:200], "file")):
        files = {"video": ("a.mp4", content)}
        answer = stage_of_two.ask("post", "/characters", data={"name": "Mossy"}, files=files)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_file", param)
    assert kept(api_settings) == []
    twice = stage_of_two.use("char_" + "0" * 24, input_reference={"image_url": "data:image/png;base64,AAAA"})
    assert (twice.status_code, twice.json()["error"]["param"]) == (400, "characters")


def test_left_overs_go(stage_of_two: Cast, api_settings: Settings) -> None:
    """A folder that a kill left goes when its time has come; that of a character stays."""
    stage_of_two.make()
    orphan = api_settings.home / "characters" / ("char_" + "1" * 24)
    orphan.mkdir()
    for old in (orphan, next((api_settings.home / "characters").glob("char_*"))):
        os.utime(old, (1, 1))
    bench = Bench(api_settings, "worker-tidy")
    tidy(api_settings, bench.queue)
    bench.close()
    assert not orphan.exists()
    assert kept(api_settings) == ["picture.png"]
