"""What a container says in words: its own tags and those of its tracks. Anybody may write anything there."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from media.source import opened

_LONGEST = 4096  # characters of a value that is kept; a workflow that an image tool stores there may be a megabyte
_MOST = 256  # tags


@dataclass(frozen=True)
class Tag:
    """One tag: `where` is "file" or "video", "audio", ... with the number of the track."""

    where: str
    name: str  # as the container spells it, in lower case
    value: str


def tags(path: str | PathLike[str]) -> tuple[Tag, ...]:
    """The tags of a file and its tracks, the file's own first, at most 256 of at most 4096 characters each.

    Raises:
        MediaError: no such file, or not a container that is read here.
    """
    with opened(Path(path)) as container:
        groups = [("file", container.metadata)]
        groups += [(f"{stream.type} {stream.index}", stream.metadata) for stream in container.streams]
        found = [
            Tag(where, str(name).lower()[:80], str(value)[:_LONGEST])
            for where, m in groups
            for name, value in m.items()
        ]
    return tuple(found[:_MOST])
