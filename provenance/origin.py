"""How an asset was made, in plain values: the spine maps the generator's record to this; provenance knows no model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from provenance.errors import ManifestInvalid

_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class Kind(StrEnum):
    """The ways in which a file that Assay signs comes to be."""

    TEXT_TO_VIDEO = "text-to-video"
    IMAGE_TO_VIDEO = "image-to-video"  # inputs: the pictures it was made from
    EXTENSION = "extension"  # inputs: the video that was continued; for a fill between two, the one before comes first
    JOIN = "join"  # inputs: the videos that were put one after another
    REMIX = "remix"  # inputs: the video that was changed, then any that were taken into it
    SCANNED = "scanned"  # an existing file, signed after a scan; its own manifest is kept as the parent
    DERIVED = "derived"  # thumbnail, poster, spritesheet, preview, audio; inputs: the one video it was made from


class SourceType(StrEnum):
    """IPTC digital source types that a generator may claim."""

    TRAINED = "trainedAlgorithmicMedia"  # a trained model made it
    ALGORITHMIC = "algorithmicMedia"  # a procedure without training made it
    COMPOSITE = "compositeWithTrainedAlgorithmicMedia"  # a trained model added to real footage

    @property
    def uri(self) -> str:
        """The IPTC concept, as a manifest cites it."""
        return _IPTC + self.value


# Which source types an origin may claim. Opening a file says nothing of how it was made, so a scan claims none.
ALLOWED_SOURCE_TYPES: dict[Kind, frozenset[SourceType | None]] = {
    Kind.TEXT_TO_VIDEO: frozenset({SourceType.TRAINED, SourceType.ALGORITHMIC}),
    Kind.IMAGE_TO_VIDEO: frozenset({SourceType.TRAINED, SourceType.ALGORITHMIC, SourceType.COMPOSITE}),
    Kind.EXTENSION: frozenset({SourceType.TRAINED, SourceType.ALGORITHMIC, SourceType.COMPOSITE}),
    Kind.JOIN: frozenset({SourceType.TRAINED, SourceType.ALGORITHMIC, SourceType.COMPOSITE}),
    Kind.REMIX: frozenset({SourceType.TRAINED, SourceType.ALGORITHMIC, SourceType.COMPOSITE}),
    Kind.SCANNED: frozenset({None}),
    Kind.DERIVED: frozenset({None, SourceType.TRAINED, SourceType.ALGORITHMIC, SourceType.COMPOSITE}),
}
_INPUTS: dict[Kind, tuple[int, int]] = {
    Kind.TEXT_TO_VIDEO: (0, 0),
    Kind.IMAGE_TO_VIDEO: (1, 64),
    Kind.EXTENSION: (1, 2),
    Kind.JOIN: (2, 64),
    Kind.REMIX: (1, 64),
    Kind.SCANNED: (0, 0),
    Kind.DERIVED: (1, 1),
}


@dataclass(frozen=True)
class Origin:
    """How the asset was made.

    kind                 which of the ways above
    model, version       the software that made it: a generator, or for "scanned" and "derived" the tool that did so
    weights_sha256       of the weights that ran, or None where there are none
    mode                 the generator's own word for what it did, e.g. "forward"; never a prompt
    seed                 any non-negative integer; written in decimal, since C2PA numbers end at 2**63
    digital_source_type  None only for "scanned" and "derived"
    created_at           aware datetime
    inputs               files that went in; they become ingredients, with whatever credentials they carry
    """

    kind: Kind
    model: str
    version: str
    created_at: datetime
    digital_source_type: SourceType | None = None
    weights_sha256: str | None = None
    mode: str | None = None
    seed: int | None = None
    inputs: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.digital_source_type not in ALLOWED_SOURCE_TYPES[self.kind]:
            allowed = ", ".join(sorted(str(t) for t in ALLOWED_SOURCE_TYPES[self.kind]))
            raise ManifestInvalid(f"{self.kind}: source type {self.digital_source_type} is not one of {allowed}")
        low, high = _INPUTS[self.kind]
        if not low <= len(self.inputs) <= high:
            raise ManifestInvalid(f"{self.kind}: {len(self.inputs)} inputs, where {low} to {high} belong")
        if self.created_at.tzinfo is None:
            raise ManifestInvalid(f"{self.kind}: created_at {self.created_at} has no time zone")
        if self.weights_sha256 is not None and not _SHA256.match(self.weights_sha256):
            raise ManifestInvalid(f"{self.model}: weights_sha256 {self.weights_sha256!r:.80} is no sha256 in hex")
        if self.seed is not None and self.seed < 0:
            raise ManifestInvalid(f"{self.model}: seed {self.seed} is negative")
        if not self.model.strip() or not self.version.strip():
            raise ManifestInvalid(f"{self.kind}: the model and its version must be named")

    @property
    def when(self) -> str:
        """The moment of making, as C2PA writes it: RFC 3339 in UTC, whole seconds."""
        return self.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
