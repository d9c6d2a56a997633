"""A bank as a frame classifier: is this frame, or a part of it, something the operator knows?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from media import Frame, Look
from safety.frame.banks.content import Content
from safety.frame.banks.features import Finder
from safety.frame.banks.matching import Match, Matcher, SideMatcher
from safety.frame.banks.pdq import QUALITY, Hashes, sides
from safety.frame.gate import LISTED
from safety.score import Where
from safety.stages import FrameScore

# Where corners agree on a place, a hash twice as far counts: in 60 natural frames the nearest wrong one
# lay at 106 bits, logos of 48 pixels at up to 64 (benchmarks/banks).
PLACED_SLACK = 2


class BankClassifier:
    """Scores `bank/<name>`, and the category that the bank maps to, for each frame.

    A frame that is too flat to have a hash (PDQ quality below 50) is evidence of nothing and scores 0. What a bank does
    not list it says nothing about: it never counts as a model that judges its mapped category (`evidence` is listed).
    """

    licence = "Apache-2.0; the list is the operator's"
    evidence = LISTED
    look: Look

    def __init__(self, content: Content, hashes: Hashes | None = None) -> None:
        card = content.card
        self.card = card
        self.name = f"bank-{card.name}"
        self.version = content.sha256[:12]
        self.weights_sha256: str | None = content.sha256
        self.categories: tuple[str, ...] = card.categories
        self.look = "full" if card.look == "crops" else "small"
        self._hashes = hashes or Hashes()
        self._matcher = Matcher(content)
        self._placed = self._matcher
        self._sides = SideMatcher(content) if content.sides.any() else None
        self._pictures = [index for index, corners in enumerate(content.corners) if len(corners.looks)]
        self._finder: Finder | None = None
        if card.look == "crops" and self._pictures:
            pictures = [content.corners[index] for index in self._pictures]
            self._finder = Finder(pictures, content.aspects[self._pictures])
            self._placed = Matcher(content, slack=PLACED_SLACK)
        self.runtime: str | None = _words(content, len(self._pictures) if self._finder else 0, self._matcher.search)
        self.cost_ms = (1.0 if self._sides else 0.3) if self._finder is None else 20.0 + 0.1 * len(self._pictures)
        self._sighted: set[int] = set()

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """One mapping a frame, each by itself; the value is 1 for the very hash and 0.5 at the entry's distance."""
        return [self._score(frame) for frame in frames]

    def sighted(self) -> frozenset[int]:
        """The entries that matched since this was asked last: whoever knows the file notes them in the store."""
        seen, self._sighted = frozenset(self._sighted), set()
        return seen

    def _score(self, frame: Frame) -> Mapping[str, FrameScore]:
        found = [*self._whole(frame.small), *self.parts(frame)]
        if not found:
            return dict.fromkeys(self.categories, (0.0, None))
        best, where = max(found, key=lambda one: one[0].value)
        self._sighted.add(best.id)
        return dict.fromkeys(self.categories, (best.value, where))

    def _whole(self, pixels: NDArray[np.uint8]) -> list[tuple[Match, Where]]:
        hashed = self._hashes.of(pixels)
        if hashed.quality < QUALITY:
            return []
        found = self._matcher.matches(_row(hashed.value))
        if not found and self._sides is not None and not self._matcher.is_benign(_row(hashed.value)):
            stamped = self._sides.match(sides(pixels))
            found = [stamped] if stamped is not None else []
        return [(match, Where(text=match.words)) for match in found]

    def parts(self, frame: Frame) -> list[tuple[Match, Where]]:
        """What is found inside the frame; a place proposed for one picture may match its look-alike, or a negative."""
        if self._finder is None:
            return []
        return [
            (match, Where(text=match.words, box=place.box))
            for place in self._finder.find(frame.pixels)
            for match in self._placed.matches(_row(place.hashed.value))
        ]


def _row(value: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(value, np.uint8)[None]  # (1, 32)


def _words(content: Content, pictures: int, search: str) -> str:
    stamped = " and of their sides" if content.sides.any() else ""
    parts = [f"PDQ of whole frames{stamped}, {len(content)} entries, {search}"]
    parts += [f"parts of frames by ORB corners of {pictures} pictures"] if pictures else []
    parts += [f"{content.off} entries switched off"] if content.off else []
    parts += ["worst material"] if content.card.worst else []
    return "; ".join(parts)
