"""Banks in and out of files: CSV and JSON in the words of ThreatExchange and its Hasher-Matcher-Actioner (HMA).

CSV, with a header; only the first two columns are needed, others than these are refused:

    signal_type,signal_str,content,distance,negative,aspect
    pdq,d811ac390bfa6005d08543fe27fd5a11f6b55bdd2603000dc26476fc79fc76b5,ad-7,31,0,1.778

or without a header one hash a line, as `hash[,content]`: 64 hexadecimal digits are PDQ, 32 are MD5.

JSON: what `GET /h/hash` of HMA answers (`{"pdq": "..."}`), a list of those, the bank contents of HMA (`{"id": 3,
"signals": {"pdq": "..."}}`, or `"signals": [{"signal_type": "pdq", "signal_value": "..."}]`), or our own export, which
has one object a signal with the columns above. Corners (what finds a picture inside a frame) and sides (what finds it
with something stamped on it) travel as base64.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from media import UsageError
from safety.frame.banks.signal import Kind, Signal

COLUMNS = ("signal_type", "signal_str", "content", "distance", "negative", "aspect", "corners", "sides")
_SPELLINGS = {"signal_value": "signal_str", "hash": "signal_str", "value": "signal_str", "type": "signal_type",
              "hash_type": "signal_type", "bank_content_id": "content", "id": "content"}  # fmt: skip
_IGNORED = {
    "bank",
    "tags",
    "labels",
    "category",
    "disable_until_ts",
    "original_media_uri",
    "owner",
    "status",
    "added_on",
}
_BY_LENGTH = {64: "pdq", 32: "md5"}
_LARGEST = 1 << 30  # bytes of a list: some five million lines


def read_signals(path: Path) -> list[Signal]:
    """Every signal of a CSV or JSON file, by its suffix; UsageError names the line and what is wrong. All or none."""
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"{path}: lists are read up to {_LARGEST >> 30} GiB; cut it into several")
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error
    if path.suffix.lower() == ".json":
        rows = _of_json(text, str(path))
    elif path.suffix.lower() in (".csv", ".txt"):
        rows = _of_csv(text, str(path))
    else:
        raise UsageError(f"{path}: lists are read from .csv, .txt or .json")
    return [_signal(where, row) for where, row in rows]


def to_csv(signals: Iterable[Signal]) -> str:
    """The list as CSV with every column; `read_signals` gives it back."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in _fields(s).items()} for s in signals)
    return out.getvalue()


def to_json(signals: Iterable[Signal]) -> str:
    """The list as JSON, one object a signal and a line; `read_signals` gives it back."""
    lines = ",\n".join(json.dumps(_fields(signal)) for signal in signals)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def _fields(signal: Signal) -> dict[str, Any]:
    return {
        "signal_type": signal.kind.value,
        "signal_str": signal.value.hex(),
        "content": signal.content,
        "distance": signal.distance,
        "negative": int(signal.negative),
        "aspect": signal.aspect,
        "corners": base64.b64encode(signal.corners).decode("ascii"),
        "sides": base64.b64encode(signal.sides).decode("ascii"),
    }


def _of_csv(text: str, origin: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    csv.field_size_limit(1 << 20)
    lines = csv.reader(io.StringIO(text))
    header: list[str] | None = None
    try:
        for row in lines:
            where = f"{origin}, line {lines.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if header is None:
                if len(row[0].strip()) not in (32, 64):
                    header = [cell.strip().lower() for cell in row]
                    continue
                header = []
            if not header:
                yield where, _bare(row, where)
                continue
            if len(row) != len(header):
                raise UsageError(f"{where}: {len(row)} cells under {len(header)} columns")
            yield where, {name: cell for name, cell in zip(header, row, strict=True) if cell.strip()}
    except csv.Error as error:
        raise UsageError(f"{origin}, line {lines.line_num}: {error}") from error


def _bare(row: list[str], where: str) -> dict[str, Any]:
    value = row[0].strip()
    kind = _BY_LENGTH.get(len(value))
    if kind is None or len(row) > 2:
        raise UsageError(f"{where}: without a header a line is `hash` or `hash,content`")
    return {"signal_type": kind, "signal_str": value, "content": "".join(row[1:]).strip()}


def _of_json(text: str, origin: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{origin}: is not JSON ({error})") from error
    for number, one in enumerate(document if isinstance(document, list) else [document]):
        where = f"{origin}, item {number}"
        if not isinstance(one, dict):
            raise UsageError(f"{where}: {one!r:.60} is no object")
        if set(one) <= set(Kind):  # {"pdq": "..."}
            yield from ((where, {"signal_type": kind, "signal_str": value}) for kind, value in one.items())
        elif "signals" in one:
            yield from _of_content(one, where)
        else:
            yield where, one


def _of_content(one: Mapping[str, Any], where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A bank content of HMA: one thing with several signals."""
    signals, content = one["signals"], {"content": str(one.get("id", one.get("bank_content_id", "")))}
    if isinstance(signals, dict):
        signals = [{"signal_type": kind, "signal_str": value} for kind, value in signals.items()]
    if not isinstance(signals, list) or not all(isinstance(signal, dict) for signal in signals):
        raise UsageError(f"{where}: signals are an object or a list of objects")
    yield from ((where, {**content, **signal}) for signal in signals)


def _signal(where: str, row: Mapping[str, Any]) -> Signal:
    known = {_SPELLINGS.get(name, name): value for name, value in row.items() if name not in _IGNORED}
    if strangers := sorted(set(known) - set(COLUMNS)):
        raise UsageError(f"{where}: columns {', '.join(strangers)} are not known; known are {', '.join(COLUMNS)}")
    if "signal_type" not in known or "signal_str" not in known:
        raise UsageError(f"{where}: needs signal_type and signal_str")
    distance, aspect = known.get("distance"), known.get("aspect")
    try:
        return Signal.parse(
            str(known["signal_type"]), str(known["signal_str"]),
            content=str(known.get("content", "")),
            distance=None if distance in (None, "") else int(distance),
            negative=str(known.get("negative", "0")).strip().lower() in ("1", "true", "yes"),
            aspect=1.0 if aspect in (None, "") else float(aspect),
            corners=base64.b64decode(str(known.get("corners", "")), validate=True),
            sides=base64.b64decode(str(known.get("sides", "")), validate=True),
        )  # fmt: skip
    except (ValueError, TypeError, binascii.Error, UsageError) as error:
        raise UsageError(f"{where}: {error}") from error
