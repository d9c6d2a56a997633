"""Is this file ours, or declared synthetic? The manifest answers; marks, fingerprints and pixels are not looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from classifier import ManifestSignal, fuse
from media import AssayError, probe, read_image
from provenance import SourceType, State, Trust, read

SYNTHETIC_TYPES = frozenset(kind.uri for kind in SourceType)


def detect(path: Path, trust: Trust) -> dict[str, Any]:
    """One line of `assay detect --json`. A signal that nobody looked for is null; what is no media is an error."""
    row: dict[str, Any] = {
        "path": str(path), "answer": None, "synthetic": None, "fpr": None, "segments": [], "hints": [],
        "signals": {"manifest": None, "watermark": None, "fingerprint": None, "forensic": None}, "error": None,
    }  # fmt: skip
    try:
        _ensure_media(path)
    except AssayError as error:
        return row | {"error": {"type": type(error).__name__, "stage": "detect", "message": str(error)}}
    found = read(path, trust)
    types = sorted(found.digital_source_types)
    declares = not SYNTHETIC_TYPES.isdisjoint(types)
    fused = fuse(ManifestSignal(found.state.value, declares))
    vouched = found.state in (State.TRUSTED, State.VALID)
    row["signals"]["manifest"] = {
        "state": found.state.value,
        "codes": list(found.codes),
        "digital_source_types": types,
        "signer": found.to_json()["signer"] if vouched else None,
    }
    return row | {"answer": fused.answer.value, "synthetic": fused.synthetic, "fpr": fused.fpr}


def _ensure_media(path: Path) -> None:
    """Raises MediaError where the file is neither a video nor a picture that we can open."""
    try:
        probe(path)
    except AssayError as error:
        try:
            read_image(path)
        except AssayError:
            raise error from None
