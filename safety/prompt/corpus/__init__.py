"""The training corpus of our own; kept out of the wheel."""

from __future__ import annotations

from importlib import resources


def pairs(name: str = "pairs") -> list[tuple[str, str, str]]:
    """Contrast pairs of a file: (category, violating prompt, innocent look-alike)."""
    out, category = [], ""
    for line in (resources.files(__name__) / f"{name}.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            category = line.strip("[]")
        elif "||" in line:
            violating, innocent = line.split("||")
            out.append((category, violating.strip(), innocent.strip()))
    return out
