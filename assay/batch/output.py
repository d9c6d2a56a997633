"""The forms in which rows leave: JSON lines as they come, a table for reviewers, Parquet.

JSON lines are written row by row, so that a run can be followed. The others appear when they are whole, or not at all.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, TextIO

from media import UsageError
from provenance import StagedFile

COLUMNS = (
    "path", "action", "category", "score", "rule", "source", "start_s", "end_s", "text", "all_categories",
    "not_evaluated", "frames", "error", "sha256", "reviewer", "reviewer_action", "reviewer_note",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes what begins so for something to compute


class Sink(Protocol):
    """Somewhere for rows to go."""

    def write(self, row: dict[str, Any]) -> None:
        """The next row."""
        ...

    def close(self, whole: bool) -> None:
        """No more rows. whole: the run ended; else what must be whole does not appear."""
        ...


def sink(out: Path, resumed: bool = False) -> Sink:
    """The form that the name asks for. UsageError where it asks for none, or cannot be written."""
    try:
        if out.suffix in (".jsonl", ".ndjson"):
            return JsonLines(out.open("w", encoding="utf-8"))
        if out.suffix == ".csv":
            return Table(out)
        if out.suffix == ".parquet" and not out.is_dir():
            from assay.batch.parquet import ParquetFile

            return ParquetFile(out)
        if out.is_dir() or not out.suffix:
            from assay.batch.parquet import ParquetFolder

            return ParquetFolder(out, resumed)
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written ({error.strerror})") from error
    raise UsageError(f"--out {out}: write a name that ends in .jsonl, .csv or .parquet, or a folder for Parquet parts")


class JsonLines:
    """One object a line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: dict[str, Any]) -> None:
        """The next row, at once."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()

    def close(self, whole: bool) -> None:
        """The file is let go."""
        self._file.close()


class Table:
    """CSV for people who review: a line a file with its gravest reason, and empty columns for what they find."""

    def __init__(self, out: Path) -> None:
        self._out, self._staged = out, StagedFile(out.absolute().parent)
        self._text = io.TextIOWrapper(self._staged.file, encoding="utf-8-sig", newline="", write_through=True)
        self._rows = csv.writer(self._text)
        self._rows.writerow(COLUMNS)

    def write(self, row: dict[str, Any]) -> None:
        """The next row."""
        self._rows.writerow([_cell(value) for value in self._cells(row)])

    def close(self, whole: bool) -> None:
        """The table appears, if it is whole."""
        self._text.flush()
        self._text.detach()
        with self._staged:
            if whole:
                self._staged.seal()
                self._staged.commit(self._out.absolute())

    @staticmethod
    def _cells(row: dict[str, Any]) -> Iterable[Any]:
        why = row["reasons"][0] if row["reasons"] else {}
        frames, error = row["frames"], row["error"]
        yield row["path"]
        yield row["action"] or ("skipped" if error and error["type"] == "Skipped" else "failed")
        yield from (why.get(name) for name in ("category", "score", "rule", "source", "start_s", "end_s", "text"))
        yield " ".join(dict.fromkeys(reason["category"] for reason in row["reasons"]))
        yield " ".join(row["not_evaluated"])
        yield None if frames is None else frames["total"]
        yield None if error is None else error["message"]
        yield row["sha256"]
        yield from ("", "", "")


def _cell(value: Any) -> Any:
    """Nothing that a spreadsheet would compute."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
