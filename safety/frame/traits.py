"""What a frame classifier may declare beside its Protocol, all of it optional; see `safety.FrameClassifier`.

A classifier that declares nothing is shown every frame, whole, one call at a time, and what it says of two identical
pictures is taken to be the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from media import Look
from safety.frame.gate import LISTED, PICTURE, TEXT, Bound
from safety.stages import FrameClassifier

LIMIT_STREAMS = 16


@dataclass(frozen=True)
class Schedule:
    """When a model too dear for every frame is shown one: `schedule = Schedule(...)` on the classifier.

    It is shown the first frame of every shot, one frame every `every_s` seconds, and, where a model that looks at every
    frame reached `escalate` in any category, one frame every `escalated_s` seconds. In between, the value of the last
    frame shown stands, and the posture calls those frames sampled: nobody looked at them. A category that only such a
    model judges counts as not configured beside the model's own scores, so that it cannot pass as looked at.
    """

    every_s: float = 2.0
    escalate: float = 0.5
    escalated_s: float = 0.5

    def __post_init__(self) -> None:
        lengths = (self.every_s, self.escalated_s)
        if not (all(0.0 < s < math.inf for s in lengths) and 0.0 <= self.escalate <= 1.0):
            raise ValueError(f"{self!r}: seconds are above 0 and finite, escalate is in [0, 1]")

    def __str__(self) -> str:
        return (
            f"sampled: each shot, every {self.every_s:g} s, and every {self.escalated_s:g} s where another model "
            f"reaches {self.escalate:g}"
        )


def bound_of(classifier: FrameClassifier) -> Bound | None:
    """`bound`: by what frames may be covered that the classifier is not shown; None (the default): by identity only."""
    bound = getattr(classifier, "bound", None)
    if not (bound is None or isinstance(bound, Bound)):
        raise TypeError(f"{classifier.name}: bound must be a safety.frame.Bound or None, not {bound!r:.80}")
    return bound


def evidence_of(classifier: FrameClassifier) -> str:
    """`evidence`: PICTURE (the default), TEXT where it judges only the words in a picture, LISTED for known content."""
    kind = getattr(classifier, "evidence", PICTURE)
    if kind not in (PICTURE, TEXT, LISTED):
        raise ValueError(f"{classifier.name}: evidence must be {PICTURE!r}, {TEXT!r} or {LISTED!r}, not {kind!r:.80}")
    return str(kind)


def look_of(classifier: FrameClassifier) -> Look:
    """`look`: what it needs of every frame: "full" (the default: `pixels`), "small", or "sampled"."""
    look: Look = getattr(classifier, "look", "full")
    if look not in ("full", "small", "sampled"):
        raise ValueError(f"{classifier.name}: look must be 'full', 'small' or 'sampled', not {look!r:.80}")
    return look


def schedule_of(classifier: FrameClassifier) -> Schedule | None:
    """`schedule`: None (the default): it looks at every frame."""
    schedule = getattr(classifier, "schedule", None)
    if not (schedule is None or isinstance(schedule, Schedule)):
        raise TypeError(f"{classifier.name}: schedule must be a safety.frame.Schedule or None, not {schedule!r:.80}")
    return schedule


def streams_of(classifier: FrameClassifier) -> int:
    """`streams`: calls of `score` that it bears at the same time, from several threads; 1 is the default."""
    streams = getattr(classifier, "streams", 1)
    if isinstance(streams, bool) or not isinstance(streams, int) or not 1 <= streams <= LIMIT_STREAMS:
        raise ValueError(f"{classifier.name}: streams must be a number from 1 to {LIMIT_STREAMS}, not {streams!r:.80}")
    return streams


def is_stateful(classifier: FrameClassifier) -> bool:
    """Whether what it says of a frame depends on the frames before it: whether it has a `session`."""
    return callable(getattr(classifier, "session", None))


def session_of(classifier: FrameClassifier) -> FrameClassifier:
    """`session()`: a fresh classifier for one stream of one video, shown every frame of it in order; or itself."""
    session = getattr(classifier, "session", None)
    if session is None:
        return classifier
    fresh: FrameClassifier = session()
    return fresh
