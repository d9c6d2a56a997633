"""Where signed copies go: below one folder, as the originals lay below theirs, and no two in one place."""

from __future__ import annotations

import hashlib
from pathlib import Path

from assay.batch.sources import Source


class Names:
    """Gives each source a path of its own below a folder; files of the same name get a part of a hash of their uri.

    The order of the sources decides who keeps the plain name, so that a run that goes on gives the same names.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else folder.absolute()
        self._given: set[str] = set()

    def of(self, source: Source) -> Path | None:
        """The path of its copy; the folder it lies in is made. None where no copies are asked for."""
        if self._folder is None or source.error is not None:
            return None
        name = source.name.lstrip("/") or "video"
        if ".." in Path(name).parts or name.casefold() in self._given:  # some file systems know no capitals
            mark = hashlib.blake2b(source.uri.encode(), digest_size=6).hexdigest()
            plain = Path(Path(name).name if ".." in Path(name).parts else name)
            name = str(plain.with_name(f"{plain.stem}-{mark}{plain.suffix}"))
        self._given.add(name.casefold())
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target
