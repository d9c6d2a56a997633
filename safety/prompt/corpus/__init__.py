"""The training corpus of our own; kept out of the wheel.

`pairs()` are the English pairs, `pairs("lang/es")` those in Spanish, and so on for every code in `LANGUAGES`;
`benign("lang/es")` are ordinary prompts in that language, innocent in every category. A multilingual model trains on
`pairs` and `benign` of each language; `heldout(code)` measures and is never trained on, nor read while a lexicon is
written.
"""

from __future__ import annotations

from importlib import resources

LANGUAGES = ("es", "fr", "de", "pt", "it", "ru", "zh", "ja", "ar", "hi")
BENIGN = "benign"


def pairs(name: str = "pairs") -> list[tuple[str, str, str]]:
    """Contrast pairs of a file: (category, violating prompt, innocent look-alike)."""
    out = []
    for category, line in _lines(name):
        if "||" in line:
            violating, innocent = line.split("||")
            out.append((category, violating.strip(), innocent.strip()))
    return out


def benign(name: str) -> list[str]:
    """The ordinary prompts of a file, those under [benign]."""
    return [line.strip() for category, line in _lines(name) if category == BENIGN]


def heldout(code: str) -> list[tuple[str, str]]:
    """Held-out prompts of a language: (category, prompt), where the category of an innocent one is `benign`."""
    return [(category, line.strip()) for category, line in _lines(f"heldout/{code}")]


def _lines(name: str) -> list[tuple[str, str]]:
    out, category = [], ""
    for line in (resources.files(__name__) / f"{name}.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            category = line.strip("[]")
        elif line.strip() and not line.startswith("#"):
            out.append((category, line))
    return out
