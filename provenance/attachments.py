"""What else a manifest may carry: marks by which a file is found again without it, and a picture of the asset."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from provenance.errors import ManifestInvalid
from provenance.kinds import sniff_bytes

_ALGORITHM = re.compile(r"[a-z0-9-]+(\.[A-Za-z0-9_-]+)+\Z")  # a dotted name: C2PA's list, or one of ours
_MOST_VALUE = 4_096  # bytes
_MOST_THUMBNAIL = 2**20  # bytes; a manifest is read by everybody who verifies
_THUMBNAILS = ("image/jpeg", "image/png", "image/webp")


class Mark(StrEnum):
    """The two kinds of soft binding."""

    WATERMARK = "watermark"  # embedded into the pictures before they were signed
    FINGERPRINT = "fingerprint"  # computed from them


@dataclass(frozen=True)
class SoftBinding:
    """One mark. `algorithm` is its name on the C2PA list (e.g. `io.iscc.v0`) or a dotted name of our own."""

    algorithm: str
    value: bytes
    mark: Mark

    def __post_init__(self) -> None:
        if not _ALGORITHM.match(self.algorithm):
            raise ManifestInvalid(f"soft binding: {self.algorithm!r:.80} is no dotted name of an algorithm")
        if not 0 < len(self.value) <= _MOST_VALUE:
            raise ManifestInvalid(f"soft binding {self.algorithm}: {len(self.value)} bytes of value")

    def assertion(self) -> dict[str, object]:
        """The body of the assertion `c2pa.soft-binding`: one block that speaks of the whole asset."""
        value = base64.b64encode(self.value).decode()
        return {"alg": self.algorithm, "blocks": [{"scope": {}, "value": value}]}


@dataclass(frozen=True)
class Attachments:
    """Soft bindings and a thumbnail. None of either unless somebody asks: a picture must never slip into a manifest."""

    soft_bindings: tuple[SoftBinding, ...] = ()
    thumbnail: Path | None = None


@dataclass(frozen=True)
class Thumbnail:
    """A small picture of the asset, as it goes into the manifest."""

    mime: str
    content: bytes

    @classmethod
    def load(cls, path: Path) -> Thumbnail:
        """A JPEG, PNG or WebP of at most 1 MiB; raises ManifestInvalid that names the file."""
        try:
            content = path.read_bytes() if path.stat().st_size <= _MOST_THUMBNAIL else None
        except OSError as error:
            raise ManifestInvalid(f"thumbnail {path}: {error.strerror}", "name a readable picture") from error
        kind = sniff_bytes(content) if content else None
        if content is None or kind is None or kind.mime not in _THUMBNAILS:
            raise ManifestInvalid(f"thumbnail {path}: not a JPEG, PNG or WebP of at most {_MOST_THUMBNAIL:,} bytes")
        return cls(kind.mime, content)
