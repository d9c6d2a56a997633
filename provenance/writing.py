"""The signed copy of a source, written into a staged file by the faster of two ways that can."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from provenance import embeddable
from provenance.blocks import CHUNK, Digests
from provenance.errors import SignerFailed, SigningError, SourceChanged, SourceUnreadable, TimestampFailed
from provenance.keys import SigningIdentity
from provenance.kinds import FileKind
from provenance.layout import Layout, plan
from provenance.library import LibraryError, Statement, Streams, Tap, sign_stream
from provenance.staging import StagedFile


@dataclass(frozen=True)
class Order:
    """Everything that a signature needs, looked at beforehand."""

    source: Path
    statement: Statement
    identity: SigningIdentity
    kind: FileKind
    judged: Digests | None = None  # what the caller knows of the source, and what is compared with it


def write_signed(order: Order, staged: StagedFile) -> None:
    """Writes the signed copy, and sees to it that the source is the judged one where the order knows that.

    An MP4 of the plain layout is read once, and hashed where there is something to compare. Any other file is hashed
    before and after the library reads it. Raises the SigningError that names the fault; an OSError is the target's.
    """
    try:
        file = order.source.open("rb", buffering=0)
    except OSError as error:
        raise SourceUnreadable(f"{order.source}: {error.strerror}") from error
    with file:
        try:
            state = _state(file)
            layout = plan(file, state[1]) if order.kind.family == "bmff" and embeddable.available() else None
            file.seek(0)
        except OSError as error:
            raise SourceUnreadable(f"{order.source}: {error.strerror}") from error
        found = _copied(order, file, staged, layout) if layout else None
        if found is None:
            found = _signed_by_library(order, file, staged)
        if _state(file) != state:
            raise SourceChanged(f"{order.source} changed while it was being signed")
    ensure_judged(order, found)


def ensure_judged(order: Order, found: Digests) -> None:
    """Raises SourceChanged where the order knows what was judged, and what was signed is something else."""
    if order.judged is not None and not order.judged.same_file(found):
        told = f"sha256 {found.sha256 or 'not taken'}, judged {order.judged.sha256}"
        raise SourceChanged(f"{order.source} is not the file that was judged ({told})")


def _state(file: BinaryIO) -> tuple[int, int, int]:
    """What of a file changes when it is written to."""
    found = os.fstat(file.fileno())
    return found.st_ino, found.st_size, found.st_mtime_ns


def _copied(order: Order, file: BinaryIO, staged: StagedFile, layout: Layout) -> Digests | None:
    """The fast way; None where it turned out not to be one, with the staged file empty again."""
    streams = Streams(Tap(file), Tap(staged.file), order.kind.mime)
    # A digest of the blocks comes with the manifest's own hash; a sha256 would be a second hash of everything.
    by_blocks = order.judged is not None and bool(order.judged.blocks) and bool(layout.leaf_size)
    whole = embeddable.Order(order.statement, order.identity, layout, order.judged is not None and not by_blocks)
    try:
        return embeddable.sign_copy(whole, streams)
    except embeddable.DoesNotFit:
        staged.file.seek(0)
        staged.file.truncate()
        return None
    except EOFError as error:
        raise SourceChanged(f"{order.source} changed while it was being signed ({error})") from error
    except LibraryError as error:
        raise translated(error, order.source, order.identity) from error


def _signed_by_library(order: Order, file: BinaryIO, staged: StagedFile) -> Digests:
    before = digest_of(file, order.source)
    streams = Streams(Tap(file), Tap(staged.file), order.kind.mime)
    file.seek(0)
    try:
        sign_stream(order.statement, order.identity, streams)
    except LibraryError as error:
        raise translated(error, order.source, order.identity) from error
    if digest_of(file, order.source) != before:
        raise SourceChanged(f"{order.source} changed while it was being signed")
    return Digests(before)


def digest_of(file: BinaryIO, path: Path) -> str:
    """The sha256 of an open file from its start; `path` is how errors name it."""
    buffer = memoryview(bytearray(CHUNK))
    digest = hashlib.sha256()
    try:
        file.seek(0)
        while size := file.readinto(buffer):  # type: ignore[attr-defined]
            digest.update(buffer[:size])
    except OSError as error:
        raise SourceUnreadable(f"{path}: {error.strerror}") from error
    return digest.hexdigest()


def translated(error: LibraryError, source: Path, identity: SigningIdentity) -> Exception:
    """What really went wrong, where one of our own streams or the key service said so."""
    if error.signer_error is not None:
        if isinstance(error.signer_error, SigningError):
            return error.signer_error
        cause = error.signer_error
        return SignerFailed(f"the key service of {identity.common_name!r}: {type(cause).__name__}: {cause}")
    if error.target_error is not None:
        return error.target_error
    if error.source_error is not None:
        return SourceUnreadable(f"{source}: {error.source_error.strerror}")
    if identity.tsa_url is not None:
        return TimestampFailed(f"{identity.tsa_url}: {error}")
    return SigningError(f"{source}: the C2PA library refused it ({error})")
