"""The one builder of manifests: from how it was made and what was decided to a definition that may be signed."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any

from provenance.attachments import Attachments, Mark, Thumbnail
from provenance.gate import LABEL, GateRecord
from provenance.origin import Kind, Origin
from provenance.rules import ACTIONS, SOFT_BINDING, TRAINING, validate

SPEC_VERSION = "2.4.0"
PRODUCT = "assay-video"
_TITLE_LIMIT = 255


class Relationship(StrEnum):
    """What an ingredient is to the asset."""

    PARENT = "parentOf"  # the asset is a later version of it
    COMPONENT = "componentOf"  # it is visible in the asset
    INPUT = "inputTo"  # a model looked at it


class Training(StrEnum):
    """What others may do with the output, by the CAWG training-and-data-mining assertion."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "notAllowed"


@dataclass(frozen=True)
class IngredientFile:
    """A file that becomes an ingredient. `path` None stands for the very file that is being signed."""

    id: str
    relationship: Relationship
    path: Path | None


@dataclass(frozen=True)
class Manifest:
    """A manifest that may be signed: whoever constructs it, the rules hold, or ManifestInvalid is raised."""

    definition: Mapping[str, Any]
    ingredients: tuple[IngredientFile, ...] = ()
    thumbnail: Thumbnail | None = None

    def __post_init__(self) -> None:
        validate(self.definition, [ingredient.id for ingredient in self.ingredients])

    @property
    def opens_source(self) -> bool:
        """True where the file being signed is itself the parent, so that its own manifest is kept."""
        return any(ingredient.path is None for ingredient in self.ingredients)

    @property
    def decision(self) -> dict[str, Any]:
        """The body of our decision assertion."""
        body: dict[str, Any] = next(a["data"] for a in self.definition["assertions"] if a["label"] == LABEL)
        return body


def build_manifest(
    origin: Origin,
    gate: GateRecord,
    title: str,
    training: Training = Training.NOT_ALLOWED,
    attachments: Attachments | None = None,
) -> Manifest:
    """The manifest of one file.

    Raises NotAllowed where a decision is not ALLOW and no person approved it, or where there is no decision; raises
    ManifestInvalid where a rule of C2PA or of ours is broken. `title` is shown to everybody: never a prompt.
    """
    gate.ensure_allowed()
    attachments = attachments or Attachments()
    ingredients = _ingredients(origin)
    actions = _actions(origin, ingredients)
    if any(each.mark is Mark.WATERMARK for each in attachments.soft_bindings):
        actions.append(_action(origin, "c2pa.watermarked.bound", []))
    definition = {
        "claim_version": 2,
        "claim_generator_info": [generator_info()],
        "title": _plain(title),
        "assertions": [
            _assertion(ACTIONS, {"allActionsIncluded": True, "actions": actions}),
            _assertion(TRAINING, {"entries": {use: {"use": training.value} for use in _USES}}),
            _assertion(LABEL, gate.assertion()),
            *(_assertion(SOFT_BINDING, each.assertion()) for each in attachments.soft_bindings),
        ],
    }
    thumbnail = Thumbnail.load(attachments.thumbnail) if attachments.thumbnail else None
    return Manifest(definition, ingredients, thumbnail)


def generator_info() -> dict[str, str]:
    """Assay itself, as every claim of ours names it."""
    return {"name": "Assay", "version": _version(), "specVersion": SPEC_VERSION}


_USES = ("cawg.ai_training", "cawg.ai_generative_training", "cawg.ai_inference", "cawg.data_mining")


def _assertion(label: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"label": label, "created": True, "data": body}


def _ingredients(origin: Origin) -> tuple[IngredientFile, ...]:
    match origin.kind:
        case Kind.TEXT_TO_VIDEO:
            return ()
        case Kind.IMAGE_TO_VIDEO:
            return _numbered("input", Relationship.INPUT, origin.inputs)
        case Kind.SCANNED:
            return (IngredientFile("parent", Relationship.PARENT, None),)
        case Kind.JOIN:
            return _numbered("component", Relationship.COMPONENT, origin.inputs)
        case Kind.EXTENSION | Kind.REMIX | Kind.DERIVED:
            parent = IngredientFile("parent", Relationship.PARENT, origin.inputs[0])
            return (parent, *_numbered("component", Relationship.COMPONENT, origin.inputs[1:]))


def _numbered(name: str, relationship: Relationship, paths: tuple[Path, ...]) -> tuple[IngredientFile, ...]:
    return tuple(IngredientFile(f"{name}-{number}", relationship, path) for number, path in enumerate(paths, 1))


def _actions(origin: Origin, ingredients: tuple[IngredientFile, ...]) -> list[dict[str, Any]]:
    """The inception action, then what was done; each says when, by which software, and how."""
    placed = [
        _action(origin, "c2pa.placed", [each.id]) for each in ingredients if each.relationship is Relationship.COMPONENT
    ]
    others = [each.id for each in ingredients if each.relationship is not Relationship.COMPONENT]
    match origin.kind:
        case Kind.TEXT_TO_VIDEO | Kind.IMAGE_TO_VIDEO | Kind.JOIN:
            return [_action(origin, "c2pa.created", others), *placed]
        case Kind.SCANNED:
            return [_action(origin, "c2pa.opened", others)]
        case Kind.EXTENSION | Kind.REMIX:
            return [_action(origin, "c2pa.opened", others), *placed, _action(origin, "c2pa.edited", [])]
        case Kind.DERIVED:
            return [_action(origin, "c2pa.opened", others), _action(origin, "c2pa.converted", [])]


# Actions after which the pictures look different, or come to be; only these say by what kind of source.
_PERCEPTIBLE = ("c2pa.created", "c2pa.placed", "c2pa.edited", "c2pa.converted")


def _action(origin: Origin, name: str, ingredient_ids: list[str]) -> dict[str, Any]:
    agent = {"name": origin.model, "version": origin.version, "org.assay.weights_sha256": origin.weights_sha256}
    parameters = {
        "ingredientIds": ingredient_ids or None,
        "org.assay.kind": origin.kind.value,
        "org.assay.mode": origin.mode,
        "org.assay.seed": None if origin.seed is None else str(origin.seed),
    }
    perceptible = name in _PERCEPTIBLE and origin.digital_source_type is not None
    action = {
        "action": name,
        "when": origin.when,
        "softwareAgent": _present(agent),
        "digitalSourceType": origin.digital_source_type.uri if perceptible and origin.digital_source_type else None,
        "parameters": _present(parameters),
    }
    return _present(action)


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value: C2PA leaves absent what is unknown."""
    return {key: value for key, value in fields.items() if value is not None}


def _plain(title: str) -> str:
    """The title without control characters and surrogates: a file name may hold anything, a manifest may not."""
    kept = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") else letter for letter in title)
    return kept.strip()[:_TITLE_LIMIT] or "untitled"


def _version() -> str:
    """The installed version; a source tree that was never installed says so, since a guess would be signed."""
    try:
        return metadata.version(PRODUCT)
    except metadata.PackageNotFoundError:
        return "0+source"
