"""Rows as Parquet, typed (docs/batch.md): one file, or a folder of parts that DuckDB, Polars or Spark read as one.

Needs pyarrow (the extra `batch`). What has no fixed shape, the lines of `verify` and `detect`, is JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from media import UsageError
from provenance import StagedFile

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as error:
    raise UsageError("writing Parquet needs pyarrow: pip install 'assay-video[batch]'") from error

GROUP, PART = 2_000, 20_000  # rows in a row group, and in a part of a folder
_TEXT, _REAL, _WHOLE, _YES = pa.string(), pa.float64(), pa.int64(), pa.bool_()


def _struct(**fields: Any) -> pa.DataType:
    return pa.struct(list(fields.items()))


_COUNTS = dict.fromkeys(("total", "decoded", "undecodable", "scored", "covered", "failed"), _WHOLE)
_REASON = _struct(
    stage=_TEXT, category=_TEXT, rule=_TEXT, action=_TEXT, source=_TEXT, score=_REAL, absence=_TEXT,
    span=pa.list_(_WHOLE), text=_TEXT, frame=_WHOLE, start_s=_REAL, end_s=_REAL, peak_s=_REAL,
    box=pa.list_(_WHOLE), note=_TEXT, item=_TEXT,
)  # fmt: skip
_SEGMENT = _struct(
    category=_TEXT, start_s=_REAL, end_s=_REAL, peak=_REAL, peak_s=_REAL, peak_frame=_WHOLE, item=_TEXT, source=_TEXT,
)  # fmt: skip
_COVERAGE = _struct(**_COUNTS, sampled=_WHOLE, bound=_TEXT, stopped=_TEXT)
_POSTURE = _struct(
    stage=_TEXT, model=_TEXT, version=_TEXT, weights_sha256=_TEXT, runtime=_TEXT, items=_WHOLE, failed=_WHOLE,
    coverage=_COVERAGE,
)  # fmt: skip
SCHEMA = pa.schema(
    [
        pa.field("path", _TEXT, nullable=False),
        pa.field("sha256", _TEXT),
        pa.field("action", _TEXT),
        pa.field("complete", _YES, nullable=False),
        pa.field("not_evaluated", pa.list_(_TEXT)),
        pa.field("reasons", pa.list_(_REASON)),
        pa.field("scores", pa.map_(_TEXT, _REAL)),
        pa.field("segments", pa.list_(_SEGMENT)),
        pa.field("frames", _struct(**_COUNTS)),
        pa.field("posture", pa.list_(_POSTURE)),
        pa.field("policy", _struct(id=_TEXT, version=_TEXT, digest=_TEXT)),
        pa.field("signed", _TEXT),
        pa.field("quarantined", pa.list_(_TEXT)),
        pa.field("error", _struct(type=_TEXT, stage=_TEXT, message=_TEXT)),
        pa.field("provenance", _TEXT),
        pa.field("detect", _TEXT),
    ]
)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """The rows as a table of `SCHEMA`."""
    return pa.Table.from_pylist([_typed(row) for row in rows], schema=SCHEMA)


def _typed(row: Mapping[str, Any]) -> dict[str, Any]:
    riders = {name: json.dumps(row[name], sort_keys=True) for name in ("provenance", "detect") if name in row}
    return {**row, "scores": list(row["scores"].items()), **riders}


class ParquetFile:
    """One file; it appears when it is whole."""

    def __init__(self, out: Path) -> None:
        self._out, self._staged = out.absolute(), StagedFile(out.absolute().parent)
        self._writer = pq.ParquetWriter(self._staged.file, SCHEMA, compression="zstd")
        self._waiting: list[dict[str, Any]] = []

    def write(self, row: dict[str, Any]) -> None:
        """The next row."""
        self._waiting.append(row)
        if len(self._waiting) >= GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(table(self._waiting))
            self._waiting = []

    def close(self, whole: bool) -> None:
        """The file appears, if it is whole."""
        with self._staged:
            if whole:
                self._flush()
            self._writer.close()
            if whole:
                self._staged.seal()
                self._staged.commit(self._out)


class ParquetFolder:
    """Parts of `PART` rows; each appears when it is whole. `SELECT * FROM 'folder/*.parquet'` is the table."""

    def __init__(self, out: Path, resumed: bool) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._out = out
        if sorted(out.glob("part-*.parquet")) and not resumed:
            raise UsageError(f"--out {out}: holds rows of another scan; give another folder, or --resume that scan")
        self._parts, self._rows = 0, 0
        self._part: ParquetFile | None = None

    def write(self, row: dict[str, Any]) -> None:
        """The next row."""
        if self._part is None:
            self._part = ParquetFile(self._out / f"part-{self._parts:05d}.parquet")
        self._part.write(row)
        self._rows += 1
        if self._rows % PART == 0:
            self._end_part(whole=True)

    def _end_part(self, whole: bool) -> None:
        if self._part is not None:
            self._part.close(whole)
            self._part, self._parts = None, self._parts + 1

    def close(self, whole: bool) -> None:
        """The last part appears; parts of an earlier attempt beyond it go."""
        self._end_part(whole)
        if whole:
            for old in self._out.glob("part-*.parquet"):
                if old.stem.removeprefix("part-").isdigit() and int(old.stem.removeprefix("part-")) >= self._parts:
                    old.unlink()
