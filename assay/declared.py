"""What the Content Credentials of a file declare of how its pictures came to be, for the fused answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from classifier import ManifestSignal
from provenance import Credentials, Ingredient, State

_SCHEME = "cv.iptc.org/newscodes/digitalsourcetype/"
# IPTC digital source types, https://cv.iptc.org/newscodes/digitalsourcetype/: those that name a generator,
SYNTHETIC = frozenset(
    {
        "trainedAlgorithmicMedia",
        "algorithmicMedia",
        "compositeWithTrainedAlgorithmicMedia",
        "compositeSynthetic",
    }
)
# and those that name a camera or a scanner of its pictures. A screen shows anything, so its capture is none of them.
CAPTURE = frozenset(
    {
        "digitalCapture",
        "computationalCapture",
        "multiFrameComputationalCapture",
        "compositeCapture",
        "negativeFilm",
        "positiveFilm",
        "print",
    }
)


def declared(found: Credentials) -> ManifestSignal:
    """The manifest's part of the fused answer."""
    kinds = [(summary, _kinds(summary.source_types)) for summary in found.manifests]
    newest = kinds[0][1] if kinds else frozenset()
    synthetic = bool(SYNTHETIC & _kinds(found.digital_source_types))
    trusted = _trusted(found)
    # One manifest may hold both, as of a photograph that was filled in; a camera's own claim has no generated ancestor.
    two_stories = bool(CAPTURE & newest and not SYNTHETIC & newest and any(SYNTHETIC & each for _, each in kinds[1:]))
    return ManifestSignal(
        state="expired" if found.state is State.INVALID and not found.tampered else found.state.value,
        declares_synthetic=synthetic,
        vouched=any(SYNTHETIC & each and summary.label in trusted for summary, each in kinds),
        claims_capture=any(CAPTURE & each for _, each in kinds),
        contradicts_itself=two_stories,
    )


def maker(found: Credentials) -> str | None:
    """The generator, where a trusted file has a trusted manifest that declares synthetic pictures and names one.

    Of several, the newest manifest's. Nothing else is attribution: pixels and tags are guesses.
    """
    if found.state is not State.TRUSTED:
        return None
    trusted = _trusted(found)
    for summary in found.manifests:
        if SYNTHETIC & _kinds(summary.source_types) and summary.label in trusted:
            return ", ".join(summary.makers) or summary.generator
    return None


def manifest_row(found: Credentials) -> dict[str, Any]:
    """The evidence, as `signals.manifest` shows it. A signer is named only where the manifest holds."""
    vouched = found.state in (State.TRUSTED, State.VALID)
    return {
        "state": found.state.value,
        "codes": list(found.codes),
        "digital_source_types": sorted(found.digital_source_types),
        "signer": found.to_json()["signer"] if vouched else None,
        "note": found.note,
    }


def _kinds(uris: Iterable[str]) -> frozenset[str]:
    """The names of IPTC's concepts, whichever scheme and closing slash a manifest writes them with."""
    return frozenset(name for uri in uris for name in _name(uri))


def _name(uri: str) -> Iterator[str]:
    _, scheme, name = uri.strip().partition(_SCHEME)
    if scheme:
        yield name.strip("/")


def _trusted(found: Credentials) -> frozenset[str]:
    """The labels of the manifests whose signer is trusted, with nothing said against them wherever they are cited."""
    states: dict[str, set[State]] = {}
    for each in _tree(found.ingredients):
        if each.label is not None:
            states.setdefault(each.label, set()).add(each.state)
    if found.manifests:
        states[found.manifests[0].label] = {found.claim_state}
    return frozenset(label for label, its in states.items() if its == {State.TRUSTED})


def _tree(ingredients: Iterable[Ingredient]) -> Iterator[Ingredient]:
    for each in ingredients:
        yield each
        yield from _tree(each.ingredients)
