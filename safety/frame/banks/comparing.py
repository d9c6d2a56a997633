"""A whole file against one bank, for people: which contents, by how many frames (as vPDQ counts)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from media import Frame, probe
from safety.frame.banks.classifier import BankClassifier
from safety.frame.banks.content import Content
from safety.frame.banks.making import file_hashes
from safety.frame.banks.matching import Match, Matcher
from safety.frame.banks.pdq import QUALITY, pdq

_AT_ONCE = 256  # hashes


def compare_file(path: Path, bank: Content) -> Iterator[dict[str, Any]]:
    """One row a match: of the file itself, of each content by its frames, of pictures found inside frames.

    file_percent     of the file's frames with a hash, how many match some signal of the content
    content_percent  of the content's signals, how many are matched by some frame
    """
    for key, (id, content, negative) in bank.files.items():
        if file_hashes(path).get(key[0]) == key[1] and not negative:
            yield _row(bank, key[0].value, id, content, 0)
    matcher, parts = Matcher(bank), BankClassifier(bank)
    hashed: list[bytes] = []
    inside: dict[int, tuple[Match, str]] = {}
    for frame in probe(path).frames():
        if isinstance(frame, Frame):
            found = pdq(frame.small)
            hashed += [found.value] if found.quality >= QUALITY else []
            for match, where in parts.parts(frame):
                inside.setdefault(match.id, (match, f"at {frame.pts:.2f} s in box {where.box}"))
    yield from _by_content(bank, matcher, hashed)
    for match, place in inside.values():
        yield _row(bank, "part", match.id, f"{match.content} {place}", match.distance)


def _by_content(bank: Content, matcher: Matcher, hashed: list[bytes]) -> Iterator[dict[str, Any]]:
    values = np.frombuffer(b"".join(hashed), np.uint8).reshape(-1, 32)
    frames: Counter[str] = Counter()
    signals: dict[str, set[int]] = {}
    nearest: dict[str, tuple[int, int]] = {}
    for at in range(0, len(values), _AT_ONCE):
        for match in matcher.matches(values[at : at + _AT_ONCE]):
            frames[match.content] += 1
            signals.setdefault(match.content, set()).add(match.id)
            nearest[match.content] = min(nearest.get(match.content, (257, 0)), (match.distance, match.id))
    held = Counter(name for name, negative in zip(bank.names, bank.negative, strict=True) if not negative)
    for content, (distance, id) in sorted(nearest.items(), key=lambda item: item[1]):
        file_percent = 100 * frames[content] / len(values)
        content_percent = 100 * len(signals[content]) / held[content]
        yield _row(bank, "pdq", id, content, distance, file_percent, content_percent)


def _row(
    bank: Content, kind: str, id: int, content: str, distance: int,
    file_percent: float | None = None, content_percent: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    return {"bank": bank.card.name, "kind": kind, "entry": id, "content": content, "distance": distance,
            "file_percent": file_percent, "content_percent": content_percent}  # fmt: skip
