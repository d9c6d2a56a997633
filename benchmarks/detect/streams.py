"""Canonical streams of the benchmark's files, kept so that another model judges the same pictures in a minute.

What costs time is wearing and reading the files, and none of that depends on the model: a file's stretches are kept as
the H.264 streams of their canonical form, with a line of JSON that says where each stands in the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from classifier.canonical import Stretch, decode, encode, sampled, spread
from classifier.detail import fineness
from media import MediaError, Video, probe


class Streams:
    """Stretches by kind of wear and clip; made once, read again afterwards."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, kind: str, name: str, source: Callable[[], Path]) -> list[Stretch] | str:
        """The stretches of the file that `source` makes, or in words why it has none."""
        place = self._folder / kind.replace(" ", "-").replace("%", "") / name
        listing = place.with_suffix(".json")
        if not listing.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            listing.write_text(json.dumps(_written(place, source())))
        said = json.loads(listing.read_text())
        if isinstance(said, str):
            return said
        return [
            Stretch(*decode(Path(f"{place}.{number}.h264").read_bytes()), start, end, side, np.array(detail))
            for number, (start, end, side, detail) in enumerate(said)
        ]


def _written(place: Path, path: Path) -> list[tuple[float, float, int, list[float]]] | str:
    """Writes one stream a stretch; where each stands, or why the file cannot be read."""
    try:
        video: Video = probe(path)
        squares = spread(sampled(video.frames(looks=())))
    except MediaError as error:
        return str(error)
    for number, one in enumerate(squares):
        Path(f"{place}.{number}.h264").write_bytes(encode(one.pixels))
    return [(one.start_s, one.end_s, one.side, fineness(one.pixels).tolist()) for one in squares]
