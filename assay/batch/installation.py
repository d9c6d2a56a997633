"""Whether this installation would score as it did last time, told without loading a model.

Knowing how scores are made means loading every model, seconds that a second run over the same files need not spend. The
files that everything built in is made of (code, weights, lists of names, banks) and the settings are enough: where none
has changed, neither has the scoring digest. With a model that comes from anywhere else, nobody vouches for that, and
the models are asked.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from assay import banking
from assay.settings import Settings
from safety import Policy

_BUILT_IN = {"canary", "ocr", "trunk"}
_CARRIERS = ("rapidocr", "nudenet", "py3langid", "confusable-homoglyphs")  # packages that bring models or tables along


def installation_key(settings: Settings, policy: Policy) -> str | None:
    """The same as long as scores are made the same; None where that cannot be told."""
    foreign = settings.openclip or settings.images or settings.vlm or settings.likeness or settings.guards
    if foreign or set(settings.frame_classifiers) - _BUILT_IN or set(settings.prompt_classifiers) - {"embedded"}:
        return None
    facts = [
        settings.frame_classifiers,
        settings.prompt_classifiers,
        settings.nudenet,
        settings.scan.model_dump(),
        policy.digest,
        repr(banking.state(settings)),
        [_version(name) for name in _CARRIERS],
        sorted(_files(_package("safety"))),
        sorted(_files(_package("policies"))),
        sorted(_files(_package("assay"), "assemble.py")),
        sorted(_files(settings.own_names)),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _files(folder: Path, only: str | None = None) -> Iterator[tuple[str, int, int, int]]:
    """Every file below: its name, size, and times of writing and of change."""
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            if only in (None, name):
                at = os.stat(os.path.join(where, name))
                yield os.path.join(where, name), at.st_size, at.st_mtime_ns, at.st_ctime_ns


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
