"""Manifests beside files that cannot hold one (WebM, Matroska): `name.c2pa` next to `name.webm`.

The media is copied as it is; the sidecar holds its hash. The sidecar appears first: a process that is killed between
the two leaves a manifest that speaks of nothing, never media that pass for signed. Where it was about to replace an
older pair, the older media read as INVALID beside the new manifest until they are published again: no file system
renames two files at once.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import c2pa

from provenance.blocks import Digests
from provenance.credentials import Credentials, State
from provenance.errors import LaunderingRefused, SameFile, SourceChanged, SourceUnreadable, VerificationFailed
from provenance.kinds import FileKind
from provenance.library import LibraryError, Streams, Tap, add_thumbnail, open_signer, words_of
from provenance.reader import SIDECAR_SUFFIX, read_with
from provenance.staging import StagedFile
from provenance.trust import Trust
from provenance.writing import Order, digest_of, ensure_judged, translated


def takes_sidecar(kind: FileKind) -> bool:
    """True for formats that C2PA signs only beside themselves."""
    return kind.family == "matroska"


def write_beside(order: Order, destination: Path, trust: Trust) -> Credentials:
    """Publishes a copy of the source and its sidecar; returns what was read back. Raises as `publish` does."""
    sidecar = destination.with_suffix(SIDECAR_SUFFIX)
    if sidecar == destination or (sidecar.exists() and os.path.samefile(sidecar, order.source)):
        raise SameFile(f"{sidecar} is where the sidecar of {destination} belongs")
    if order.source.with_suffix(SIDECAR_SUFFIX).exists():
        raise LaunderingRefused(
            f"{order.source} has a sidecar, which the new one would not cite", "sign the file without its sidecar"
        )
    with StagedFile(destination.parent) as media, StagedFile(destination.parent) as beside:
        manifest, digest = _signed(order, media)
        ensure_judged(order, Digests(digest))
        beside.file.write(manifest)
        media.seal()
        beside.seal()
        found = read_with(media.path, manifest, trust)
        if found.state not in (State.TRUSTED, State.VALID) or found.claim_state is not State.TRUSTED:
            raise VerificationFailed(f"{destination}: what was signed reads back as {found.state} ({found.codes})")
        before = sidecar.read_bytes() if sidecar.is_file() else None
        beside.commit(sidecar)
        try:
            media.commit(destination)
        except OSError:
            _put_back(sidecar, before)
            raise
    return replace(found, path=str(destination))


def _put_back(sidecar: Path, before: bytes | None) -> None:
    """The sidecar as it was, so that media which could not be replaced keep theirs."""
    if before is None:
        sidecar.unlink(missing_ok=True)
        return
    with StagedFile(sidecar.parent) as staged:
        staged.file.write(before)
        staged.seal()
        staged.commit(sidecar)


def _signed(order: Order, media: StagedFile) -> tuple[bytes, str]:
    """Copies the source, and returns the manifest for it and its hash."""
    statement, identity, mime = order.statement, order.identity, order.kind.mime
    try:
        file = order.source.open("rb", buffering=0)
    except OSError as error:
        raise SourceUnreadable(f"{order.source}: {error.strerror}") from error
    with file:
        digest = digest_of(file, order.source)
        file.seek(0)
        streams = Streams(Tap(file), Tap(media.file), mime)
        try:
            with (
                open_signer(identity, streams) as made,
                made as signer,
                c2pa.Context.from_dict(Trust.of(identity).settings()) as context,
                c2pa.Builder(statement.definition, context=context) as builder,
            ):
                builder.set_no_embed()
                add_thumbnail(builder, statement)
                for ingredient in statement.ingredients:
                    with ingredient.path.open("rb") as stream:
                        builder.add_ingredient(words_of(ingredient), ingredient.mime, stream)
                manifest = bytes(builder.sign(signer, mime, streams.source, streams.target))
                streams.target.flush()
        except LibraryError as error:
            raise translated(error, order.source, identity) from error
    if digest_of(media.file, media.path) != digest:  # the copy is the library's
        raise SourceChanged(f"{order.source} changed while it was being signed")
    return manifest, digest
