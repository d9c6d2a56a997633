"""The training corpus of our own; kept out of the wheel.

`en/` holds the English contrast pairs, one file a category; `lang/` those of other languages, one file a language. Text
that sexualises minors is never written: that category is a rule. A model that reads other languages trains on
`pairs(code)` and `benign(code)` for each of `LANGUAGES`; `heldout(code)` only measures, and nobody who writes a lexicon
or a pair looks at what is missed in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable

LANGUAGES = ("es", "fr", "de", "pt", "it", "ru", "zh", "ja", "ar", "hi")
BENIGN = "benign"


def pairs(language: str = "en") -> list[tuple[str, str, str]]:
    """Contrast pairs of a language: (category, violating prompt, innocent look-alike)."""
    root = resources.files(__name__)
    if language != "en":
        return list(_contrasts(root / "lang" / f"{language}.txt"))
    files = sorted((root / "en").iterdir(), key=lambda file: file.name)
    return [pair for file in files for pair in _contrasts(file)]


def benign(language: str) -> list[str]:
    """Ordinary prompts in one of `LANGUAGES`, innocent in every category."""
    lines = _sections(resources.files(__name__) / "lang" / f"{language}.txt")
    return [line for category, line in lines if category == BENIGN]


def heldout(language: str) -> list[tuple[str, str]]:
    """Prompts of a language that only measure: (category, prompt); innocent ones stand under `benign`."""
    return list(_sections(resources.files(__name__) / "heldout" / f"{language}.txt"))


def named_pairs() -> list[tuple[str, str, str]]:
    """Contrast pairs in which a name makes the difference: for the gazetteer, since the learned model sees no names."""
    return list(_contrasts(resources.files(__name__) / "names.txt"))


def sequences() -> list[tuple[str, list[str], list[str]]]:
    """Requests of several prompts: (category, prompts that violate only together, innocent look-alikes)."""
    file = resources.files(__name__) / "sequences.txt"
    return [(category, _steps(bad), _steps(good)) for category, bad, good in _contrasts(file)]


def prompts(name: str) -> list[str]:
    """The lines of `benign` or `negative` (innocent prompts), or `wrappers` (forms with a {} for any prompt)."""
    root = resources.files(__name__)
    folder = root / name
    files = sorted(folder.iterdir(), key=lambda file: file.name) if folder.is_dir() else [root / f"{name}.txt"]
    return [line for file in files for _, line in _sections(file)]


def _contrasts(file: Traversable) -> Iterator[tuple[str, str, str]]:
    for category, line in _sections(file):
        if "||" in line:
            violating, innocent = line.split("||")
            yield category, violating.strip(), innocent.strip()


def _sections(file: Traversable) -> Iterator[tuple[str, str]]:
    category = ""
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("["):
            category = line.strip("[] ")
        elif line.strip() and not line.startswith("#"):
            yield category, line.strip()


def _steps(text: str) -> list[str]:
    return [step.strip() for step in text.split("|")]
