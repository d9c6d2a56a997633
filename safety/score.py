"""What one model said of one item, and what it could not say.

An `Item` is what is judged. A `Score` is one number of one model about one item; a `Track` is the same for every
frame of a video. Neither is a decision: scores are stored, decisions are computed from them (`safety.decide`), so a
decision can be replayed under the policy of the day, or under another one, without running a model again.

"Could not look" is a value of its own (`Absence`), never 0.0, "" or NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safety.coverage import Coverage
from safety.errors import CorruptRecord
from safety.item import Absence, Item, Stage, Where
from safety.trackfile import pack, unpack

__all__ = ["Absence", "Examination", "Item", "Posture", "PostureEntry", "Score", "Stage", "Track", "Where"]


def _probability(value: object) -> float | None:
    """The value as a float where it is a number in [0, 1]; None for everything else, NaN included."""
    if isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool):
        number = float(value)
        if 0.0 <= number <= 1.0:
            return number + 0.0  # -0.0 becomes 0.0: equal scores are stored as equal bytes
    return None


@dataclass(frozen=True)
class Score:
    """What one model said of one item: a value in [0, 1], or None with the `Absence` that says why not."""

    item: Item
    category: str
    source: str  # name@version of the model
    value: float | None
    absence: Absence | None = None
    where: Where | None = None
    note: str | None = None  # for people: the language met, the error raised

    def __post_init__(self) -> None:
        if (self.value is None) == (self.absence is None):
            raise ValueError(f"{self.category}: a score has either a value or an absence, not both or neither")
        if self.value is not None:
            number = _probability(self.value)
            if number is None:
                raise ValueError(f"{self.category}: {self.value!r} is outside [0, 1]; use Score.measured")
            object.__setattr__(self, "value", number)

    @classmethod
    def measured(cls, item: Item, category: str, source: str, value: object, where: Where | None = None) -> Score:
        """The score for a model's raw output; anything that is not a number in [0, 1] becomes a failure."""
        number = _probability(value)
        if number is None:
            return cls.absent(item, category, source, Absence.FAILED, note=f"the model answered {value!r:.80}")
        return cls(item, category, source, number, where=where)

    @classmethod
    def absent(cls, item: Item, category: str, source: str, absence: Absence, note: str | None = None) -> Score:
        """The score of somebody who did not answer."""
        return cls(item, category, source, None, absence, note=note)

    def to_json(self) -> dict[str, Any]:
        """For the ledger; `from_json` gives back an equal score."""
        return {
            "item": self.item.to_json(),
            "category": self.category,
            "source": self.source,
            "value": self.value,
            "absence": self.absence.value if self.absence else None,
            "where": self.where.to_json() if self.where else None,
            "note": self.note,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Score:
        """The score as it was stored; CorruptRecord where it was not stored by `to_json`."""
        try:
            return cls(
                Item.from_json(stored["item"]),
                stored["category"],
                stored["source"],
                stored["value"],
                Absence(stored["absence"]) if stored["absence"] is not None else None,
                Where.from_json(stored["where"]) if stored["where"] is not None else None,
                stored["note"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptRecord(f"a stored score cannot be read ({error!r}); score the item again") from error


@dataclass(frozen=True, eq=False)
class Track:
    """One model's scores of one category for every frame of a video.

    values   float16 (N,), NaN where the frame has no score; quantised *before* deciding, so a replay is exact
    pts      float64 (N,), seconds; NaN where a frame that did not decode has no known time
    absences frame index -> why there is no score; its keys are exactly the NaN positions of `values`
    where    frame index -> evidence, kept for the frames that a reason may cite (sparse)
    borders  the frames after the first that begin a shot, ascending; empty: one shot, as in records without borders

    "Not configured" is known before the first frame, so a track holds it for every frame or for none.
    Arrays are copied and cannot be written to. ValueError where shapes, ranges or absences do not fit together.
    """

    item: Item
    category: str
    source: str
    values: NDArray[np.float16]
    pts: NDArray[np.float64]
    absences: Mapping[int, Absence]
    where: Mapping[int, Where]
    note: str | None = None
    borders: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.values.shape != self.pts.shape or self.values.ndim != 1:
            raise ValueError(f"{self.category}: values {self.values.shape} and pts {self.pts.shape} must be (N,)")
        missing = np.isnan(self.values)
        if set(np.flatnonzero(missing).tolist()) != set(self.absences):
            raise ValueError(f"{self.category}: every frame without a value, and no other, needs an absence")
        present = self.values[~missing]
        if present.size and not (present.min() >= 0 and present.max() <= 1):
            raise ValueError(f"{self.category}: values must lie in [0, 1]")
        if np.isinf(self.pts).any():
            raise ValueError(f"{self.category}: pts are seconds, or NaN where unknown")
        kinds = set(self.absences.values())
        if Absence.NOT_CONFIGURED in kinds and (len(kinds) > 1 or not missing.all()):
            raise ValueError(f"{self.category}: a model that looks at some frames is configured for all of them")
        if any(not 0 <= index < len(self.values) for index in self.where):
            raise ValueError(f"{self.category}: evidence about a frame that the track does not hold")
        fences = (0, *self.borders, len(self.values))
        if self.borders and not all(type(a) is type(b) is int and a < b for a, b in pairwise(fences)):
            raise ValueError(f"{self.category}: shots begin at ascending frames within the track, after the first")
        self._freeze("values", np.float16)
        self._freeze("pts", np.float64)

    def _freeze(self, name: str, kind: type[np.floating[Any]]) -> None:
        """A private copy of one kind, with one NaN and one zero: equal tracks are equal bytes."""
        array = getattr(self, name).astype(kind) + kind(0)
        array[np.isnan(array)] = np.nan
        array.flags.writeable = False
        object.__setattr__(self, name, array)

    @classmethod
    def of(
        cls,
        item: Item,
        category: str,
        source: str,
        frames: Sequence[tuple[float | None, object, Where | None]],
        note: str | None = None,
    ) -> Track:
        """A track from (pts or None, value or Absence, evidence) per frame; no number in [0, 1] means failed."""
        values = np.full(len(frames), np.nan, np.float16)
        absences: dict[int, Absence] = {}
        where: dict[int, Where] = {}
        for index, (_, value, evidence) in enumerate(frames):
            number = _probability(value)
            if number is None:
                absences[index] = value if isinstance(value, Absence) else Absence.FAILED
                continue
            values[index] = number
            if evidence is not None:
                where[index] = evidence
        pts = np.array([math.nan if pts is None else pts for pts, _, _ in frames], np.float64)
        return cls(item, category, source, values, pts, absences, where, note)

    @property
    def shots(self) -> list[tuple[int, int]]:
        """Each shot as [start, stop) in frames; together they hold every frame."""
        return list(pairwise((0, *self.borders, len(self.values))))

    @property
    def maximum(self) -> float | None:
        """The largest value, or None where no frame was scored."""
        present = self.values[~np.isnan(self.values)]
        return float(present.max()) if present.size else None

    def to_bytes(self) -> bytes:
        """For the ledger; `from_bytes` gives back an equal track. The same track always gives the same bytes."""
        header: dict[str, Any] = {
            "item": self.item.to_json(),
            "category": self.category,
            "source": self.source,
            "note": self.note,
            "frames": len(self.values),
            "absences": {str(index): self.absences[index].value for index in sorted(self.absences)},
            "where": {str(index): self.where[index].to_json() for index in sorted(self.where)},
        }
        if self.borders:  # else the bytes, and so the hash, are those of a track from before there were borders
            header["borders"] = list(self.borders)
        return pack(header, self.values, self.pts)

    @classmethod
    def from_bytes(cls, stored: bytes) -> Track:
        """The track as it was stored; CorruptRecord where the bytes are not a whole track."""
        header, values, pts = unpack(stored)
        try:
            absences = {int(index): Absence(kind) for index, kind in header["absences"].items()}
            where = {int(index): Where.from_json(evidence) for index, evidence in header["where"].items()}
            item = Item.from_json(header["item"])
            names = (header["category"], header["source"])
            borders = tuple(header.get("borders", ()))
            return cls(item, *names, values, pts, absences, where, header["note"], borders)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CorruptRecord(f"a stored track cannot be read ({error!r}); score the file again") from error

    @cached_property
    def sha256(self) -> str:
        """The hash of `to_bytes`: what a decision's identity holds of the track."""
        return sha256(self.to_bytes()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Track) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.sha256)


@dataclass(frozen=True)
class PostureEntry:
    """One model as it *effectively* ran at one stage: never what was requested."""

    stage: Stage
    model: str
    version: str
    weights_sha256: str | None
    runtime: str | None
    items: int
    failed: int
    coverage: Coverage | None = None  # what became of the frames, where it looked at a video

    def __post_init__(self) -> None:
        object.__setattr__(self, "coverage", Coverage.of(self.coverage))  # the ledger gives back what to_json wrote

    def to_json(self) -> dict[str, Any]:
        """As the `posture` of a line of `scan` or `generate`."""
        coverage = self.coverage.to_json() if self.coverage else None
        return vars(self) | {"stage": self.stage.value, "coverage": coverage}


Posture = tuple[PostureEntry, ...]


@dataclass(frozen=True)
class Examination:
    """What a stage hands to `decide`: what it was shown, what was said of it, and who looked."""

    items: tuple[Item, ...] = ()
    scores: tuple[Score | Track, ...] = ()
    posture: Posture = ()

    @property
    def partial(self) -> str | None:
        """Why some of a video was not looked at, where a walk ended early: then a replay must refuse."""
        return next((one.coverage.stopped for one in self.posture if one.coverage and one.coverage.stopped), None)

    def __add__(self, other: Examination) -> Examination:
        return Examination(self.items + other.items, self.scores + other.scores, self.posture + other.posture)
