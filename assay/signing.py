"""How the spine lets a file go: one manifest, one signature, one publication, and what is known of the file after."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from assay.outcome import Asset
from assay.stamping import StampQueue
from provenance import (
    Digests,
    GateRecord,
    Kind,
    Origin,
    SigningIdentity,
    SourceType,
    Trust,
    build_manifest,
    publish,
    sweep,
)


@dataclass(frozen=True)
class Signer:
    """Who signs, and whom reading back trusts."""

    identity: SigningIdentity
    trust: Trust
    unstamped: StampQueue | None = None  # where it is noted that a file awaits its time-stamp; None: nobody will ask

    def release(self, source: Path, destination: Path, origin: Origin, gate: GateRecord, judged: Digests) -> Asset:
        """Signs `source`, which must still be the file that was judged, and publishes it at `destination`.

        Raises a SigningError; then nothing was written.
        """
        sweep(destination.parent)  # what a process that was killed while it published there left behind
        manifest = build_manifest(origin, gate, title=destination.name)
        if self.unstamped is not None:
            self.unstamped.note(destination)  # before the file appears: a kill in between loses nothing
        credentials = publish(source, destination, manifest, self.identity, trust=self.trust, judged=judged)
        if self.unstamped is not None:
            self.unstamped.note(destination)  # again: somebody may have looked for an older file of that name
        return Asset(destination, sha256_of(destination), credentials.state.value)


def sha256_of(path: Path) -> str:
    """The file's hash; raises OSError where it cannot be read."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def scanned_origin() -> Origin:
    """Of an existing file that passed a scan: Assay opened it, and says nothing of how it was made."""
    return Origin(Kind.SCANNED, "assay", metadata.version("assay-video"), datetime.now(UTC))


def derived_origin(video: Path) -> Origin:
    """Of a picture drawn from a signed video."""
    return Origin(Kind.DERIVED, "assay", metadata.version("assay-video"), datetime.now(UTC), inputs=(video,))


def origin_to_json(origin: Origin) -> dict[str, Any]:
    """For a held output, whose origin must outlive its process."""
    return {
        "kind": origin.kind.value,
        "model": origin.model,
        "version": origin.version,
        "created_at": origin.created_at.isoformat(),
        "digital_source_type": origin.digital_source_type.value if origin.digital_source_type else None,
        "weights_sha256": origin.weights_sha256,
        "mode": origin.mode,
        "seed": origin.seed,
        "inputs": [str(path) for path in origin.inputs],
    }


def origin_from_json(stored: dict[str, Any]) -> Origin:
    """The origin as it was stored."""
    source_type = stored["digital_source_type"]
    return Origin(
        **{
            **stored,
            "kind": Kind(stored["kind"]),
            "created_at": datetime.fromisoformat(stored["created_at"]),
            "digital_source_type": SourceType(source_type) if source_type else None,
            "inputs": tuple(Path(path) for path in stored["inputs"]),
        }
    )
