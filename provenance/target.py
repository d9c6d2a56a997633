"""The place that a file is to be published at: what keeps it from being written, before and while it is."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from provenance.errors import DiskFull, SameFile, SigningError, TargetUnwritable, UnsupportedKind
from provenance.kinds import FileKind, suffix_contradicts

_MANIFEST_ROOM = 2**20  # bytes kept free beside a copy of the source: a manifest with its certificates is kilobytes
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def ensure_target(destination: Path, source: Path, inputs: Sequence[Path], kind: FileKind) -> None:
    """Raises for every fault of the target that can be seen before a byte is written."""
    folder = destination.parent
    if not folder.is_dir():
        raise TargetUnwritable(f"{folder} is not a folder")
    if destination.is_dir():
        raise TargetUnwritable(f"{destination} is a folder")
    for original in (source, *inputs):
        if destination.exists() and original.exists() and os.path.samefile(original, destination):
            raise SameFile(f"{destination} is {original}, which must not be touched")
    if not _may_write(folder):
        raise TargetUnwritable(f"{folder} cannot be written to")
    if destination.exists() and not _may_write(destination):
        raise TargetUnwritable(f"{destination} exists and is read-only")
    if suffix_contradicts(destination, kind):
        raise UnsupportedKind(f"{destination}: the content is {kind.mime}", "name the output after its content")
    needed = source.stat().st_size + _MANIFEST_ROOM
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(f"{folder}: {needed:,} bytes are needed, {free:,} are free")


def _may_write(path: Path) -> bool:
    """By the rights this process acts with, which are not always those it was started with."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def of_target(error: OSError, destination: Path) -> SigningError:
    """What the file system said while the target was written, as one of our errors."""
    if error.errno in _FULL:
        return DiskFull(f"{destination}: {error.strerror}")
    return TargetUnwritable(f"{destination}: {error.strerror or error}")
