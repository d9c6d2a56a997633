"""The corners of a picture, as a bank keeps them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_POINT = 4  # bytes of a stored corner's place: x and y as uint16 of 65535


@dataclass(frozen=True)
class Corners:
    """Places float32 (N, 2) as x, y in [0, 1] of the picture, and what they look like, uint8 (N, 32)."""

    places: NDArray[np.float32]
    looks: NDArray[np.uint8]

    def to_bytes(self) -> bytes:
        """For the store."""
        places = np.round(self.places.clip(0, 1) * 65535).astype("<u2")
        return places.tobytes() + self.looks.tobytes()

    @classmethod
    def from_bytes(cls, stored: bytes) -> Corners:
        """As it was stored; ValueError where that is not a whole number of corners."""
        count, rest = divmod(len(stored), _POINT + 32)
        if rest:
            raise ValueError(f"{len(stored)} bytes are no whole number of corners")
        places = np.frombuffer(stored, "<u2", 2 * count).reshape(-1, 2).astype(np.float32) / np.float32(65535)
        return cls(places, np.frombuffer(stored, np.uint8, offset=_POINT * count).reshape(-1, 32))
