"""The public detector and scans over HTTP: what is told, what is kept (nothing), and who may ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator
from toy_server import Served

from assay.api.app import create_app
from assay.settings import Settings
from media import encode

SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "docs/schemas/scan.schema.json").read_text("utf-8"))


def _video(path: Path, colour: tuple[int, int, int] = (60, 60, 60)) -> bytes:
    encode(path, [np.full((64, 64, 3), colour, np.uint8)] * 6, Fraction(24))
    return path.read_bytes()


@pytest.fixture
def headers(api_keys: dict[str, str]) -> dict[str, str]:
    return {"authorization": f"Bearer {api_keys['one']}"}


def _files(settings: Settings) -> list[Path]:
    return [path for path in settings.private.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_a_check_and_its_feedback(
    api_client: TestClient, headers: dict[str, str], api_settings: Settings, tmp_path: Path
) -> None:
    """A file gets an answer that keeps nothing; its id takes feedback, and no other id does."""
    video = _video(tmp_path / "v.mp4")
    answer = api_client.post("/v1/provenance/checks", files={"file": ("Maria.mp4", video)}, headers=headers)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["answer"], told["object"]) == ("no-evidence", "provenance_check")
    assert "Maria" not in answer.text
    assert _files(api_settings) == []
    place = f"/v1/provenance/checks/{told['id']}/feedback"
    given = api_client.post(place, json={"word": "incorrect"}, headers=headers)
    assert given.json() == {
        "id": told["id"],
        "object": "provenance_check.feedback",
        "answer": "no-evidence",
        "word": "incorrect",
    }
    forged = told["id"].replace("no-evidence", "synthetic")
    assert (
        api_client.post(
            f"/v1/provenance/checks/{forged}/feedback", json={"word": "correct"}, headers=headers
        ).status_code
        == 404
    )
    assert api_client.post(place, json={"word": "I am Maria"}, headers=headers).status_code == 400


def test_what_cannot_be_checked(api_client: TestClient, headers: dict[str, str], api_settings: Settings) -> None:
    """No file, a file that is none, two at once, and a URL are 400; none stays on the disk."""
    place = "/v1/provenance/checks"
    for sent in (
        {"files": {"file": ("a", b"nonsense")}}, {"json": {}}, {"json": {"file": "a"}},
        {"json": {"url": "http://169.254.169.254/"}}, {"files": {"file": ("a", b"")}},
        {"files": {"file": ("a", b"x")}, "data": {"url": "http://example.org/"}},
    ):  # fmt: skip
        answer = api_client.post(place, headers=headers, **sent)  # type: ignore[arg-type]
        assert answer.status_code == 400, sent
        assert str(api_settings.home) not in answer.text
    assert _files(api_settings) == []


@pytest.mark.full
def test_the_openai_client_checks_provenance(server: Served, tmp_path: Path) -> None:
    """The openai client's own method reaches the detector, and reads our answer as its type."""
    client = openai.OpenAI(api_key=server.keys["one"], base_url=server.url, max_retries=0)
    made: Any = client.content_provenance_checks.create(file=("v.mp4", _video(tmp_path / "v.mp4")))
    (c2pa, *_) = made.results
    assert (c2pa.type, c2pa.outcome, c2pa.validation_state) == ("c2pa", "not_detected", "not_present")
    assert made.answer == "no-evidence"


@pytest.fixture
def open_client(api_settings: Settings) -> Iterator[TestClient]:
    """A server whose detector is open to all, three times a minute."""
    serving = api_settings.serve.model_copy(update={"public_checks": True, "public_checks_per_minute": 3})
    with TestClient(create_app(api_settings.model_copy(update={"serve": serving}))) as client:
        yield client


def test_open_to_all_within_limits(open_client: TestClient) -> None:
    """Without a key the open detector answers, a few times a minute; nothing else does."""
    codes = [open_client.post("/v1/provenance/checks", json={}).status_code for _ in range(5)]
    assert codes == [400, 400, 400, 429, 429]
    assert open_client.post("/v1/moderations", json={"input": "a"}).status_code == 401
    wrong = {"authorization": "Bearer ak_0_0"}
    assert open_client.post("/v1/provenance/checks", json={}, headers=wrong).status_code == 401, "a wrong key is no key"


def test_closed_without_a_key(api_client: TestClient) -> None:
    """By default nobody is answered without a key."""
    for place in (
        "/v1/provenance/checks",
        "/v1/content_provenance_checks",
        "/v1/scans",
        "/v1/provenance/checks/a/feedback",
    ):
        assert api_client.post(place, json={}).status_code == 401, place


def test_a_scan_has_the_contracts_row(
    api_client: TestClient, headers: dict[str, str], api_settings: Settings, tmp_path: Path
) -> None:
    """An uploaded video gets the row of `assay scan --json`: every frame, the decision, and no file left."""
    video = _video(tmp_path / "red.mp4", (255, 0, 0))
    answer = api_client.post("/v1/scans", files={"file": ("../../etc/red\r\n.mp4", video)}, headers=headers)
    assert answer.status_code == 200
    row = answer.json()
    Draft202012Validator(SCHEMA).validate(row)
    assert (row["action"], row["frames"]["decoded"], row["frames"]["failed"]) == ("block", 6, 0)
    assert "/" not in row["path"]
    assert _files(api_settings) == []


def test_what_cannot_be_scanned(api_client: TestClient, headers: dict[str, str], api_settings: Settings) -> None:
    """A file that is no video is 400, no file too; what is too large is 413 and names the command that has no limit."""
    broken = b"\0\0\0\x18ftypmp42" + b"broken" * 50
    for sent in ({"files": {"file": ("a.mp4", broken)}}, {"json": {}}, {"json": {"file": "a"}}):
        assert api_client.post("/v1/scans", headers=headers, **sent).status_code == 400, sent  # type: ignore[arg-type]
    assert _files(api_settings) == []
    serving = api_settings.serve.model_copy(update={"scan_bytes": 1000})
    with TestClient(create_app(api_settings.model_copy(update={"serve": serving}))) as client:
        large = client.post("/v1/scans", files={"file": ("a.mp4", b"x" * 1001)}, headers=headers)
    assert large.status_code == 413
    assert "assay scan" in large.json()["error"]["message"]
