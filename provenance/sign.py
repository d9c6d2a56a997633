"""`publish`: the one function through which every file leaves Assay.

It writes into a hidden file beside the target, reads that back as a stranger would, and only then gives it its name.
Whatever goes wrong, the target is as it was, the source is never touched, and nothing is left behind.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from provenance.blocks import Digests
from provenance.credentials import Credentials, State
from provenance.errors import (
    LaunderingRefused,
    SourceTampered,
    SourceUnreadable,
    UnsupportedKind,
    VerificationFailed,
)
from provenance.keys import SigningIdentity
from provenance.kinds import FileKind, sniff
from provenance.library import THUMBNAIL, IngredientStream, Statement
from provenance.manifest import Manifest, Relationship
from provenance.reader import read
from provenance.sidecar import takes_sidecar, write_beside
from provenance.staging import StagedFile
from provenance.stores import false_length
from provenance.target import ensure_target, of_target
from provenance.trust import Trust
from provenance.writing import Order, write_signed


def publish(
    source: Path,
    destination: Path,
    manifest: Manifest,
    identity: SigningIdentity,
    *,
    trust: Trust | None = None,
    judged: Digests | None = None,
) -> Credentials:
    """Signs `source` into `destination`, and returns the credentials that were read back from it.

    `trust` adds to the identity's own root, for the manifests that ingredients carry. `judged` is what
    `digests_of` said of the file when it was judged, where the caller knows it: what was judged is what leaves.
    Raises the SigningError that names the fault; see `provenance.errors` for each. An existing target is replaced.
    """
    identity.ensure_usable()
    manifest = replace(manifest, definition=json.loads(json.dumps(manifest.definition)))  # as signed, so validated
    kind = _source_kind(source)
    ensure_target(destination, source, [each.path for each in manifest.ingredients if each.path], kind)
    trust = Trust.of(identity) + (trust or Trust())
    _ensure_history(source, manifest, trust)
    order = Order(source, _statement(source, manifest), identity, kind, judged)
    try:
        if not kind.embeds:
            return write_beside(order, destination, trust)
        with StagedFile(destination.parent) as staged:
            write_signed(order, staged)
            staged.seal()
            found = _verified(staged.path, destination, manifest, trust)
            staged.commit(destination)
    except OSError as error:  # the source's and the inputs' own are named where they are opened
        raise of_target(error, destination) from error
    return replace(found, path=str(destination))


def _source_kind(source: Path) -> FileKind:
    try:
        if not source.is_file():
            raise SourceUnreadable(f"{source} is not a regular file" if source.exists() else f"{source} does not exist")
        kind = sniff(source)
    except OSError as error:
        raise SourceUnreadable(f"{source}: {error.strerror}") from error
    if kind is None:
        raise UnsupportedKind(f"{source}: its content is of no format that Assay knows")
    if not kind.embeds and not takes_sidecar(kind):
        raise UnsupportedKind(f"{source}: {kind.mime} cannot carry a manifest")
    return kind


def _ensure_history(source: Path, manifest: Manifest, trust: Trust) -> None:
    """Raises where a signature would drop the manifest of a file, or vouch for a broken one."""
    found = read(source, trust)
    if found.state is State.UNREADABLE:
        raise SourceUnreadable(f"{source}: {', '.join(found.codes)} {found.note or ''}".rstrip())
    if found.state is State.REMOTE:
        raise LaunderingRefused(f"{source}: its manifest is on the network", "embed the manifest first, then sign")
    if found.state is not State.ABSENT and not manifest.opens_source:
        raise LaunderingRefused(f"{source} carries a manifest ({found.state}), which this one would drop")
    if manifest.opens_source:
        _ensure_untampered(source, found)
    for ingredient in manifest.ingredients:
        if ingredient.path is not None and ingredient.relationship is not Relationship.INPUT:
            _ensure_untampered(ingredient.path, read(ingredient.path, trust))


def _ensure_untampered(path: Path, found: Credentials) -> None:
    """Raises where a parent does not hold. One whose certificate merely expired is taken, and readers are told."""
    if found.tampered:
        raise SourceTampered(f"{path}: its credentials are invalid ({', '.join(found.codes)})")
    if found.state in (State.UNREADABLE, State.REMOTE):
        raise SourceUnreadable(f"{path}: its credentials cannot be read ({', '.join(found.codes)})")


def _statement(source: Path, manifest: Manifest) -> Statement:
    definition, picture = dict(manifest.definition), manifest.thumbnail
    if picture is None:
        return Statement(json.dumps(definition), _ingredients(source, manifest))
    definition["thumbnail"] = {"format": picture.mime, "identifier": THUMBNAIL}
    return Statement(json.dumps(definition), _ingredients(source, manifest), (picture.mime, picture.content))


def _ingredients(source: Path, manifest: Manifest) -> tuple[IngredientStream, ...]:
    streams = []
    for each in manifest.ingredients:
        path = each.path or source
        try:
            kind = sniff(path)
            with path.open("rb") as file:
                fault = false_length(file)
        except OSError as error:
            raise SourceUnreadable(f"{path}: {error.strerror}") from error
        if fault:
            raise SourceUnreadable(f"{path}: {fault}")
        mime = kind.mime if kind else "application/octet-stream"
        streams.append(IngredientStream(each.id, each.relationship.value, mime, path))
    return tuple(streams)


def _verified(staged: Path, destination: Path, manifest: Manifest, trust: Trust) -> Credentials:
    """Reads the staged file back; raises VerificationFailed unless it is trusted and says what it was meant to say."""
    found = read(staged, trust)
    if found.claim_state is not State.TRUSTED or found.state not in (State.TRUSTED, State.VALID):
        reasons = ", ".join(found.codes) or found.note or "no reason given"
        raise VerificationFailed(f"{destination}: what was signed reads back as {found.state} ({reasons})")
    if found.decision != manifest.decision:
        raise VerificationFailed(f"{destination}: the decision that reads back is not the one that was written")
    return found
