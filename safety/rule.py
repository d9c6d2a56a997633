"""One line of a policy, and what stands in it: actions, thresholds over time, answers to absence, waivers."""

from __future__ import annotations

from datetime import date
from enum import IntEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from safety.category import is_category
from safety.item import Absence, Stage


class Action(IntEnum):
    """What is done about it. Ordered, so that `max()` decides."""

    ALLOW = 0
    REVIEW = 1
    BLOCK = 2

    @property
    def word(self) -> str:
        """The word on the wire: allow, review or block."""
        return self.name.lower()


def _action(value: object) -> object:
    """An action by its word; numbers, and words in another spelling, are refused."""
    words = {action.word: action for action in Action}
    if isinstance(value, str) and value in words:
        return words[value]
    if isinstance(value, Action):
        return value
    raise ValueError(f"{value!r} is no action; write allow, review or block")


def _refusal(action: Action) -> Action:
    if action is Action.ALLOW:
        raise ValueError("nobody looked, so the answer is review or block, never allow")
    return action


def _category(name: str) -> str:
    if not is_category(name):
        raise ValueError(f"{name!r} is no category; see safety.CATEGORIES, or bank/<name>")
    return name


AnyAction = Annotated[Action, BeforeValidator(_action), PlainSerializer(lambda action: action.word, return_type=str)]
Scope = Literal["frames", "shot", "file"]
# An absence may never be answered with allow.
Refusal = Annotated[AnyAction, AfterValidator(_refusal)]
Category = Annotated[str, AfterValidator(_category)]
Probability = Annotated[float, Field(ge=0.0, le=1.0, strict=True)]
Words = Annotated[str, Field(min_length=1)]


class StrictModel(BaseModel):
    """A part of a policy: unknown fields, NaN and infinities are refused, and nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Temporal(StrictModel):
    """How the scores of neighbouring frames become a segment.

    A segment opens where `k` of `n` consecutive frames reach the threshold, or one frame reaches `instant`; it goes on
    in both directions while frames stay above `close` x threshold; segments closer than `merge_s` seconds are one.

    scope  `frames`: over the whole video. `shot`: each shot by itself; windows and segments end at its borders.
           `file`: as in shots, but all that is found in a file is one finding, whose value is the largest
    share  of a file only: instead of k of n, this share of the frames that were scored must reach the threshold
    """

    k: Annotated[int, Field(ge=1, strict=True)] = 1
    n: Annotated[int, Field(ge=1, strict=True)] = 1
    instant: Probability | None = None
    close: Annotated[float, Field(gt=0.0, le=1.0, strict=True)] = 0.6
    merge_s: Annotated[float, Field(ge=0.0, strict=True)] = 0.5
    scope: Scope = "frames"
    share: Annotated[float, Field(gt=0.0, le=1.0, strict=True)] | None = None

    @model_validator(mode="after")
    def _reachable(self) -> Temporal:
        if self.k > self.n:
            raise ValueError(f"k ({self.k}) of n ({self.n}) frames can never be reached")
        if self.share is not None and self.scope != "file":
            raise ValueError(f"share ({self.share}) is of the frames of a file: write scope: file")
        return self

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is younger than the first policies, where it is not used: their digests stand in records."""
        written: dict[str, Any] = write(self)
        unused = {"scope": "frames", "share": None}
        return {name: value for name, value in written.items() if name not in unused or value != unused[name]}

    def alone(self, threshold: float) -> float | None:
        """The value at which one frame is enough, whatever the others are; None where no single frame is."""
        return threshold if self.k == 1 and self.share is None else self.instant


class Rule(StrictModel):
    """One line of a policy: scores of `category` at `stage` from `source` that reach `threshold` ask for `action`.

    `source` is `*` for any model, or the name of one (without the @version): a rule that names a model needs its
    answer, and where that model is not assembled the rule has failed. An `action` of allow makes the rule
    informational: it records, and asks for nothing.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    category: Category
    stage: Stage
    source: Annotated[str, Field(pattern=r"^(\*|[^\s*@]+)$")] = "*"
    threshold: Probability
    action: AnyAction
    temporal: Temporal = Temporal()
    when_failed: Refusal
    when_unsupported: Refusal
    when_not_configured: Refusal

    @model_validator(mode="after")
    def _instant(self) -> Rule:
        instant = self.temporal.instant
        if instant is not None and instant < self.threshold:
            raise ValueError(f"instant ({instant}) lies below the threshold ({self.threshold}), which then has no say")
        return self

    def matches(self, source: str) -> bool:
        """True where the rule listens to `source` (name@version)."""
        return self.source in ("*", source.partition("@")[0])

    def answer_to(self, absence: Absence) -> Action:
        """What the rule asks for where nobody answered: review or block."""
        answer: Action = getattr(self, f"when_{absence.value}")
        return answer


class Waiver(StrictModel):
    """Lets categories go unevaluated at a stage, in words: for these back-ends, for this reason, until that day."""

    stage: Stage
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    backends: Annotated[tuple[Words, ...], Field(min_length=1)]
    reason: Annotated[str, Field(min_length=20)]
    owner: Words
    expires: date  # the last day on which it holds

    def holds(self, stage: Stage, category: str, backend: str | None, on: date) -> bool:
        """True where this waiver covers the category at the stage for the back-end on that day."""
        return stage is self.stage and category in self.categories and backend in self.backends and on <= self.expires

    def to_json(self) -> dict[str, Any]:
        """As the `waivers` of a line of `generate`."""
        return self.model_dump(mode="json")
