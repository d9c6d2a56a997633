"""What a bank holds: its card (what the bank is for) and its signals (the hashes).

The field's words: a *bank* is a hash list; a *content* is one known thing in it, a *signal* one hash of that thing (a
video has many). A *negative* signal is a benign look-alike: what matches it at least as closely is no match.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal

from media import UsageError
from safety.category import is_category
from safety.errors import CorruptRecord

# Bits of 256, as Meta recommends. Of 2,000 pictures that were not in the bank none lay within 31 (the nearest at 64,
# of their copies 58); of re-encoded and resized copies 99.2 to 100 % did. Copies with an emblem need the sides:
# benchmarks/banks/results.md.
DISTANCE = 31
WIDEST = 96  # unrelated pictures lie at 128 +- 8 bits; beyond this an entry matches what it has nothing to do with
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}\Z")
_LONGEST = 300  # characters of a content's name


class Kind(StrEnum):
    """How a signal is compared; the value is the word that exchanges use."""

    PDQ = "pdq"  # pictures that look alike
    MD5 = "md5"  # the very file
    SHA256 = "sha256"


SIZES = {Kind.PDQ: 32, Kind.MD5: 16, Kind.SHA256: 32}  # bytes
SIDES = 128  # bytes: four PDQ hashes
ALIASES = {"pdq": Kind.PDQ, "hash_pdq": Kind.PDQ, "md5": Kind.MD5, "video_md5": Kind.MD5, "hash_md5": Kind.MD5,
           "vpdq": None, "sha256": Kind.SHA256, "hash_sha256": Kind.SHA256}  # fmt: skip


@dataclass(frozen=True)
class Signal:
    """One hash of one content.

    distance  bits within which a PDQ hash still matches; None: the bank's own
    aspect    width / height of the picture it was made of
    corners   what finds that picture inside a frame (`Corners.to_bytes`); a bare hash has none
    sides     what finds it with something stamped on it (`pdq.sides`, 128 bytes); a bare hash has none
    """

    kind: Kind
    value: bytes
    content: str = ""
    distance: int | None = None
    negative: bool = False
    aspect: float = 1.0
    corners: bytes = b""
    sides: bytes = b""

    def __post_init__(self) -> None:
        if len(self.value) != SIZES[self.kind]:
            raise UsageError(f"a {self.kind} hash has {SIZES[self.kind]} bytes, not {len(self.value)}")
        if self.distance is not None and not (self.kind is Kind.PDQ and 0 <= self.distance <= WIDEST):
            raise UsageError(f"distance {self.distance}: PDQ hashes match within 0 to {WIDEST} bits, others exactly")
        if not (math.isfinite(self.aspect) and 0.05 <= self.aspect <= 20.0):
            raise UsageError(f"aspect {self.aspect}: width / height lies between 0.05 and 20")
        if len(self.corners) % 36 or len(self.corners) > 36 * 1000:
            raise UsageError(f"{len(self.corners)} bytes of corners: 36 each, a thousand at most")
        if self.sides and (self.kind is not Kind.PDQ or len(self.sides) != SIDES):
            raise UsageError(f"{len(self.sides)} bytes of sides: a PDQ hash has {SIDES} or none, others none")
        if len(self.content) > _LONGEST or not self.content.isprintable():
            raise UsageError(f"content {self.content[:40]!r}: a name has at most {_LONGEST} printable characters")

    @classmethod
    def parse(cls, kind: str, value: str, **more: Any) -> Signal:
        """From an exchange's words; UsageError says what is wrong with them."""
        known = ALIASES.get(kind.strip().lower())
        if known is None:
            raise UsageError(f"signal type {kind!r:.40} is not one that banks hold: {', '.join(Kind)}")
        try:
            raw = bytes.fromhex(value.strip())
        except ValueError as error:
            raise UsageError(f"{kind} {value!r:.80} is not hexadecimal") from error
        return cls(known, raw, **more)


@dataclass(frozen=True)
class Card:
    """What a bank is for, and how it matches.

    category     scored besides `bank/<name>`, so that the policy's rules for it apply (`ip/logo`)
    action       what a match asks for where the policy has no rule about `bank/<name>`
    worst        of what matches, no picture is made anywhere, and the item goes into the quarantine
    look         whole: entire frames; crops: also parts of a frame, for logos and characters
    distance     bits within which a PDQ hash matches unless its entry says otherwise
    flood_items  an entry that matches more distinct files than this within `flood_hours` is switched off until a
                 person looks (in a bank of worst material it is only reported)
    """

    name: str
    category: str | None = None
    action: Literal["review", "block"] = "block"
    worst: bool = False
    look: Literal["whole", "crops"] = "whole"
    distance: int = DISTANCE
    flood_items: int = 100
    flood_hours: float = 24.0

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise UsageError(
                f"bank name {self.name!r:.80}: up to 64 of a-z, 0-9, '_', '.', '-', a letter or digit first"
            )
        if self.category is not None and (not is_category(self.category) or self.category.startswith("bank/")):
            raise UsageError(f"category {self.category!r}: a bank maps to one of safety.CATEGORIES")
        if self.action not in ("review", "block") or self.look not in ("whole", "crops"):
            raise UsageError(f"bank {self.name}: action is review or block, look is whole or crops")
        if not 0 <= self.distance <= WIDEST:
            raise UsageError(f"bank {self.name}: distance {self.distance} is not between 0 and {WIDEST} bits")
        if self.flood_items < 1 or not 0 < self.flood_hours <= 24 * 366:
            raise UsageError(f"bank {self.name}: a flood is more than 1 item within at most a year")

    @property
    def own_category(self) -> str:
        """The category that a match always has."""
        return f"bank/{self.name}"

    @property
    def categories(self) -> tuple[str, ...]:
        """Every category that a match has."""
        return (self.own_category, *([self.category] if self.category else []))

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def parse(cls, stored: str, origin: str) -> Card:
        """From the stored text; CorruptRecord names the origin."""
        try:
            return cls(**json.loads(stored))
        except (TypeError, ValueError, UsageError) as error:
            raise CorruptRecord(
                f"{origin}: the bank's card cannot be read ({error}); restore it from a copy"
            ) from error
