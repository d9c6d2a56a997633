"""The bytes of a stored track: a JSON header, float16 values, float64 times. No pickle, no compression.

    b"ATRK" | version u8 | header length u32 LE | header, JSON in ASCII | values <f2 (N,) | pts <f8 (N,)

The same track always gives the same bytes, so that their hash identifies it.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safety.errors import CorruptRecord

_PREFIX = struct.Struct("<4sBI")
_MAGIC, _VERSION = b"ATRK", 1
_FRAME_BYTES = 2 + 8


def pack(header: dict[str, Any], values: NDArray[np.float16], pts: NDArray[np.float64]) -> bytes:
    """The bytes of a header (JSON-able) and two arrays of equal length."""
    words = json.dumps(header, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    return b"".join(
        [_PREFIX.pack(_MAGIC, _VERSION, len(words)), words, values.astype("<f2").tobytes(), pts.astype("<f8").tobytes()]
    )


def unpack(stored: bytes) -> tuple[dict[str, Any], NDArray[np.float16], NDArray[np.float64]]:
    """What `pack` was given; CorruptRecord where the bytes are not its own, or not all of them."""
    try:
        magic, version, length = _PREFIX.unpack_from(stored)
        if (magic, version) != (_MAGIC, _VERSION):
            raise CorruptRecord(f"{magic!r} version {version} is no track that this version of Assay reads")
        start = _PREFIX.size + length
        header = json.loads(stored[_PREFIX.size : start].decode("ascii"))
    except (struct.error, ValueError) as error:
        raise CorruptRecord(f"a stored track cannot be read ({error}); score the file again") from error
    frames, rest = divmod(len(stored) - start, _FRAME_BYTES)
    if rest or frames < 0 or not isinstance(header, dict) or header.get("frames") != frames:
        raise CorruptRecord("a stored track was cut short or changed; score the file again")
    values = np.frombuffer(stored, "<f2", frames, start).astype(np.float16)
    pts = np.frombuffer(stored, "<f8", frames, start + 2 * frames).astype(np.float64)
    return header, values, pts
