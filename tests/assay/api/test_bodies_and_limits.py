"""What is taken in, what is refused and how: bodies in every form, limits, uploads, URLs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from toy_server import Served

from assay.api.bodies import nested
from assay.api.errors import ApiError
from assay.api.limits import Limiter
from assay.api.uploads import suffix_of
from assay.fetching import Bounds, FetchRefused, fetch, is_public
from assay.ledger import Ledger
from assay.serving import Serving
from assay.tenants import Caller, Limits


def post(server: Served, path: str = "/videos", **sent: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {server.keys['one']}"} | sent.pop("headers", {})
    return httpx.post(server.url + path, headers=headers, timeout=60, **sent)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"json": {}}, "missing_required_parameter"),
        ({"json": {"prompt": ""}}, "invalid_value"),
        ({"json": {"prompt": "grey", "size": "0x0"}}, "invalid_value"),
        ({"json": {"prompt": "grey", "size": "4000x4000"}}, "invalid_request"),
        ({"json": {"prompt": "grey", "seconds": "1e9"}}, "invalid_value"),
        ({"json": {"prompt": "grey", "seconds": "nan"}}, "invalid_value"),
        ({"json": {"prompt": "grey", "moderation": "off"}}, "unknown_parameter"),
        ({"json": {"prompt": "gr\0ey"}}, "invalid_value"),
        ({"json": {"prompt": "grey", "input_reference": {"file_id": "file-1"}}}, "unsupported_reference"),
        ({"json": {"prompt": "grey", "input_reference": {"image_url": "http://127.0.0.1/a.png"}}}, "urls_not_fetched"),
        ({"json": {"prompt": "grey", "input_reference": {"image_url": "data:image/png;base64,!"}}}, "invalid_file"),
        ({"json": {"prompt": "grey", "storyboard": [{"at": 9, "prompt": "blue"}]}}, "invalid_request"),
        ({"json": [1]}, "invalid_json"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, "invalid_json"),
        ({"content": b'"\\ud800"', "headers": {"content-type": "application/json"}}, "invalid_json"),
        ({"content": b'{"\\ud800": 1}', "headers": {"content-type": "application/json"}}, "invalid_value"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, "invalid_form"),
    ],
)  # fmt: skip
def test_malformed_requests(server: Served, sent: dict[str, Any], code: str) -> None:
    """Each malformed request is a 400 with its own code, that no client tries again."""
    answer = post(server, **sent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert answer.headers["x-should-retry"] == "false"


def test_other_media_types_and_sizes(server: Served) -> None:
    """A body of another type is a 415; one beyond the limit a 413, whether its length is stated or not."""
    assert post(server, content=b"<a/>", headers={"content-type": "text/xml"}).status_code == 415
    large = b'{"prompt": "' + b"a" * (1 << 20) + b'"}'
    assert post(server, content=large, headers={"content-type": "application/json"}).status_code == 413
    chunks = (large[start : start + 65536] for start in range(0, len(large), 65536))
    assert post(server, content=chunks, headers={"content-type": "application/json"}).status_code == 413


def test_forms_and_json_say_the_same(server: Served) -> None:
    """Numbers in strings, nested names in brackets and JSON make the same video: the idempotency key proves it."""
    key = {"headers": {"Idempotency-Key": "in two forms"}}
    form = {"prompt": "grey", "seconds": "1", "size": "96x64", "seed": "7"}
    form |= {"storyboard[0][at]": "0.5", "storyboard[0][prompt]": "blue"}
    told = {"prompt": "grey", "seconds": 1, "size": "96x64", "seed": 7, "storyboard": [{"at": 0.5, "prompt": "blue"}]}
    first = post(server, data=form, files={}, **key)
    assert first.status_code == 200, first.text
    assert post(server, json=told, **key).json()["id"] == first.json()["id"]


@pytest.mark.parametrize("keys", [["a[b", "c"], ["a[b][c][d][e]"], ["a", "a"], ["a", "a[b]"], ["a[b]", "a"]])
def test_bracket_names_that_are_none(keys: list[str]) -> None:
    """A name that cannot be read, is too deep, or is given twice is refused, not guessed."""
    with pytest.raises(ApiError):
        nested([(key, "x") for key in keys])


def test_brackets_nest() -> None:
    """Names nest and numbers make lists in their order."""
    pairs = [("s[1][p]", "b"), ("s[0][p]", "a"), ("v[id]", "x"), ("n", "1")]
    assert nested(pairs) == {"s": [{"p": "a"}, {"p": "b"}], "v": {"id": "x"}, "n": "1"}


def test_requests_a_minute(tmp_path: Path) -> None:
    """Beyond its rate a tenant hears 429 with the seconds to wait, and is let in after them; others are not hit."""
    moment = [0.0]
    ledger = Ledger(f"sqlite:///{tmp_path}/l.sqlite")
    limiter = Limiter(ledger, Serving(requests_per_minute=600), clock=lambda: moment[0])
    slow = Caller("slow", "k", frozenset(), limits=Limits(requests_per_minute=2))
    limiter.request(slow)
    limiter.request(slow)
    with pytest.raises(ApiError) as caught:
        limiter.request(slow)
    answer = caught.value.response()
    assert (answer.status_code, answer.headers["retry-after"], answer.headers["x-should-retry"]) == (429, "30", "true")
    limiter.request(Caller("other", "k", frozenset()))
    moment[0] = 30.0
    limiter.request(slow)
    ledger.close()


def test_suffixes_are_of_the_content() -> None:
    """A file is what its first bytes say; what is nothing of ours has no suffix."""
    assert suffix_of(b"\x89PNG\r\n\x1a\n....") == "png"
    assert suffix_of(b"\xff\xd8\xff\xe0") == "jpg"
    assert suffix_of(b"RIFF....WEBPVP8 ") == "webp"
    assert suffix_of(b"\0\0\0\x18ftypisom") == "mp4"
    assert suffix_of(b"\0\0\0\x18ftypavif") is None
    assert suffix_of(b"#!/bin/sh") is None
    assert suffix_of(b"") is None


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "::1", "fe80::1", "fc00::1",
     "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1", "240.0.0.1", "198.18.0.1"],
)  # fmt: skip
def test_private_addresses(address: str) -> None:
    """No address of a private, local or reserved network counts as public, in whatever clothes."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses(address: str) -> None:
    """An address of the internet does."""
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    ["http://localhost/a", "http://127.0.0.1/a", "http://[::1]/a", "http://2130706433/a", "http://0x7f.1/a",
     "file:///etc/passwd", "gopher://1.1.1.1/", "http://1.1.1.1:22/", "http://user:pw@1.1.1.1/", "http:///a",
     "http://1.1.1.1/a b", "http://1.1.1.1/\r\nhost: x", "http://[::1", "http://no-such-host.invalid/"],
)  # fmt: skip
def test_urls_that_are_not_fetched(url: str) -> None:
    """A URL that leads into our network, or is not plainly http(s) to the usual ports, is not opened."""
    with pytest.raises(FetchRefused):
        fetch(url, io.BytesIO(), Bounds(1000, 2.0))
