"""Files behind a URL: listed and fetched by fsspec (the extra `remote`), and looked at as local copies.

Only storage protocols are opened, and no chains of them: a list of files comes from somewhere, and must not be able to
name a shell, a zip inside a zip, or a Python object.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from media import AssayError, UsageError

PROTOCOLS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "http", "https", "sftp", "ssh", "file")
_PIECE = 4 * 2**20  # bytes read at a time
_FLAT = ("http", "https")  # no folders
_VERSIONS = ("ETag", "etag", "md5Hash", "crc32c", "content_md5", "VersionId", "generation")


class FetchFailed(AssayError):
    """A remote file that could not be listed or fetched."""

    stage = "source"


@dataclass(frozen=True)
class Listed:
    """A remote file as its listing has it. name: relative to the folder that was listed."""

    uri: str
    name: str
    modified_s: float | None
    fingerprint: str | None


def is_url(name: str) -> bool:
    """Whether it names something by protocol."""
    return "://" in name


def listed(url: str) -> Iterator[Listed]:
    """The file, or the files below the prefix, or those that match the pattern. UsageError, FetchFailed."""
    system, path = _opened(url)
    try:
        if "*" in path or "?" in path:
            found = system.glob(path, detail=True)
            if not found:
                raise UsageError(f"{url}: no file matches this pattern")
            yield from (_listed(system, found[key], key.rpartition("/")[2]) for key in sorted(found))
        elif _protocol(url) in _FLAT or not system.isdir(path):
            yield Listed(url, path.rstrip("/").rpartition("/")[2], None, None)
        else:
            yield from _below(system, path.rstrip("/"))
    except (AssayError, GeneratorExit):
        raise
    except Exception as error:
        raise FetchFailed(f"{url}: cannot be listed ({_words(error)})") from error


def _below(system: Any, top: str) -> Iterator[Listed]:
    """Folder by folder, so that no listing of everything is held."""
    folders = [top]
    while folders:
        inside = sorted(system.ls(folders.pop(), detail=True), key=lambda one: one["name"])
        folders += [one["name"] for one in reversed(inside) if one["type"] == "directory"]
        for one in inside:
            if one["type"] != "directory" and one["name"].rstrip("/") != top:
                yield _listed(system, one, one["name"][len(top) :].lstrip("/"))


def _listed(system: Any, facts: dict[str, Any], name: str) -> Listed:
    return Listed(system.unstrip_protocol(facts["name"]), name, _modified_s(facts), _version(facts))


def head(uri: str, length: int) -> bytes | None:
    """Its first bytes; None where they cannot be had: fetching the file will say why."""
    system, path = _opened(uri)
    try:
        found: bytes = system.cat_file(path, start=0, end=length)
    except Exception:  # noqa: BLE001 (whatever fails here fails again, and in words, when the file is fetched)
        return None
    return found


def fetch(uri: str, folder: Path) -> tuple[Path, str]:
    """A local copy in that folder, and its sha256. FetchFailed where that fails; then nothing is left."""
    system, remote_path = _opened(uri)
    name = hashlib.blake2b(uri.encode(), digest_size=12).hexdigest() + Path(remote_path).suffix[:8]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target, digest, length = folder / name, hashlib.sha256(), 0
    try:
        with system.open(remote_path, "rb", block_size=_PIECE) as source, target.open("wb") as copy:
            declared = getattr(source, "size", None)
            while piece := source.read(_PIECE):
                digest.update(piece)
                length += copy.write(piece)
        if declared is not None and declared != length:
            raise FetchFailed(f"{uri}: {length} of {declared} bytes came")
    except AssayError:
        target.unlink(missing_ok=True)
        raise
    except Exception as error:
        target.unlink(missing_ok=True)
        raise FetchFailed(f"{uri}: cannot be fetched ({_words(error)})") from error
    return target, digest.hexdigest()


def _opened(url: str) -> tuple[Any, str]:
    if _protocol(url) not in PROTOCOLS or "::" in url:
        raise UsageError(f"{url}: of URLs, those of {', '.join(PROTOCOLS)} are opened, and no chains of them")
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise UsageError(f"{url}: needs fsspec: pip install 'assay-video[remote]'") from error
    try:
        system, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{url}: {error}") from error
    return system, str(path)


def _protocol(url: str) -> str:
    return url.partition("://")[0].lower()


def _modified_s(facts: dict[str, Any]) -> float | None:
    found = next((facts[key] for key in ("LastModified", "last_modified", "mtime", "updated") if key in facts), None)
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found)
        except ValueError:
            return None
    return (
        found.timestamp() if isinstance(found, datetime) else float(found) if isinstance(found, (int, float)) else None
    )


def _version(facts: dict[str, Any]) -> str | None:
    """What the store says that changes with the content; None where it says nothing of the kind."""
    found = [str(facts[key]) for key in _VERSIONS if facts.get(key)]
    return f"{facts.get('size')}.{'.'.join(found)}" if found else None


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
