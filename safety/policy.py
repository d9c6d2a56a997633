"""A policy: one YAML file of definitions, examples and rules. Data, no code.

The model is strict: an unknown field, a category nobody knows, a rule that would answer a failure with "allow", a
banned class that no rule of a stage names: each is refused when the file is read, with the path of the field.

    id: default
    version: "1"
    stages:                        # how a rule of this stage answers an absence, unless the rule says otherwise
      prompt: {when_failed: block, when_unsupported: review, when_not_configured: block}
    categories:
      hate: {mission_class: hateful imagery, definition: ..., violates: [...], allows: [...], examples: [...]}
    rules:
      - {id: prompt-hate-review, stage: prompt, category: hate, threshold: 0.5, action: review}
      - {id: prompt-hate-block, stage: prompt, category: hate, threshold: 0.8, action: block}
    waivers:                       # the only way that a category may go unevaluated, in words
      - {stage: frame, categories: [hate/symbol], backends: [embedded], reason: ..., owner: ..., expires: 2027-06-30}

A document may start from a shipped one with `extends: default`: see safety/policyfile.py and docs/policies.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from safety.category import BANNED_CLASSES
from safety.errors import PolicyError
from safety.item import Stage
from safety.policyfile import read_policy_document, read_policy_text
from safety.rule import Action, AnyAction, Category, Refusal, Rule, StrictModel, Temporal, Waiver, Words

__all__ = ["REQUIRED_STAGES", "Absences", "Action", "CategoryText", "Example", "Policy", "Rule", "Temporal", "Waiver"]

REQUIRED_STAGES = (Stage.PROMPT, Stage.INPUT_IMAGE, Stage.INPUT_VIDEO, Stage.FRAME)


class Absences(StrictModel):
    """The three answers of a stage to "nobody answered"."""

    when_failed: Refusal
    when_unsupported: Refusal
    when_not_configured: Refusal


class Example(StrictModel):
    """A text, and what this policy must do with it; `assay policy test` runs them all."""

    text: Words
    action: AnyAction
    stage: Stage = Stage.PROMPT
    note: str | None = None

    @field_validator("stage")
    @classmethod
    def _of_text(cls, stage: Stage) -> Stage:
        if stage not in (Stage.PROMPT, Stage.NEGATIVE_PROMPT):
            raise ValueError("an example is a text: its stage is prompt or negative prompt")
        return stage


class CategoryText(StrictModel):
    """What a category means under this policy: for reviewers, for statements of reasons, for zero-shot models."""

    mission_class: str | None = None
    definition: Annotated[str, Field(min_length=20)]
    violates: Annotated[tuple[Words, ...], Field(min_length=1)]
    allows: Annotated[tuple[Words, ...], Field(min_length=1)]
    zero_shot: tuple[Words, ...] = ()  # descriptions of violating pictures, for image-text models
    examples: tuple[Example, ...] = ()


class StrikeLevel(StrictModel):
    """So many strikes within the window, and nothing is accepted for so long."""

    strikes: Annotated[int, Field(ge=1)]
    cool_down_h: Annotated[float, Field(gt=0)]  # hours from the last strike


class Strikes(StrictModel):
    """Which refusals count against an actor, for how long, and what too many of them lead to."""

    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    window_days: Annotated[float, Field(gt=0)]
    levels: Annotated[tuple[StrikeLevel, ...], Field(min_length=1)]


class Policy(StrictModel):
    """The document: what is banned, and what is done about it."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    version: Words
    description: Words
    stages: Mapping[Stage, Absences]
    categories: Mapping[Category, CategoryText]
    rules: tuple[Rule, ...]
    waivers: tuple[Waiver, ...] = ()
    neutralise: tuple[Category, ...] = ()  # categories whose names may be offered in plain words after a refusal
    strikes: Strikes | None = None  # what repeated refusals lead to; None: nothing

    @model_validator(mode="before")
    @classmethod
    def _fill_absences(cls, document: Any) -> Any:
        """Writes each stage's answers into its rules, so that a rule can be read alone."""
        if not isinstance(document, dict):
            return document
        stages, rules = document.get("stages"), document.get("rules")
        if not isinstance(stages, dict) or not isinstance(rules, list):
            return document
        return {**document, "rules": [_filled(rule, stages) for rule in rules]}

    @model_validator(mode="after")
    def _whole(self) -> Policy:
        ids = [rule.id for rule in self.rules]
        if twice := {id for id in ids if ids.count(id) > 1}:
            raise ValueError(f"rule ids must be unique: {', '.join(sorted(twice))}")
        for stage in REQUIRED_STAGES:
            ruled = {rule.category for rule in self.rules if rule.stage is stage and rule.action > Action.ALLOW}
            for banned, members in BANNED_CLASSES.items():
                if not ruled.intersection(members):
                    raise ValueError(f"no rule of stage {stage.value!r} speaks of {banned!r} ({', '.join(members)})")
        for name, text in self.categories.items():
            if text.mission_class is not None and name not in BANNED_CLASSES.get(text.mission_class, ()):
                raise ValueError(f"categories.{name}: not part of a mission class {text.mission_class!r}")
        return self

    @cached_property
    def digest(self) -> str:
        """sha256 of the whole content, whatever its comments, spelling of defaults, and order of keys or rules."""
        return _sha256(self.document())

    @cached_property
    def decision_digest(self) -> str:
        """sha256 of what decides: rules, thresholds, answers to absence, waivers."""
        document = self.document()
        return _sha256([document["rules"], document["waivers"]])

    @cached_property
    def zero_shot_digest(self) -> str:
        """sha256 of the texts that image-text models score by: a part of the scoring digest."""
        return _sha256({name: list(text.zero_shot) for name, text in self.categories.items() if text.zero_shot})

    @property
    def ref(self) -> dict[str, str]:
        """The policy as every record cites it: id, version, digest."""
        return {"id": self.id, "version": self.version, "digest": self.digest}

    def document(self) -> dict[str, Any]:
        """The policy as one self-contained document, JSON-able, for the ledger; `from_document` gives it back."""
        document = self.model_dump(mode="json")
        if self.strikes is None:
            del document["strikes"]  # a policy from before there were strikes keeps its digest
        document["rules"].sort(key=lambda rule: rule["id"])
        document["waivers"].sort(key=lambda waiver: json.dumps(waiver, sort_keys=True))
        return document

    def categories_for(self, stage: Stage) -> tuple[str, ...]:
        """The categories that the rules of one stage speak of, in the document's order."""
        return tuple(dict.fromkeys(rule.category for rule in self.rules_for(stage)))

    def rules_for(self, stage: Stage) -> tuple[Rule, ...]:
        """The rules of one stage, in the document's order."""
        return self.rules_by_stage[stage]

    @cached_property
    def rules_by_stage(self) -> dict[Stage, tuple[Rule, ...]]:
        """The rules of every stage: a policy never changes, and decisions ask for them often."""
        return {stage: tuple(rule for rule in self.rules if rule.stage is stage) for stage in Stage}

    def waiver_for(self, stage: Stage, category: str, backend: str | None, on: date) -> Waiver | None:
        """The waiver that covers the category here and today, if any; of several the one that holds longest."""
        holding = [waiver for waiver in self.waivers if waiver.holds(stage, category, backend, on)]
        return max(holding, key=lambda waiver: (waiver.expires, waiver.reason, waiver.owner), default=None)

    @classmethod
    def from_document(cls, document: object, origin: str) -> Policy:
        """The policy of a document that extends nothing; PolicyError names the origin and every wrong field."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in error.errors())
            raise PolicyError(f"{origin}: {faults}") from error

    @classmethod
    def parse(cls, text: str, origin: str) -> Policy:
        """Reads a policy from YAML; raises PolicyError that names the file and every wrong field."""
        return cls.from_document(read_policy_document(text, origin), origin)

    @classmethod
    def load(cls, name_or_path: str) -> Policy:
        """A policy shipped with Assay by its name (`default`), or any policy by the path of its YAML file."""
        return cls.parse(*read_policy_text(name_or_path))


def _filled(rule: Any, stages: dict[str, Any]) -> Any:
    """The rule with its stage's answers to absence, where it does not give its own."""
    if not isinstance(rule, dict) or not isinstance(rule.get("stage"), str):
        return rule
    answers = stages.get(rule["stage"])
    return {**answers, **rule} if isinstance(answers, dict) else rule


def _sha256(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
