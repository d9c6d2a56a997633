"""Lists of files: CSV, JSON lines, Parquet or plain text, and stdin. A line that is no name costs its own row."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from media import UsageError

if TYPE_CHECKING:
    from assay.batch.sources import Source

SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet", ".txt")
COLUMNS = ("uri", "path", "url")  # where a list has columns, the first of these that it has


def named(name: str, open_name: Callable[[str], Iterator[Source]]) -> Iterator[Source]:
    """The files of a list; `open_name` gives those behind one name of it. UsageError where it is no list."""
    for number, word in enumerate(_words(name), 1):
        if isinstance(word, str):
            try:
                yield from open_name(word)
            except UsageError as error:
                yield _bad(name, number, str(error))
        else:
            yield _bad(name, number, f"{name}, line {number}: {word[0]}")


def _bad(name: str, number: int, message: str) -> Source:
    from assay.batch.sources import Source

    where = f"{name}:{number}"
    return Source(where, where, error={"type": "UsageError", "stage": "source", "message": message})


_Fault = tuple[str]  # why a line names nothing


def _words(name: str) -> Iterator[str | _Fault]:
    if name == "-":
        yield from _lines(sys.stdin)
        return
    path, kind = Path(name), Path(name).suffix.lower()
    try:
        if kind == ".parquet":
            yield from _parquet(path)
            return
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            yield from _csv(file, name) if kind == ".csv" else _lines(file)
    except OSError as error:
        raise UsageError(f"{name}: the list cannot be read ({error.strerror or error})") from error


def _lines(file: Iterable[str]) -> Iterator[str | _Fault]:
    """A name a line, or a JSON string or object a line; empty lines are nothing."""
    for line in file:
        text = line.strip("\r\n")
        if not text.strip():
            continue
        yield _json_name(text) if text.lstrip()[:1] in ('"', "{") else text


def _json_name(text: str) -> str | _Fault:
    try:
        said = json.loads(text)
    except ValueError as error:
        return (f"no JSON ({error})",)
    if isinstance(said, dict):
        said = next((said[column] for column in COLUMNS if column in said), None)
    return said if isinstance(said, str) and said else (f"names no file; give one as {' or '.join(COLUMNS)}",)


def _csv(file: TextIO, name: str) -> Iterator[str | _Fault]:
    """The column that is called so, or the only one."""
    rows = csv.reader(file)
    head = next(rows, [])
    lower = [word.strip().lower() for word in head]
    column = next((lower.index(word) for word in COLUMNS if word in lower), None)
    if column is None and len(head) > 1:
        raise UsageError(f"{name}: its first line names no column {', '.join(COLUMNS)}")
    if column is None and head:
        yield head[0]
    for row in rows:
        if row:
            at = column or 0
            yield row[at] if at < len(row) and row[at] else ("names no file",)


def _parquet(path: Path) -> Iterator[str | _Fault]:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError as error:
        raise UsageError("reading Parquet needs pyarrow: pip install 'assay-video[batch]'") from error
    try:
        file = parquet.ParquetFile(path)
    except ArrowInvalid as error:
        raise UsageError(f"{path}: no Parquet file ({str(error).splitlines()[0]})") from error
    names = file.schema_arrow.names
    column = next((word for word in COLUMNS if word in names), names[0] if len(names) == 1 else None)
    if column is None:
        raise UsageError(f"{path}: has no column {', '.join(COLUMNS)}")
    for batch in file.iter_batches(columns=[column]):
        for value in batch.column(0).to_pylist():
            yield value if isinstance(value, str) and value else ("names no file",)
