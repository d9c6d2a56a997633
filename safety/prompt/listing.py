"""Reading the YAML lists (gazetteer, lexicon, cues), and folding their phrases as texts are folded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from safety.errors import PolicyError
from safety.prompt import folds
from safety.prompt.phrases import phrase_key


def read_yaml(name: str, raw: bytes) -> Mapping[str, Any]:
    """The mapping that a YAML file holds; raises PolicyError that names the file."""
    try:
        document = yaml.load(raw, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe loaders
    except yaml.YAMLError as error:
        raise PolicyError(f"{name}: not YAML: {error}") from error
    if not isinstance(document, dict):
        raise PolicyError(f"{name}: must hold fields, not {type(document).__name__}")
    return document


def fold_phrase(text: str) -> str:
    """A phrase as it appears in the key of the view `plain`."""
    if text.isascii():
        lowered = text.lower()
        if lowered.replace(" ", "").isalnum():  # nothing but words, as most of 47,000 are: start-up waits for them
            return " ".join(lowered.split())
        return phrase_key(lowered)
    return phrase_key("".join(folds.plain(cluster) for cluster in _with_marks(text)))


def _with_marks(text: str) -> Iterator[str]:
    cluster = ""
    for char in text:
        if cluster and not folds.is_mark(char):
            yield cluster
            cluster = ""
        cluster += char
    if cluster:
        yield cluster
