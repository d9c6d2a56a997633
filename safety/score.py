"""What one model said of one item, and what it could not say.

An `Item` is what is judged. A `Score` is one number of one model about one item; a `Track` is the same for every
frame of a video. Neither is a decision: scores are stored, decisions are computed from them (`safety.decide`), so a
decision can be replayed under the policy of the day, or under another one, without running a model again.

"Could not look" is a value of its own (`Absence`), never 0.0, "" or NaN.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Stage(StrEnum):
    """Where in a request's life an item is judged. The value is the word used on the wire."""

    PROMPT = "prompt"
    NEGATIVE_PROMPT = "negative prompt"
    INPUT_IMAGE = "input image"
    INPUT_VIDEO = "input video"
    FRAME = "frame"
    FILE = "file"


class Absence(StrEnum):
    """Why nobody answered."""

    NOT_CONFIGURED = "not_configured"  # no model for this category here; known at assembly, never from an exception
    UNSUPPORTED = "unsupported"  # this item: a language, a codec
    FAILED = "failed"  # raised, timed out, NaN, wrong shape, unparsable, or silent


@dataclass(frozen=True)
class Item:
    """What is judged: one prompt, one picture, or all the frames of one video.

    `count` is the number of frames that must be accounted for at the frame and input video stages (decodable or
    not), and 1 elsewhere. An expected item with count 0 can only fail: an empty video is not a safe video.
    """

    stage: Stage
    id: str
    sha256: str
    count: int = 1

    @classmethod
    def text(cls, stage: Stage, id: str, text: str) -> Item:
        """The item of a text; surrogates are hashed as they are, so that no string can fail to have an identity."""
        return cls(stage, id, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())


@dataclass(frozen=True)
class Where:
    """Where the evidence is: a span of the user's own text, a stretch of seconds, a box in pixels."""

    span: tuple[int, int] | None = None  # [start, end) in code points of the text as the user wrote it
    text: str | None = None  # the evidence in words: the matched part of a prompt, the text read in a picture
    frame: int | None = None  # index of the frame
    start_s: float | None = None
    end_s: float | None = None
    peak_s: float | None = None
    box: tuple[int, int, int, int] | None = None  # x0, y0, x1, y1 in pixels of the full frame


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
        if self.value is not None and not (math.isfinite(self.value) and 0.0 <= self.value <= 1.0):
            raise ValueError(f"{self.category}: {self.value!r} is outside [0, 1]; use Score.measured for model output")

    @classmethod
    def measured(cls, item: Item, category: str, source: str, value: object, where: Where | None = None) -> Score:
        """The score for a model's raw output; anything that is not a number in [0, 1] becomes a failure."""
        if isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool):
            number = float(value)
            if math.isfinite(number) and 0.0 <= number <= 1.0:
                return cls(item, category, source, number, where=where)
        return cls.absent(item, category, source, Absence.FAILED, note=f"the model answered {value!r:.80}")

    @classmethod
    def absent(cls, item: Item, category: str, source: str, absence: Absence, note: str | None = None) -> Score:
        """The score of somebody who did not answer."""
        return cls(item, category, source, None, absence, note=note)


@dataclass(frozen=True)
class Track:
    """One model's scores of one category for every frame of a video.

    values   float16 (N,), NaN where the frame has no score; quantised *before* deciding, so a replay is exact
    pts      float64 (N,), seconds; NaN where a frame that did not decode has no known time
    absences frame index -> why there is no score; its keys are exactly the NaN positions of `values`
    where    frame index -> evidence, kept for the frames that a reason may cite (sparse)
    """

    item: Item
    category: str
    source: str
    values: NDArray[np.float16]
    pts: NDArray[np.float64]
    absences: Mapping[int, Absence]
    where: Mapping[int, Where]
    note: str | None = None

    def __post_init__(self) -> None:
        if self.values.shape != self.pts.shape or self.values.ndim != 1:
            raise ValueError(f"{self.category}: values {self.values.shape} and pts {self.pts.shape} must be (N,)")
        missing = {int(i) for i in np.flatnonzero(np.isnan(self.values))}
        if missing != set(self.absences):
            raise ValueError(f"{self.category}: every frame without a value, and no other, needs an absence")
        present = self.values[~np.isnan(self.values)]
        if present.size and not (present.min() >= 0 and present.max() <= 1):
            raise ValueError(f"{self.category}: values must lie in [0, 1]")

    @classmethod
    def of(
        cls,
        item: Item,
        category: str,
        source: str,
        frames: Sequence[tuple[float, float | Absence | None, Where | None]],
        note: str | None = None,
    ) -> Track:
        """A track from (pts, value or absence, evidence) per frame; a value that is no number in [0, 1] is a failure."""
        values = np.full(len(frames), np.nan, np.float16)
        absences: dict[int, Absence] = {}
        where: dict[int, Where] = {}
        for index, (_, value, evidence) in enumerate(frames):
            if isinstance(value, Absence):
                absences[index] = value
            elif value is None or not 0.0 <= value <= 1.0:  # NaN compares false, and so fails
                absences[index] = Absence.FAILED
            else:
                values[index] = value
                if evidence is not None:
                    where[index] = evidence
        pts = np.array([pts for pts, _, _ in frames], np.float64)
        return cls(item, category, source, values, pts, absences, where, note)

    @property
    def maximum(self) -> float | None:
        """The largest value, or None where no frame was scored."""
        present = self.values[~np.isnan(self.values)]
        return float(present.max()) if present.size else None


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


Posture = tuple[PostureEntry, ...]


@dataclass(frozen=True)
class Examination:
    """What a stage hands to `decide`: what it was shown, what was said of it, and who looked."""

    items: tuple[Item, ...] = ()
    scores: tuple[Score | Track, ...] = ()
    posture: Posture = ()

    def __add__(self, other: Examination) -> Examination:
        return Examination(self.items + other.items, self.scores + other.scores, self.posture + other.posture)
