"""`read`: the credentials of a file, its whole tree of ingredients judged, and never a byte sent to the network."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

from provenance import credentials as c
from provenance.boxes import trailing_boxes
from provenance.credentials import Credentials, State, TrailingBox
from provenance.kinds import FileKind, sniff
from provenance.library import Answer, Store, read_store
from provenance.report import credentials_of
from provenance.trust import Trust

SIDECAR_SUFFIX = ".c2pa"
_LARGEST_SIDECAR = 64 * 2**20  # bytes; a manifest store is kilobytes, with thumbnails a few megabytes


def read(path: Path, trust: Trust) -> Credentials:
    """The credentials of a file, embedded or in a sidecar (`name.c2pa`) beside it.

    Never raises for what a path leads to or a file holds: whatever could not be looked at is UNREADABLE with a code.
    A large file is held in memory by the library while its hash is computed (about its own size).
    """
    name = str(path)
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # a pipe would keep us waiting, a folder has no bytes
            return Credentials.without_manifest(name, State.UNREADABLE, c.FILE_NOT_REGULAR)
        if path.stat().st_size == 0:
            return Credentials.without_manifest(name, State.UNREADABLE, c.FILE_EMPTY)
        kind = sniff(path)
        if kind is None:
            return Credentials.without_manifest(name, State.UNREADABLE, c.FORMAT_UNSUPPORTED)
        return _read_kind(path, kind, trust)
    except (FileNotFoundError, NotADirectoryError) as error:
        return Credentials.without_manifest(name, State.UNREADABLE, c.FILE_MISSING, note=error.strerror)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return Credentials.without_manifest(name, State.UNREADABLE, c.FILE_DENIED, note=str(error))


def read_fragment(init: Path, fragment: Path, trust: Trust) -> Credentials:
    """The credentials of one media segment of a fragmented MP4, whose manifest is in the initialisation segment.

    `path` is the fragment's. Never raises for what the files hold, as `read` does not.
    """
    name = str(fragment)
    try:
        for path in (init, fragment):
            if not stat.S_ISREG(path.stat().st_mode):
                return Credentials.without_manifest(name, State.UNREADABLE, c.FILE_NOT_REGULAR, note=str(path))
        kinds = sniff(init), sniff(fragment)
        if kinds[0] is None or kinds[1] is None or kinds[0].family != "bmff" or not kinds[1].fragment:
            note = "an initialisation segment and a media segment of a fragmented MP4 are needed"
            return Credentials.without_manifest(name, State.UNREADABLE, c.FORMAT_UNSUPPORTED, note=note)
        with init.open("rb") as head, fragment.open("rb") as segment:
            store = read_store(head, kinds[0].mime, trust, fragment=segment)
        return _credentials(name, kinds[0], store, ())
    except (FileNotFoundError, NotADirectoryError) as error:
        return Credentials.without_manifest(name, State.UNREADABLE, c.FILE_MISSING, note=str(error))
    except (OSError, ValueError) as error:
        return Credentials.without_manifest(name, State.UNREADABLE, c.FILE_DENIED, note=str(error))


def _read_kind(path: Path, kind: FileKind, trust: Trust) -> Credentials:
    name = str(path)
    if kind.fragment:
        return Credentials.without_manifest(name, State.UNREADABLE, c.FORMAT_FRAGMENT)
    store = Store(Answer.ABSENT, {})
    if kind.embeds:
        with path.open("rb") as file:
            store = read_store(file, kind.mime, trust)
    if store.answer is Answer.ABSENT:
        store = _read_sidecar(path, kind, trust)
    elif store.answer is Answer.STORE and _tells_otherwise(store, _read_sidecar(path, kind, trust)):
        found = _credentials(name, kind, store, _boxes(path, kind))
        return replace(found, codes=(*found.codes, c.MANIFEST_SECOND))
    return _credentials(name, kind, store, _boxes(path, kind))


def _boxes(path: Path, kind: FileKind) -> tuple[TrailingBox, ...]:
    return trailing_boxes(path) if kind.family == "bmff" else ()


def _tells_otherwise(inside: Store, beside: Store) -> bool:
    """Whether a sidecar has a history that the manifest inside does not go back to: one of them was dropped."""
    if beside.answer is Answer.ABSENT:
        return False
    return beside.report.get("active_manifest") not in inside.report.get("manifests", {})


def _read_sidecar(path: Path, kind: FileKind, trust: Trust) -> Store:
    sidecar = path.with_suffix(SIDECAR_SUFFIX)
    if sidecar == path or not sidecar.is_file() or sidecar.stat().st_size > _LARGEST_SIDECAR:
        return Store(Answer.ABSENT, {})
    with path.open("rb") as file:
        return read_store(file, kind.mime, trust, sidecar.read_bytes())


def read_with(path: Path, sidecar: bytes, trust: Trust) -> Credentials:
    """The credentials of a file by a manifest that is at hand; raises OSError."""
    kind = sniff(path)
    if kind is None:
        return Credentials.without_manifest(str(path), State.UNREADABLE, c.FORMAT_UNSUPPORTED)
    with path.open("rb") as file:
        return _credentials(str(path), kind, read_store(file, kind.mime, trust, sidecar), ())


def _credentials(name: str, kind: FileKind, store: Store, boxes: tuple[TrailingBox, ...]) -> Credentials:
    match store.answer:
        case Answer.STORE:
            return credentials_of(name, store.report, boxes)
        case Answer.REMOTE:
            found = Credentials.without_manifest(name, State.REMOTE, c.MANIFEST_REMOTE, note=store.note)
        case Answer.UNREADABLE:
            found = Credentials.without_manifest(name, State.UNREADABLE, c.MANIFEST_UNREADABLE, note=store.note)
        case Answer.MALFORMED:
            found = Credentials.without_manifest(name, State.UNREADABLE, c.MANIFEST_MALFORMED, note=store.note)
        case Answer.ABSENT:
            codes = (c.MANIFEST_ABSENT,) if kind.embeds else (c.MANIFEST_ABSENT, c.FORMAT_CANNOT_EMBED)
            found = Credentials.without_manifest(name, State.ABSENT, *codes)
    return found.with_trailing(boxes)
