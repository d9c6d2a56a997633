"""What is judged, where the evidence in it is, and why nobody answered."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from safety.errors import CorruptRecord


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

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"{self.id}: an item cannot hold {self.count} frames")

    @classmethod
    def text(cls, stage: Stage, id: str, text: str) -> Item:
        """The item of a text; surrogates are hashed as they are, so that no string can fail to have an identity."""
        return cls(stage, id, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())

    def to_json(self) -> dict[str, Any]:
        """For the ledger."""
        return {"stage": self.stage.value, "id": self.id, "sha256": self.sha256, "count": self.count}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Item:
        """The item as it was stored; CorruptRecord where it was not stored by `to_json`."""
        try:
            return cls(Stage(stored["stage"]), stored["id"], stored["sha256"], stored["count"])
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptRecord(f"a stored item cannot be read ({error!r}); score the file again") from error


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

    def __post_init__(self) -> None:
        """Models answer in numpy's numbers; these become Python's, so that evidence is storable as it is."""
        if self.span is not None:
            start, end = (int(edge) for edge in self.span)
            object.__setattr__(self, "span", (start, end))
        if self.box is not None:
            x0, y0, x1, y1 = (int(edge) for edge in self.box)
            object.__setattr__(self, "box", (x0, y0, x1, y1))
        if self.frame is not None:
            object.__setattr__(self, "frame", int(self.frame))
        for name in ("start_s", "end_s", "peak_s"):
            seconds = getattr(self, name)
            if seconds is None:
                continue
            if not math.isfinite(seconds):
                raise ValueError(f"{name} is {seconds}; a time that is not known is None")
            object.__setattr__(self, name, float(seconds))

    def to_json(self) -> dict[str, Any]:
        """Only what is known."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Where:
        """The evidence as it was stored; CorruptRecord where it was not stored by `to_json`."""
        try:
            return cls(**stored)
        except (TypeError, ValueError) as error:
            raise CorruptRecord(f"stored evidence cannot be read ({error}); score the file again") from error
