"""What became of the frames of a video: for the file as a whole, and for each model that was to look at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FrameCounts:
    """What became of the frames: total = decoded + undecodable and decoded = scored + covered + failed.

    Only models that are to look at every frame count here; one that samples (`safety.frame.Schedule`) does not.
    scored: every such model answered for the frame itself (a value, or unsupported); failed: at least one did not
    answer (or there was none to ask); covered: the rest, where at least one model's bound covered the frame.
    """

    total: int
    decoded: int
    undecodable: int
    scored: int
    covered: int
    failed: int

    def __post_init__(self) -> None:
        if self.total != self.decoded + self.undecodable or self.decoded != self.scored + self.covered + self.failed:
            raise ValueError(f"frames unaccounted for: {self}")


@dataclass(frozen=True)
class Coverage:
    """The same account for one model: total = decoded + undecodable, decoded = scored + covered + failed + sampled.

    covered  not shown to the model, but within `bound` of a frame that it was shown
    sampled  neither shown nor covered: the model looks only now and then, and nobody vouches for these frames
    bound    in words, by what frames were covered or how they were sampled
    stopped  why the walk ended before the video did, in words; what it did not reach is not known
    """

    total: int
    decoded: int
    undecodable: int
    scored: int
    covered: int
    failed: int
    sampled: int = 0
    bound: str | None = None
    stopped: str | None = None

    def __post_init__(self) -> None:
        looked = self.scored + self.covered + self.failed + self.sampled
        if self.total != self.decoded + self.undecodable or self.decoded != looked:
            raise ValueError(f"frames unaccounted for: {self}")

    def __add__(self, other: Coverage) -> Coverage:
        names = ("total", "decoded", "undecodable", "scored", "covered", "failed", "sampled")
        sums = {name: getattr(self, name) + getattr(other, name) for name in names}
        return Coverage(**sums, bound=_joined(self.bound, other.bound), stopped=_joined(self.stopped, other.stopped))

    def to_json(self) -> dict[str, Any]:
        """As the `coverage` of a line of the posture."""
        return dict(vars(self))

    @classmethod
    def of(cls, stored: Coverage | Mapping[str, Any] | None) -> Coverage | None:
        """The account, also from what `to_json` wrote."""
        return stored if stored is None or isinstance(stored, Coverage) else cls(**stored)


def _joined(*words: str | None) -> str | None:
    return "; ".join(dict.fromkeys(word for word in words if word)) or None
