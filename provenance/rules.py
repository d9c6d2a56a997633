"""Our own model of what we write. The library would sign an unknown action or a source type "banana" without a word.

The rules are those of C2PA 2.4 for a claim generator (conformance v0.2) and two of ours: the decision assertion is
there, and everything it names was allowed or approved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from provenance.errors import ManifestInvalid
from provenance.gate import LABEL
from provenance.origin import SourceType

INCEPTIONS = ("c2pa.created", "c2pa.opened")
ACTIONS = "c2pa.actions.v2"
TRAINING = "cawg.training-mining"
SOFT_BINDING = "c2pa.soft-binding"
_STANDARD_LABELS = frozenset({ACTIONS, TRAINING, SOFT_BINDING})
_OWN_LABEL = re.compile(r"(?!c2pa\.|cawg\.)[a-z0-9_-]+(\.[a-z0-9_-]+)+\Z")  # a custom label contains a dot
_WHEN = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"
_SOURCE_TYPES = frozenset(kind.uri for kind in SourceType)
_LARGEST = 2**63 - 1  # the library encodes larger numbers as an error

Words = Annotated[str, Field(min_length=1, max_length=500)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Camel(_Strict):
    model_config = ConfigDict(alias_generator=to_camel)  # C2PA's own spelling, except where a field says otherwise


class Agent(_Camel):
    """The software that did something: name and version, and the hash of the weights that ran."""

    name: Words
    version: Words
    weights: Annotated[str | None, Field(alias="org.assay.weights_sha256", pattern=r"^[0-9a-f]{64}$")] = None


class Generator(_Camel):
    """The claim generator: Assay itself."""

    name: Literal["Assay"]
    version: Words
    spec_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]


class Parameters(_Camel):
    """What an action was done to, and how."""

    ingredient_ids: Annotated[list[str], Field(min_length=1)] | None = None
    kind: Annotated[str | None, Field(alias="org.assay.kind")] = None
    mode: Annotated[str | None, Field(alias="org.assay.mode", pattern=r"^[\w .:+-]{1,60}$")] = None
    seed: Annotated[str | None, Field(alias="org.assay.seed", pattern=r"^\d{1,100}$")] = None


class ActionModel(_Camel):
    """One action. The source type belongs to perceptible actions, never to opening."""

    action: Literal[
        "c2pa.created", "c2pa.opened", "c2pa.placed", "c2pa.edited", "c2pa.converted", "c2pa.watermarked.bound"
    ]
    when: Annotated[str, Field(pattern=_WHEN)]
    software_agent: Agent
    digital_source_type: str | None = None
    parameters: Parameters | None = None

    @field_validator("digital_source_type")
    @classmethod
    def _known(cls, uri: str | None) -> str | None:
        if uri is not None and uri not in _SOURCE_TYPES:
            raise ValueError(f"{uri!r} is no digital source type that Assay writes")
        return uri

    @model_validator(mode="after")
    def _source_type_where_it_belongs(self) -> ActionModel:
        if self.action in ("c2pa.created", "c2pa.placed", "c2pa.edited") and self.digital_source_type is None:
            raise ValueError(f"{self.action} needs a digitalSourceType")
        if self.action in ("c2pa.opened", "c2pa.watermarked.bound") and self.digital_source_type is not None:
            raise ValueError(f"{self.action} must not carry a digitalSourceType")
        if self.action in ("c2pa.opened", "c2pa.placed") and not (self.parameters and self.parameters.ingredient_ids):
            raise ValueError(f"{self.action} must name its ingredient")
        return self


class Actions(_Camel):
    """The actions assertion: complete, with exactly one inception, which comes first."""

    all_actions_included: Literal[True]
    actions: Annotated[list[ActionModel], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_inception_first(self) -> Actions:
        inceptions = [i for i, each in enumerate(self.actions) if each.action in INCEPTIONS]
        if inceptions != [0]:
            raise ValueError("the first action, and no other, must be c2pa.created or c2pa.opened")
        return self


class _Use(_Strict):
    use: Literal["allowed", "notAllowed"]


class TrainingMining(_Strict):
    """Whether the output may be mined or train models."""

    entries: dict[
        Literal["cawg.ai_training", "cawg.ai_generative_training", "cawg.ai_inference", "cawg.data_mining"], _Use
    ]


class _Block(_Strict):
    scope: Annotated[dict[str, str], Field(max_length=0)]  # the whole asset
    value: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+=*$")]


class SoftBindings(_Strict):
    """A watermark or fingerprint of the asset."""

    alg: Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[A-Za-z0-9_-]+)+$")]
    blocks: Annotated[list[_Block], Field(min_length=1)]


class Assertion(_Strict):
    """Everything we assert we made ourselves, so `created`: gathered assertions vouch for nothing."""

    label: str
    created: Literal[True]
    data: dict[str, Any]

    @field_validator("label")
    @classmethod
    def _known(cls, label: str) -> str:
        if label not in _STANDARD_LABELS and not _OWN_LABEL.match(label):
            raise ValueError(f"{label!r} is neither a label that Assay knows nor a dotted label of its own")
        return label

    @model_validator(mode="after")
    def _body(self) -> Assertion:
        if self.label == ACTIONS:
            Actions.model_validate(self.data)
        if self.label == TRAINING:
            TrainingMining.model_validate(self.data)
        if self.label == SOFT_BINDING:
            SoftBindings.model_validate(self.data)
        _encodable(self.data, self.label)
        return self


class Definition(_Strict):
    """The manifest definition as the library takes it, less the ingredient streams."""

    claim_version: Literal[2]
    claim_generator_info: Annotated[list[Generator], Field(min_length=1, max_length=1)]
    title: Annotated[str, Field(min_length=1, max_length=255)]
    assertions: list[Assertion]

    @model_validator(mode="after")
    def _whole(self) -> Definition:
        labels = [assertion.label for assertion in self.assertions if assertion.label != SOFT_BINDING]
        if len(set(labels)) != len(labels):
            raise ValueError("each assertion may appear once")
        if missing := {ACTIONS, TRAINING, LABEL} - set(labels):
            raise ValueError(f"assertions are missing: {', '.join(sorted(missing))}")
        _allowed(next(a.data for a in self.assertions if a.label == LABEL))
        return self


def validate(definition: Mapping[str, Any], ingredient_ids: Sequence[str]) -> None:
    """Raises ManifestInvalid that lists every broken rule; returns where there is none."""
    try:
        model = Definition.model_validate(dict(definition))
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, e['loc'])) or 'manifest'}: {e['msg']}" for e in error.errors())
        raise ManifestInvalid("; ".join(faults)) from error
    actions = Actions.model_validate(next(a.data for a in model.assertions if a.label == ACTIONS)).actions
    bound = any(each.label == SOFT_BINDING for each in model.assertions)
    if any(each.action == "c2pa.watermarked.bound" for each in actions) and not bound:
        raise ManifestInvalid("c2pa.watermarked.bound without a soft binding reads as invalid")
    named = {id for each in actions if each.parameters for id in each.parameters.ingredient_ids or ()}
    if named != set(ingredient_ids):
        raise ManifestInvalid(f"actions name ingredients {sorted(named)}, the manifest holds {sorted(ingredient_ids)}")


def _allowed(body: Mapping[str, Any]) -> None:
    """The last lock on the door: a decision assertion that does not allow is not signed, whoever built it."""
    decisions = body.get("decisions")
    if not isinstance(decisions, list) or not decisions:
        raise ValueError("the decision assertion names no decision")
    approved = (body.get("human") or {}).get("approves", ())
    refused = [d["id"] for d in decisions if d["action"] != "allow" and d["id"] not in approved]
    if refused:
        raise ValueError(f"decisions {', '.join(refused)} do not allow it and nobody approved them")


def _encodable(value: object, where: str) -> None:
    """Raises ValueError for what CBOR would lose or the library would refuse halfway."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{where}: key {key!r} is no text")
            _encodable(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _encodable(inner, f"{where}[{index}]")
    elif isinstance(value, int) and not isinstance(value, bool):
        if not -_LARGEST <= value <= _LARGEST:
            raise ValueError(f"{where}: {value} does not fit into 64 bits")
    elif isinstance(value, str):
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
            raise ValueError(f"{where}: text with a lone surrogate cannot be written")
    elif value is not None and not isinstance(value, bool):
        raise ValueError(f"{where}: {type(value).__name__} cannot be written")
