"""Pages on the disk: whole or not at all, under a name that says what they are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from media import UsageError


def destination_for_page(destination: Path, option: str = "--report") -> Path:
    """The path, where a page can be written there; UsageError otherwise, before anything is worked for."""
    if destination.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{option} {destination}: the report is a page; write a name that ends in .html")
    if not destination.absolute().parent.is_dir():
        raise UsageError(f"{option} {destination}: there is no such folder")
    return destination


def write_page(target: Path, pieces: Iterable[str], option: str = "--report") -> None:
    """Writes the pieces under a name of its own, then moves them there; UsageError where that cannot be done."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(pieces)
        partial.replace(target)
    except OSError as error:
        raise UsageError(f"{option} {target}: cannot be written ({error.strerror})") from error
    finally:
        partial.unlink(missing_ok=True)
