"""Measurements in the text format of Prometheus, for a scrape or for the textfile collector of its node exporter."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


@dataclass(frozen=True)
class Gauge:
    """One measurement that may go up and down; `value` in the base unit that its name ends with."""

    name: str
    meaning: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def exposition(gauges: Iterable[Gauge]) -> str:
    """The text of a number of gauges, grouped by name as the format asks; label values may be any text."""
    grouped: dict[str, list[Gauge]] = {}
    for gauge in gauges:
        grouped.setdefault(gauge.name, []).append(gauge)
    lines = []
    for name, same in grouped.items():
        lines += [f"# HELP {name} {same[0].meaning.translate(_HELP_ESCAPES)}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels(gauge.labels)} {gauge.value!r}" for gauge in same]
    return "".join(f"{line}\n" for line in lines)


def write_textfile(path: Path, text: str) -> None:
    """Writes a `.prom` file that a collector never reads half; raises OSError and then leaves nothing behind."""
    # The collector takes every name that ends in .prom, so the one before the rename must not.
    staged = path.with_name(f".{path.name}.{secrets.token_hex(6)}.partial")
    try:
        staged.write_text(text, encoding="utf-8")
        os.replace(staged, path)
    finally:
        staged.unlink(missing_ok=True)


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{key}="{value.translate(_ESCAPES)}"' for key, value in sorted(labels.items()))
    return f"{{{pairs}}}" if pairs else ""
