"""Time-stamps afterwards: an update manifest says that a signature existed, so that it outlives its certificate.

Signing need not wait for the network: files are signed offline, and stamped when the authority can be reached. The
pictures and the manifest that speaks of them stay as they are; the update adds a signature of today and the stamp.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import c2pa

from provenance.credentials import Credentials, State
from provenance.errors import SourceTampered, SourceUnreadable, UnsupportedKind, VerificationFailed
from provenance.keys import SigningIdentity
from provenance.kinds import sniff
from provenance.library import IngredientStream, LibraryError, Streams, Tap, open_signer, words_of
from provenance.manifest import generator_info
from provenance.reader import read
from provenance.rules import ACTIONS
from provenance.staging import StagedFile
from provenance.target import of_target
from provenance.trust import Trust
from provenance.writing import translated

_PARENT = "parent"
_INLINE = "time-stamp such files while they are signed: timestamp = 'inline'"


def stamp(path: Path, identity: SigningIdentity, trust: Trust, tsa_url: str) -> Credentials:
    """Time-stamps a signed file in place, and returns what was read back; one that has a time-stamp is left as it is.

    The file is replaced whole or not at all. Raises SourceUnreadable where there is no manifest, SourceTampered where
    it does not hold, TimestampFailed where the authority did not answer, UnsupportedKind where the library's update
    does not hold in this format (0.38: AVI, WebP, TIFF; WebM has no place for it), and what `publish` raises of the
    target.
    """
    identity.ensure_usable()
    trust = Trust.of(identity) + trust
    found = read(path, trust)
    if found.tampered:
        raise SourceTampered(f"{path}: its credentials are invalid ({', '.join(found.codes)})")
    if found.state not in (State.TRUSTED, State.VALID):
        raise SourceUnreadable(f"{path}: {found.state}, so there is no signature to stamp", "sign the file first")
    if found.timestamp is not None:
        return found
    kind = sniff(path)
    if kind is None or not kind.embeds:
        raise UnsupportedKind(f"{path}: a sidecar takes no time-stamp afterwards", _INLINE)
    try:
        with StagedFile(path.parent) as staged:
            _write_update(path, staged, replace(identity, tsa_url=tsa_url))
            staged.seal()
            after = read(staged.path, trust)
            if after.tampered:
                raise UnsupportedKind(f"{path}: an update of the manifest does not hold in {kind.mime}", _INLINE)
            if after.state is not found.state or after.timestamp is None or after.decision != found.decision:
                words = ", ".join(after.codes) or after.note or "no time-stamp"
                raise VerificationFailed(f"{path}: after stamping it reads back as {after.state} ({words})")
            staged.commit(path)
    except OSError as error:
        raise of_target(error, path) from error
    return replace(after, path=str(path))


def _write_update(path: Path, staged: StagedFile, identity: SigningIdentity) -> None:
    kind = sniff(path)
    assert kind is not None  # its manifest was read
    settings = Trust.of(identity).settings()
    settings["builder"]["auto_timestamp_assertion"] = {"enabled": True, "skip_existing": True, "fetch_scope": "all"}
    settings["core"]["allowed_network_hosts"] = [urlsplit(identity.tsa_url or "").netloc]
    parent = IngredientStream(_PARENT, "parentOf", kind.mime, path)
    with path.open("rb") as file:
        streams = Streams(Tap(file), Tap(staged.file), kind.mime)
        try:
            with (
                open_signer(identity, streams) as made,
                made as signer,
                c2pa.Context.from_dict(settings) as context,
                c2pa.Builder(json.dumps(_definition()), context=context) as builder,
            ):
                builder.set_intent(c2pa.C2paBuilderIntent.UPDATE)
                with path.open("rb") as original:
                    builder.add_ingredient(words_of(parent), kind.mime, original)
                builder.sign(signer, kind.mime, streams.source, streams.target)
                streams.target.flush()
        except LibraryError as error:
            raise translated(error, path, identity) from error


def _definition() -> dict[str, object]:
    generator = generator_info()
    opened = {
        "action": "c2pa.opened",
        "when": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "softwareAgent": {key: generator[key] for key in ("name", "version")},
        "parameters": {"ingredientIds": [_PARENT]},
    }
    body = {"allActionsIncluded": True, "actions": [opened]}
    return {
        "claim_version": 2,
        "claim_generator_info": [generator],
        "title": "time-stamp",
        "assertions": [{"label": ACTIONS, "created": True, "data": body}],
    }
