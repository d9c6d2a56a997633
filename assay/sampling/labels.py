"""Labels that people gave: a CSV (or JSON lines) with a column `violates`, and `sha256` or `path` to say of what.

`violates` holds `none`, `unsure`, or the categories that the file violates, separated by semicolons. An empty field is
no label. Other columns are left alone.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from media import UsageError
from safety import is_category

NONE, UNSURE = "none", "unsure"


@dataclass(frozen=True)
class Labels:
    """What one reviewer said. `by_key`: sha256 or path -> categories; None where the reviewer was unsure."""

    source: str
    reviewer: str
    by_key: Mapping[str, frozenset[str] | None]

    def of(self, sha256: str, path: str) -> frozenset[str] | None:
        """The label of a file; KeyError where there is none."""
        return self.by_key[sha256] if sha256 in self.by_key else self.by_key[path]

    def holds(self, sha256: str, path: str) -> bool:
        """Whether the file has a label, be it `unsure`."""
        return sha256 in self.by_key or path in self.by_key


def read_labels(path: Path) -> Labels:
    """The labels of a file; UsageError names the line where one cannot be understood, or where two differ."""
    found: dict[str, frozenset[str] | None] = {}
    reviewers: dict[str, None] = {}
    for number, row in _rows(path):
        said = str(row.get("violates") or "").strip()
        if not said:
            continue
        key = str(row.get("sha256") or row.get("path") or "").strip()
        if not key:
            raise UsageError(f"{path}, line {number}: neither sha256 nor path says what this label is of")
        label = _label(said, f"{path}, line {number}")
        if key in found and found[key] != label:
            raise UsageError(f"{path}, line {number}: {key} has two different labels; one reviewer a file")
        found[key] = label
        reviewers[str(row.get("reviewer") or "").strip()] = None
    if not found:
        raise UsageError(f"{path}: no line of it has a label in the column `violates`")
    named = [name for name in reviewers if name]
    return Labels(str(path), ", ".join(named) or path.stem, found)


def _label(said: str, where: str) -> frozenset[str] | None:
    if said.lower() == UNSURE:
        return None
    if said.lower() == NONE:
        return frozenset()
    names = frozenset(name.strip() for name in said.split(";") if name.strip())
    if unknown := sorted(name for name in names if not is_category(name)):
        raise UsageError(f"{where}: {', '.join(unknown)} is no category; write none, unsure, or names joined by ;")
    return names


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        yield from _json_rows(path, text)
        return
    lines = csv.DictReader(text.splitlines())
    if "violates" not in (lines.fieldnames or ()):
        raise UsageError(f"{path}: the first line names no column `violates`")
    yield from ((lines.line_num, row) for row in lines)


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: not JSON ({error})") from error
        if not isinstance(row, dict):
            raise UsageError(f"{path}, line {number}: an object was expected")
        said = row.get("violates")
        yield number, row | {"violates": ";".join(said) or NONE if isinstance(said, list) else said}
