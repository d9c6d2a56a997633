"""Reads a policy document from YAML, strictly, and resolves what it inherits.

`extends: default` starts from a policy that ships with Assay. What the document then says replaces what it inherits:

- `id`, `version` and `description` are never inherited;
- an entry of `stages` or `categories` replaces the inherited entry of that name, whole;
- a rule with an inherited id changes the fields it names and keeps the others; a rule with a new id is added;
- `waivers` replaces the whole list, so `waivers: []` has none.

Nothing can be removed in silence: a rule that shall not act is given `action: allow`, and stays in sight. This happens
before validation and before the digest, so a policy is validated and cited as what it amounts to.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from safety.errors import PolicyError

_LONGEST = 1 << 20  # characters; the shipped policies have about 40,000
_DEEPEST = 16  # a policy needs six
_OWN = ("id", "version", "description")


def shipped_policies() -> tuple[str, ...]:
    """The names of the policies that ship with Assay."""
    return tuple(sorted(p.name[:-5] for p in resources.files("policies").iterdir() if p.name.endswith(".yaml")))


def read_policy_text(name_or_path: str) -> tuple[str, str]:
    """The text of a shipped policy or of a file, and the name that errors should give it."""
    if name_or_path in shipped_policies():
        return _shipped_text(name_or_path), f"policies/{name_or_path}.yaml"
    try:
        return Path(name_or_path).read_text("utf-8"), name_or_path
    except UnicodeDecodeError as error:
        raise PolicyError(f"{name_or_path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except (OSError, ValueError) as error:
        shipped = ", ".join(shipped_policies())
        raise PolicyError(f"{name_or_path}: cannot be read ({error}); the shipped policies are {shipped}") from error


def read_policy_document(text: str, origin: str) -> Any:
    """The document as written, with what it extends resolved; validation is `Policy`'s."""
    document = _parse(text, origin)
    if not isinstance(document, dict) or "extends" not in document:
        return document
    name = document["extends"]
    if name not in shipped_policies():
        raise PolicyError(
            f"{origin}: extends: {name!r} is none of the shipped policies {', '.join(shipped_policies())}"
        )
    if origin == f"policies/{name}.yaml":
        raise PolicyError(f"{origin}: extends itself")
    base = read_policy_document(_shipped_text(name), f"policies/{name}.yaml")
    return _overlaid(base, {key: value for key, value in document.items() if key != "extends"})


def _shipped_text(name: str) -> str:
    return (resources.files("policies") / f"{name}.yaml").read_text("utf-8")


def _overlaid(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    resolved = {key: value for key, value in base.items() if key not in _OWN} | dict(own)
    for part in ("stages", "categories"):
        if isinstance(own.get(part), dict):
            resolved[part] = {**base[part], **own[part]}
    if isinstance(own.get("rules"), list):
        resolved["rules"] = _overlaid_rules(base["rules"], own["rules"])
    return resolved


def _overlaid_rules(base: list[dict[str, Any]], own: list[Any]) -> list[Any]:
    places = {rule["id"]: place for place, rule in enumerate(base)}
    rules: list[Any] = list(base)
    changed: set[object] = set()
    for rule in own:
        id = rule.get("id") if isinstance(rule, dict) else None
        if isinstance(id, str) and id in places and id not in changed:
            changed.add(id)
            rules[places[id]] = {**base[places[id]], **rule}
        else:
            rules.append(rule)  # new; or a fault, which validation names: no mapping, or the same id twice
    return rules


def _parse(text: str, origin: str) -> Any:
    if len(text) > _LONGEST:
        raise PolicyError(f"{origin}: {len(text)} characters; a policy has at most {_LONGEST}")
    try:
        _plain(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader, made stricter)
    except (yaml.YAMLError, ValueError) as error:
        raise PolicyError(f"{origin}: not YAML that a policy may use: {error}") from error


def _plain(text: str) -> None:
    """Raises ValueError for aliases and for nesting so deep that reading it would take minutes or break the stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("aliases (*name) are not allowed; write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"nested more than {_DEEPEST} deep")


# libyaml where PyYAML was built with it: a policy is read on every command, and it is ten times faster.
_Loader = type("_Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Hashable, Any]:
    """A mapping whose keys are words, each once; YAML itself would let the last of two rules lists win in silence."""
    mapping: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(None, None, f"{key!r} is no word; quote it", key_node.start_mark)
        if key in mapping:
            raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands here twice", key_node.start_mark)
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)  # type: ignore[attr-defined]
