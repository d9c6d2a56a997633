"""Small pictures of some frames of a file, made in the worker: a file that breaks a decoder breaks no report."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from assay.signing import sha256_of
from media import Frame, MediaError, probe

LONGEST = 320  # pixels of the longer side
_QUALITY = 68  # of JPEG: about 10 kB a picture


@dataclass(frozen=True)
class Thumbs:
    """Which frames of which file are wanted: the file as it was scanned, by its hash."""

    path: Path
    sha256: str
    frames: Sequence[int]


def thumbnails(wanted: Thumbs) -> dict[int, bytes]:
    """JPEG by index of the frame; frames that did not decode are left out.

    Raises MediaError where the file is no longer the one that was scanned.
    """
    if not wanted.frames:
        return {}
    if sha256_of(wanted.path) != wanted.sha256:
        raise MediaError(f"{wanted.path}: changed since it was scanned; scan it again")
    asked, last, made = set(wanted.frames), max(wanted.frames), {}
    for frame in probe(wanted.path).frames():
        if isinstance(frame, Frame) and frame.index in asked:
            made[frame.index] = _jpeg(frame)
        if frame.index >= last:
            break
    return made


def _jpeg(frame: Frame) -> bytes:
    picture = Image.fromarray(frame.small)
    picture.thumbnail((LONGEST, LONGEST))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue()
