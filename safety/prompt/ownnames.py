"""Writes a deployment's own gazetteer files: names to watch for, and permits for names that it may use.

One file a category (`own-ip-logo.yaml`) and `permits.yaml`, in the format of the shipped gazetteer, so that people may
write them by hand as well. A file is replaced whole, after the new folder was read as the classifier reads it.
"""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from safety.errors import PolicyError
from safety.prompt.gazetteer import CATEGORIES, Gazetteer
from safety.prompt.listing import fold_phrase, read_yaml

_PERMITS = "permits.yaml"


@dataclass(frozen=True)
class OwnName:
    """A name to watch for; ambiguous: counts only beside one of the cues."""

    name: str
    aliases: tuple[str, ...] = ()
    ambiguous: bool = False

    @property
    def line(self) -> str:
        """As a gazetteer file writes it."""
        return "; ".join((self.name, *self.aliases))


def add_names(folder: Path, category: str, kind: str, names: Iterable[OwnName], cues: Iterable[str] = ()) -> int:
    """Adds names to the file of a category; returns how many were new. PolicyError leaves the file as it was."""
    if category not in CATEGORIES:
        raise PolicyError(f"category {category!r} is none of {', '.join(CATEGORIES)}")
    path = folder / f"own-{category.replace('/', '-')}.yaml"
    document = _read(path) or {"id": path.stem, "version": "1", "category": category, "groups": []}
    group = next((one for one in document["groups"] if one["kind"] == kind), None)
    if group is None:
        group = {"kind": kind, "cues": [], "entries": [], "ambiguous": []}
        document["groups"].append(group)
    known = {fold_phrase(line.split(";")[0]) for part in ("entries", "ambiguous") for line in group.get(part) or ()}
    added = 0
    for name in names:
        if (folded := fold_phrase(name.name)) in known:
            continue
        group.setdefault("ambiguous" if name.ambiguous else "entries", []).append(name.line)
        known.add(folded)
        added += 1
    group["cues"] = list(dict.fromkeys([*(group.get("cues") or ()), *cues]))
    if group.get("ambiguous") and not group["cues"]:
        raise PolicyError("an ambiguous name counts only beside a cue: give at least one --cue")
    _write(path, document)
    return added


def permit_name(folder: Path, name: str, why: str, until: date) -> None:
    """Permits a name until a date; a permit that it has already is replaced. Raises PolicyError."""
    listed = {fold_phrase(alias) for entry in Gazetteer.load(own=folder).entries for alias in entry.aliases}
    if fold_phrase(name) not in listed:
        raise PolicyError(f"{name!r} is no name in the gazetteer, so there is nothing to permit")
    path = folder / _PERMITS
    document = _read(path) or {"id": "permits", "version": "1", "permits": []}
    others = [one for one in document["permits"] if fold_phrase(one["name"]) != fold_phrase(name)]
    _write(path, {**document, "permits": [*others, {"name": name, "why": why, "until": until}]})


def remove_name(folder: Path, name: str) -> int:
    """Takes a name out of the deployment's own lists and permits; returns how many lines went. Raises PolicyError."""
    gone, folded = 0, fold_phrase(name)
    for path in sorted(folder.glob("*.yaml")):
        document = _read(path) or {}
        before = gone
        for group in document.get("groups") or ():
            for part in ("entries", "ambiguous"):
                kept = [line for line in group.get(part) or () if fold_phrase(line.split(";")[0]) != folded]
                gone += len(group.get(part) or ()) - len(kept)
                group[part] = kept
        if "permits" in document:
            kept_permits = [one for one in document["permits"] if fold_phrase(one["name"]) != folded]
            gone += len(document["permits"]) - len(kept_permits)
            document["permits"] = kept_permits
        if gone > before:
            _write(path, document)
    if not gone:
        raise PolicyError(f"{name!r} is in none of the files of {folder}; names that ship can only be permitted")
    return gone


def read_names(path: Path) -> list[OwnName]:
    """Names of a text file (`name; alias; alias` a line) or of a CSV with the columns name, aliases, ambiguous."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    if path.suffix.lower() != ".csv":
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        return [_named(line, "", path, number) for number, line in enumerate(lines, 1)]
    rows = csv.DictReader(text.splitlines())
    if "name" not in (rows.fieldnames or ()):
        raise PolicyError(f"{path}: the first line must name the columns: name, and perhaps aliases and ambiguous")
    return [
        _named("; ".join(filter(None, (row["name"], row.get("aliases")))), row.get("ambiguous") or "", path, number)
        for number, row in enumerate(rows, 2)
    ]


def _named(line: str, ambiguous: str, path: Path, number: int) -> OwnName:
    names = [part.strip() for part in line.split(";") if part.strip()]
    if not names or not all(fold_phrase(name) for name in names):
        raise PolicyError(f"{path}:{number}: {line!r} has a name without letters")
    return OwnName(names[0], tuple(names[1:]), ambiguous.strip().lower() in ("1", "true", "yes", "y"))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return dict(read_yaml(path.name, path.read_bytes()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read ({error.strerror})") from error


def _write(path: Path, document: dict[str, Any]) -> None:
    """Replaces the file by one that was read back as the classifier reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document["version"] = str(int(document["version"]) + 1) if str(document["version"]).isdigit() else "1"
    with tempfile.TemporaryDirectory(dir=path.parent) as trial:
        draft = Path(trial) / path.name
        draft.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), "utf-8")
        Gazetteer.load(own=Path(trial))
        os.replace(draft, path)
