"""The one-method Protocols of the safety stages. A stage only observes; what is done about it stands in a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from media import Frame
from safety.score import Absence, Item, Score, Where

# A value in [0, 1], or why there is none; and the evidence (box, text read) where there is some.
FrameScore = tuple[float | Absence, Where | None]


class Examiner(Protocol):
    """What every stage says of itself; it goes into the posture as it is."""

    @property
    def name(self) -> str:
        """The model's name, without a version."""
        ...

    @property
    def version(self) -> str:
        """Changes where the same input would be scored otherwise."""
        ...

    @property
    def weights_sha256(self) -> str | None:
        """Hash of what was learned or listed; None where nothing was."""
        ...

    @property
    def runtime(self) -> str | None:
        """What computes it, e.g. `onnxruntime 1.32 cpu fp32`."""
        ...

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that it scores."""
        ...


class PromptClassifier(Examiner, Protocol):
    """Scores a text; `Where.span` counts code points of the text as it was given."""

    def score(self, item: Item, text: str) -> list[Score]:
        """At least one score for each of `categories`."""
        ...


class FrameClassifier(Examiner, Protocol):
    """Scores frames; deterministic, and a batch equals its frames one by one.

    Optional attributes, read by `safety.frame.traits`; a classifier without them is shown every frame, whole:

        look = "small"     it looks at `Frame.small` (longer side 320, averaged, made once for all models) of every
                           frame; `Frame.pixels` is developed when it asks, so ask for few. "sampled": it calls
                           `Frame.sampled(width, height)` itself, for thresholds known for cv2.resize. Default "full".
        streams = 2        `score` may run in so many threads at once. Default 1.
        bound = Bound(..)  frames that provably differ by less than this from the last one shown are covered by it.
        schedule = Schedule(..)  for models too dear for every frame: shots, every few seconds, and escalated frames.
                           The rest is sampled, which is not the same as looked at, and the posture says so.
        session()          for models with a memory (motion): a fresh classifier for each stream of each video, shown
                           every one of its decoded frames once and in order. Its `score` answers for each frame about
                           the window that ends with it. The outer object stays the one that says name and weights; its
                           own `score` (used on single pictures) must not remember anything.
        evidence = "text"  it judges only the words in a picture, so it does not stand in for one that looks at it.
    """

    @property
    def licence(self) -> str:
        """The licence of code and weights; it decides who may ship them."""
        ...

    @property
    def cost_ms(self) -> float:
        """Milliseconds a frame on one thread, as measured by its author; schedulers order by it."""
        ...

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """One mapping per frame, each with every one of `categories`."""
        ...


def source(examiner: Examiner) -> str:
    """How scores and rules name a model: name@version."""
    return f"{examiner.name}@{examiner.version}"
