"""From the library's report of a manifest store to `Credentials`: our own states, and every ancestor judged.

The library calls a file trusted although its parent had been tampered with before the file was signed: the mismatch
stands only in what the signer recorded of the ingredient. So each ingredient of each manifest is looked at here.

Everything in a report was written by a stranger. No key is taken for granted, and no shape of tree can cost more than
its number of nodes: a manifest that many others cite is judged once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from provenance import credentials as c
from provenance.credentials import Credentials, Ingredient, ManifestSummary, Signer, State, TrailingBox
from provenance.gate import LABEL

_STATES = {"Trusted": State.TRUSTED, "Valid": State.VALID, "Invalid": State.INVALID}
_CARRIED = ("parentOf", "componentOf")  # their content is in the asset; an input was only looked at by a model
_MOST_NODES = 2_000  # of a printed tree
_MOST_DEPTH = 64

Report = Mapping[str, Any]  # as parsed from JSON


def credentials_of(path: str, report: Report, boxes: tuple[TrailingBox, ...]) -> Credentials:
    """The credentials that a report amounts to."""
    tree = _Tree(report)
    active = tree.manifests[tree.active]
    failures = tree.failures()
    state, codes = _overall(_STATES.get(str(report.get("validation_state")), State.INVALID), failures, tree)
    ingredients = tree.ingredients(tree.active)
    if tree.truncated:
        codes = (*codes, c.TREE_TRUNCATED)
    if any(box.type in _uncovered(tree.content()) for box in boxes):
        codes = (*codes, c.TRAILING_BOXES)
    order = [tree.active, *(label for label in tree.manifests if label != tree.active)]
    content = tree.content()
    decision = next((dict(_map(a.get("data"))) for a in _maps(content, "assertions") if a.get("label") == LABEL), None)
    return Credentials(
        path=path,
        state=state,
        codes=codes,
        claim_state=tree.claim_state(),
        ingredients=ingredients,
        signer=_signer(active),
        timestamp=_text(_map(active.get("signature_info")).get("time")),
        timestamp_trusted=c.TIMESTAMP_TRUSTED_CODE in tree.successes(),
        decision=decision or None if state in (State.TRUSTED, State.VALID) else None,
        digital_source_types=tuple(dict.fromkeys(t for label in order for t in _source_types(tree.manifests[label]))),
        trailing_boxes=boxes,
        manifests=tuple(_summary(label, tree.manifests[label]) for label in order),
    )


def _overall(library: State, failures: tuple[str, ...], tree: _Tree) -> tuple[State, tuple[str, ...]]:
    """The state of the file: the library's, and worse where content that it carries was changed."""
    judged = [tree.judge(label, ingredient) for label in tree.manifests for ingredient in tree.cited(label)]
    codes = list(failures)
    for state, its_codes, relationship in judged:
        if state is State.INVALID and set(its_codes) - c.EXPIRED_CODES - {c.UNTRUSTED_CODE}:
            codes.append(c.INGREDIENT_INVALID)
            if relationship in _CARRIED:
                library = State.INVALID
        elif state is State.INVALID:
            codes.append(c.INGREDIENT_EXPIRED)
        elif state is State.VALID:
            codes.append(c.INGREDIENT_UNTRUSTED)
    return library, tuple(dict.fromkeys(codes))


def _claim_state(failures: Iterable[str], successes: Iterable[str]) -> State:
    """The state of one manifest: nobody is trusted because nothing was said against them."""
    found = set(failures)
    if not found and c.TRUSTED_CODE in successes:
        return State.TRUSTED
    return State.VALID if found <= {c.UNTRUSTED_CODE} else State.INVALID


class _Tree:
    """The manifests of a report and what was found about each ingredient they cite."""

    def __init__(self, report: Report) -> None:
        self.manifests = {label: _map(body) for label, body in _map(report.get("manifests")).items()}
        self.active = str(report["active_manifest"])
        self._validation = _map(report.get("validation_results"))
        self._deltas = {
            str(delta.get("ingredientAssertionURI")): _map(delta.get("validationDeltas"))
            for delta in _maps(self._validation, "ingredientDeltas")
        }
        self._bound = set(_bound(_map(self._validation.get("activeManifest"))))
        self.truncated = False
        self._nodes = 0

    def failures(self) -> tuple[str, ...]:
        """What failed when the file was read: in the newest manifest, and in the ingredients' own ones."""
        codes = list(_codes(_map(self._validation.get("activeManifest")), "failure"))
        codes += [code for delta in self._deltas.values() for code in _codes(delta, "failure")]
        return tuple(dict.fromkeys(codes))

    def successes(self) -> tuple[str, ...]:
        """What held in the newest manifest."""
        return _codes(_map(self._validation.get("activeManifest")), "success")

    def claim_state(self) -> State:
        """The state of the newest manifest alone."""
        active = _map(self._validation.get("activeManifest"))
        return _claim_state(_codes(active, "failure"), _codes(active, "success"))

    def content(self) -> Report:
        """The manifest that speaks of the pictures: the newest one, or below updates the one that they update."""
        label = self.active
        for _ in range(_MOST_DEPTH):
            manifest = self.manifests.get(label, {})
            parents = [each for each in self.cited(label) if each.get("relationship") == "parentOf"]
            if (
                label in self._bound
                or _binds(manifest)
                or len(parents) != 1
                or self.judge(label, parents[0])[0] is State.INVALID
            ):
                return manifest
            label = str(parents[0].get("active_manifest"))
        return {}

    def cited(self, label: str) -> Iterator[Report]:
        """The ingredients that one manifest cites."""
        yield from _maps(self.manifests.get(label, {}), "ingredients")

    def judge(self, label: str, ingredient: Report) -> tuple[State, tuple[str, ...], str | None]:
        """State, failure codes and relationship of an ingredient: as recorded when taken in, and as read now."""
        delta = self._deltas.get(f"self#jumbf=/c2pa/{label}/c2pa.assertions/{ingredient.get('label')}", {})
        recorded = _map(_map(ingredient.get("validation_results")).get("activeManifest"))
        codes = [*_codes(recorded, "failure"), *_older_failures(ingredient), *_codes(delta, "failure")]
        if c.TRUSTED_CODE in _codes(delta, "success"):  # we trust whom the signer did not
            codes = [code for code in codes if code != c.UNTRUSTED_CODE]
        found = tuple(dict.fromkeys(codes))
        relationship = _text(ingredient.get("relationship"))
        if not found and not _text(ingredient.get("active_manifest")):
            return State.ABSENT, (), relationship
        return _claim_state(found, _codes(recorded, "success") + _codes(delta, "success")), found, relationship

    def ingredients(self, label: str, above: tuple[str, ...] = ()) -> tuple[Ingredient, ...]:
        """The printed tree below a manifest, cut where it turns in circles or grows beyond reason."""
        if label in above or len(above) >= _MOST_DEPTH:
            self.truncated = True
            return ()
        found = []
        for ingredient in self.cited(label):
            self._nodes += 1
            if self._nodes > _MOST_NODES:
                self.truncated = True
                break
            found.append(self._node(label, ingredient, above))
        return tuple(found)

    def _node(self, label: str, ingredient: Report, above: tuple[str, ...]) -> Ingredient:
        state, codes, relationship = self.judge(label, ingredient)
        own = _text(ingredient.get("active_manifest"))
        return Ingredient(
            title=_text(ingredient.get("title")),
            relationship=relationship,
            format=_text(ingredient.get("format")),
            label=own,
            state=state,
            codes=codes,
            signer=_signer(self.manifests[own]) if own in self.manifests else None,
            ingredients=self.ingredients(own, (*above, label)) if own in self.manifests else (),
        )


def _older_failures(ingredient: Report) -> Iterator[str]:
    """Version 1 and 2 ingredients list codes without saying which are failures; the known good ones are not."""
    for status in _maps(ingredient, "validation_status"):
        code = _text(status.get("code"))
        if code and status.get("success") is not True and not code.endswith((".match", ".validated", ".trusted")):
            yield code


def _summary(label: str, manifest: Report) -> ManifestSummary:
    generator = next(iter(_maps(manifest, "claim_generator_info")), {})
    named = _named(generator)
    return ManifestSummary(
        label=label,
        title=_text(manifest.get("title")),
        generator=named or _text(manifest.get("claim_generator")),
        actions=tuple(str(action.get("action")) for action in _actions(manifest)),
        assertions=tuple(str(assertion.get("label")) for assertion in _maps(manifest, "assertions")),
        source_types=tuple(_source_types(manifest)),
        signer=_signer(manifest),
        makers=tuple(dict.fromkeys(_makers(manifest))),
    )


def _named(software: Report) -> str:
    return " ".join(filter(None, (_text(software.get("name")), _text(software.get("version")))))


def _makers(manifest: Report) -> Iterator[str]:
    """The software that made pictures: of each action that names a digital source type."""
    for action in _actions(manifest):
        agent = action.get("softwareAgent")
        if _text(action.get("digitalSourceType")) and (maker := _text(agent) or _named(_map(agent))):
            yield maker


def _actions(manifest: Report) -> Iterator[Report]:
    for assertion in _maps(manifest, "assertions"):
        if str(assertion.get("label")).startswith("c2pa.actions"):
            yield from _maps(_map(assertion.get("data")), "actions")


def _source_types(manifest: Report) -> Iterator[str]:
    for action in _actions(manifest):
        if uri := _text(action.get("digitalSourceType")):
            yield uri


def _uncovered(manifest: Report) -> set[str]:
    """The top-level boxes that this manifest's hash leaves out, e.g. {"free", "uuid"}."""
    return {
        str(exclusion.get("xpath")).lstrip("/")
        for assertion in _maps(manifest, "assertions")
        if str(assertion.get("label")).startswith("c2pa.hash.bmff")
        for exclusion in _maps(_map(assertion.get("data")), "exclusions")
    }


def _bound(group: Report) -> Iterator[str]:
    """The manifests whose hash of the file was compared: the library leaves `c2pa.hash.data` out of its list."""
    for status in (*_maps(group, "success"), *_maps(group, "failure")):
        label, assertions, name = str(status.get("url")).partition("/c2pa.assertions/")
        if assertions and name.startswith("c2pa.hash.") and "Hash." in str(status.get("code")):
            yield label.removeprefix("self#jumbf=/c2pa/")


def _binds(manifest: Report) -> bool:
    return any(str(each.get("label")).startswith("c2pa.hash.") for each in _maps(manifest, "assertions"))


def _signer(manifest: Report) -> Signer | None:
    signature = _map(manifest.get("signature_info"))
    if not signature:
        return None
    return Signer(
        common_name=_text(signature.get("common_name")),
        organization=_text(signature.get("issuer")),  # the library's word for the subject's organization
        algorithm=_text(signature.get("alg")),
        serial=_text(signature.get("cert_serial_number")),
    )


def _codes(group: Report, kind: str) -> tuple[str, ...]:
    return tuple(str(status.get("code")) for status in _maps(group, kind))


def _map(value: object) -> Report:
    return value if isinstance(value, dict) else {}


def _maps(parent: Report, key: str) -> Iterator[Report]:
    found = parent.get(key)
    return (item for item in found if isinstance(item, dict)) if isinstance(found, list) else iter(())


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
