"""What is searched of a bank: its active signals, as arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safety.frame.banks.corners import Corners
from safety.frame.banks.signal import SIDES, Card, Kind


@dataclass(frozen=True)
class Content:
    """What is searched: the active signals of one bank at one moment, in one order.

    ids int64 (N,), values uint8 (N, 32), distances int (N,), negative bool (N,), aspects float (N,), and each one's
    corners and content: the PDQ hashes; sides uint8 (N, 4, 32), zeros where an entry has none
    files    (kind, hash) -> (id, name of the content, negative): the hashes of whole files
    sha256   of everything that changes what matches
    """

    card: Card
    ids: NDArray[np.int64]
    values: NDArray[np.uint8]
    distances: NDArray[np.int64]
    negative: NDArray[np.bool_]
    aspects: NDArray[np.float64]
    corners: tuple[Corners, ...]
    names: tuple[str, ...]
    sides: NDArray[np.uint8]
    files: dict[tuple[Kind, bytes], tuple[int, str, bool]]
    sha256: str
    off: int

    def __len__(self) -> int:
        return len(self.ids) + len(self.files)


def content_of(card: Card, rows: Sequence[Sequence[Any]], off: int, sha256: str) -> Content:
    """The content of a bank's active rows (id, kind, value, content, distance, negative, aspect, corners, sides).

    off: how many more are switched off; sha256: of the rows.
    """
    pdq = [row for row in rows if row[1] == Kind.PDQ]
    values = np.frombuffer(b"".join(row[2] for row in pdq), np.uint8).reshape(-1, 32)
    files = {
        (Kind(row[1]), bytes(row[2])): (row[0], row[3], bool(row[5]))
        for row in rows
        if row[1] in (Kind.MD5, Kind.SHA256)
    }
    facts = json.dumps([card.category, card.look, card.distance], sort_keys=True)
    return Content(
        card=card,
        ids=np.array([row[0] for row in pdq], np.int64),
        values=values,
        distances=np.array([card.distance if row[4] is None else row[4] for row in pdq], np.int64),
        negative=np.array([row[5] for row in pdq], bool),
        aspects=np.array([row[6] for row in pdq], np.float64),
        corners=tuple(Corners.from_bytes(row[7]) for row in pdq),
        names=tuple(row[3] for row in pdq),
        sides=np.frombuffer(b"".join(row[8] or bytes(SIDES) for row in pdq), np.uint8).reshape(-1, 4, 32),
        files=files,
        sha256=hashlib.sha256(f"{sha256} {facts}".encode()).hexdigest(),
        off=off,
    )
