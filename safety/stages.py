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
    """Scores frames; deterministic, and a batch equals its frames one by one."""

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
