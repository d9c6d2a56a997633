"""Files that clients send: named by what their first bytes say, never by what their sender says, and kept private.

Nothing is decoded here; that is for a worker process. The folder belongs to the job, and goes with it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from starlette.datastructures import UploadFile

from assay.api.errors import ApiError
from assay.fetching import Bounds, fetch
from assay.serving import Serving

_HEAD = 64  # bytes that are enough to know a format
IMAGES = {"png", "jpg", "webp"}
VIDEOS = {"mp4", "webm"}
_MOST_DATA_URL = 32 << 20  # characters


def suffix_of(head: bytes) -> str | None:
    """The format of a file by its first bytes: png, jpg, gif, webp, mp4 (also mov), webm (also mkv), or None."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp" and head[8:12] not in (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1", b"M4A "):
        return "mp4"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm"
    return None


def keep(given: UploadFile | Mapping[str, Any], folder: Path, kinds: set[str], serving: Serving, param: str) -> Path:
    """Writes an upload, or what `{"image_url": ...}` names, to `folder/input.<kind>` (0600). Raises ApiError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    staged = folder / "input.part"
    with open(os.open(staged, os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_CLOEXEC, 0o600), "w+b") as target:
        if isinstance(given, UploadFile):
            shutil.copyfileobj(given.file, target, 1 << 20)
        else:
            _from_url(given, target, serving, param)
        target.seek(0)
        suffix = suffix_of(target.read(_HEAD))
    if suffix not in kinds:
        staged.unlink()
        known = ", ".join(sorted(kinds))
        raise ApiError(400, "invalid_file", f"{param}: its content is none of {known}", param)
    kept = folder / f"input.{suffix}"
    staged.rename(kept)
    return kept


def digest_of(path: Path) -> str:
    """For telling whether a repeated request is the same one."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _from_url(given: Mapping[str, Any], target: BinaryIO, serving: Serving, param: str) -> None:
    url = given.get("image_url") or given.get("url")
    if not isinstance(url, str):
        raise ApiError(400, "unsupported_reference", f"{param}: send a file, or image_url; file ids are unknown", param)
    if url.startswith("data:"):
        target.write(data_of(url, param))
        return
    if not serving.fetch_urls:
        raise ApiError(400, "urls_not_fetched", f"{param}: this server fetches no URLs; send the file", param)
    fetch(url, target, Bounds(serving.max_upload_bytes))


def data_of(url: str, param: str) -> bytes:
    """What a data: URL holds; ApiError where it holds nothing that can be read."""
    head, comma, body = url.partition(",")
    if not comma or not head.endswith(";base64") or len(body) > _MOST_DATA_URL:
        raise ApiError(400, "invalid_file", f"{param}: write data:<type>;base64,<content> of at most 24 MiB", param)
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiError(400, "invalid_file", f"{param}: its base64 does not decode", param) from error
