"""A policy: one YAML file of definitions, examples and rules. Data, no code.

The model is strict: an unknown field, a category nobody knows, a rule that would answer a failure with "allow", a banned
class that no rule of a stage names: each is refused when the file is read, with the path of the field.

    id: default
    version: "1"
    stages:                        # how a rule of this stage answers an absence, unless the rule says otherwise
      prompt: {when_failed: block, when_unsupported: review, when_not_configured: block}
    categories:
      hate: {mission_class: hateful imagery, definition: ..., violates: [...], allows: [...], examples: [...]}
    rules:
      - {id: prompt-hate, stage: prompt, category: hate, threshold: 0.8, action: block}
    waivers:                       # the only way that a category may go unevaluated, in words
      - {stage: frame, categories: [hate/symbol], backends: [embedded], reason: ..., owner: ..., expires: 2027-06-30}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from enum import IntEnum
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from safety.category import BANNED_CLASSES, is_category
from safety.errors import PolicyError
from safety.score import Stage

REQUIRED_STAGES = (Stage.PROMPT, Stage.INPUT_IMAGE, Stage.INPUT_VIDEO, Stage.FRAME)


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
    return Action[value.upper()] if isinstance(value, str) and value.upper() in Action.__members__ else value


AnyAction = Annotated[Action, BeforeValidator(_action)]
# An absence may never be answered with allow; the schema has no word for it.
Refusal = Annotated[Literal[Action.REVIEW, Action.BLOCK], BeforeValidator(_action)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Absences(_Model):
    """The three answers of a stage to "nobody answered"."""

    when_failed: Refusal
    when_unsupported: Refusal
    when_not_configured: Refusal


class Temporal(_Model):
    """How the scores of neighbouring frames become a segment.

    A segment opens where `k` of `n` consecutive frames reach the threshold, or one frame reaches `instant`; it goes on
    in both directions while frames stay above `close` x threshold; segments closer than `merge_s` seconds are one.
    """

    k: Annotated[int, Field(ge=1)] = 1
    n: Annotated[int, Field(ge=1)] = 1
    instant: Probability | None = None
    close: Annotated[float, Field(gt=0.0, le=1.0)] = 0.6
    merge_s: Annotated[float, Field(ge=0.0)] = 0.5

    @model_validator(mode="after")
    def _window(self) -> Temporal:
        if self.k > self.n:
            raise ValueError(f"k ({self.k}) of n ({self.n}) frames can never be reached")
        return self


class Rule(_Model):
    """One line of a policy: scores of `category` at `stage` from `source` that reach `threshold` ask for `action`."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    category: str
    stage: Stage
    source: str = "*"  # a model's name (before the @), or * for any
    threshold: Probability
    action: Annotated[Literal[Action.ALLOW, Action.REVIEW, Action.BLOCK], BeforeValidator(_action)]
    temporal: Temporal = Temporal()
    when_failed: Refusal
    when_unsupported: Refusal
    when_not_configured: Refusal

    @field_validator("category")
    @classmethod
    def _known(cls, name: str) -> str:
        if not is_category(name):
            raise ValueError(f"{name!r} is no category; see safety.CATEGORIES, or bank/<name>")
        return name

    def matches(self, source: str) -> bool:
        """True where the rule listens to `source` (name@version)."""
        return self.source in ("*", source, source.partition("@")[0])


class Waiver(_Model):
    """Lets categories go unevaluated at a stage, in words: for these back-ends, for this reason, until that day."""

    stage: Stage
    categories: tuple[str, ...]
    backends: tuple[str, ...]
    reason: Annotated[str, Field(min_length=20)]
    owner: Annotated[str, Field(min_length=1)]
    expires: date

    def holds(self, stage: Stage, category: str, backend: str | None, on: date) -> bool:
        """True where this waiver covers the category at the stage for the back-end on that day."""
        return stage is self.stage and category in self.categories and backend in self.backends and on <= self.expires


class Example(_Model):
    """A text, and what this policy must do with it; `assay policy test` runs them all."""

    text: str
    action: AnyAction
    stage: Stage = Stage.PROMPT
    note: str | None = None


class CategoryText(_Model):
    """What a category means under this policy: for reviewers, for statements of reasons, for zero-shot models."""

    mission_class: str | None = None
    definition: Annotated[str, Field(min_length=20)]
    violates: tuple[str, ...]
    allows: tuple[str, ...]
    zero_shot: tuple[str, ...] = ()  # descriptions of violating pictures, for image-text models
    examples: tuple[Example, ...] = ()


class Policy(_Model):
    """The document: what is banned, and what is done about it."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    version: str
    description: str
    stages: Mapping[Stage, Absences]
    categories: Mapping[str, CategoryText]
    rules: tuple[Rule, ...]
    waivers: tuple[Waiver, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _fill_absences(cls, document: Any) -> Any:
        """Writes each stage's answers into its rules, so that a rule can be read alone."""
        if not isinstance(document, dict) or not isinstance(document.get("stages"), dict):
            return document
        rules = [
            {**(document["stages"].get(rule.get("stage")) or {}), **rule} if isinstance(rule, dict) else rule
            for rule in document.get("rules") or ()
        ]
        return {**document, "rules": rules}

    @model_validator(mode="after")
    def _whole(self) -> Policy:
        ids = [rule.id for rule in self.rules]
        if twice := {id for id in ids if ids.count(id) > 1}:
            raise ValueError(f"rule ids must be unique: {', '.join(sorted(twice))}")
        if unknown := [name for name in self.categories if not is_category(name)]:
            raise ValueError(f"unknown categories: {', '.join(unknown)}")
        for stage in REQUIRED_STAGES:
            ruled = {rule.category for rule in self.rules if rule.stage is stage and rule.action > Action.ALLOW}
            for banned, members in BANNED_CLASSES.items():
                if not ruled.intersection(members):
                    raise ValueError(f"no rule of stage {stage.value!r} speaks of {banned!r} ({', '.join(members)})")
        return self

    @cached_property
    def digest(self) -> str:
        """sha256 of the document's content, whatever its comments, key order and spelling of defaults."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def ref(self) -> dict[str, str]:
        """The policy as every record cites it: id, version, digest."""
        return {"id": self.id, "version": self.version, "digest": self.digest}

    def rules_for(self, stage: Stage) -> tuple[Rule, ...]:
        """The rules of one stage, in the document's order."""
        return tuple(rule for rule in self.rules if rule.stage is stage)

    def waiver_for(self, stage: Stage, category: str, backend: str | None, on: date) -> Waiver | None:
        """The waiver that covers the category here and today, if any."""
        return next((w for w in self.waivers if w.holds(stage, category, backend, on)), None)

    @classmethod
    def parse(cls, text: str, origin: str) -> Policy:
        """Reads a policy document; raises PolicyError that names the file and every wrong field."""
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise PolicyError(f"{origin}: not YAML: {error}") from error
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in error.errors())
            raise PolicyError(f"{origin}: {faults}") from error

    @classmethod
    def load(cls, name_or_path: str) -> Policy:
        """A policy shipped with Assay by its name (`default`), or any policy by the path of its YAML file."""
        shipped = resources.files("policies") / f"{name_or_path}.yaml"
        if name_or_path.isidentifier() and shipped.is_file():
            return cls.parse(shipped.read_text("utf-8"), f"policies/{name_or_path}.yaml")
        try:
            return cls.parse(Path(name_or_path).read_text("utf-8"), name_or_path)
        except (OSError, UnicodeDecodeError) as error:
            names = sorted(p.name[:-5] for p in resources.files("policies").iterdir() if p.name.endswith(".yaml"))
            raise PolicyError(f"{name_or_path}: no such policy file; shipped policies: {', '.join(names)}") from error
