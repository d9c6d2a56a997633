"""What the commands share: settings from flags, JSON lines, progress bars on a terminal, the words of a decision."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from assay.errors import EXIT_BY_ACTION as EXIT_BY_ACTION
from assay.settings import Settings
from assay.worker import Listener
from media import UsageError


class _Out(Console):
    """Stdout in words. A reader that has gone (`| head`) ends the telling, not the work: files are still written."""

    def on_broken_pipe(self) -> None:
        """Says nothing more; rich would exit."""
        self.quiet = True
        _let_go()


def _let_go() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


err = Console(stderr=True, highlight=False)
out = _Out(highlight=False, soft_wrap=True)

json_option = click.option("--json", "as_json", is_flag=True, help="JSON lines on stdout, one object an item.")
policy_option = click.option("--policy", metavar="P", help="A shipped policy's name, or the path of a YAML file.")

EVIDENCE = ("stage", "category", "source", "absence", "item", "span", "start_s")  # of a reason: where it comes from
COLOURS = {"allow": "green", "review": "yellow", "block": "red"}


def settings(**flags: Any) -> Settings:
    """The run settings; flags that were not given are left to the environment, the file and the defaults."""
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise UsageError(f"settings: {faults}") from error


def json_line(row: dict[str, Any]) -> None:
    """One object on stdout, flushed, so that a pipe reads it as soon as it is known."""
    try:
        sys.stdout.write(json.dumps(row, ensure_ascii=True) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the lines has gone; the work they speak of goes on
        _let_go()


class _Speed(ProgressColumn):
    """Frames a second, while frames are looked at."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        known = task.fields.get("stage") == "frame" and speed is not None
        return Text(f"{speed:.0f} frames/s" if known else "")


@contextmanager
def progress(shown: bool = True) -> Iterator[Listener | None]:
    """A listener that draws one bar a stage on stderr, where that is a terminal."""
    if not shown or not err.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Speed(), TimeRemainingColumn())
    words = {"generator": "generating", "frame": "looking at frames"}
    with Progress(*columns, console=err, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def listen(stage: str, done: float, total: float) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(words.get(stage, stage), total=total, stage=stage)
            bars.update(tasks[stage], completed=done, total=total)

        yield listen


def tell(label: str, action: str, reasons: list[dict[str, Any]], policy: dict[str, str]) -> None:
    """A decision in words: what, by which rule, on what evidence, under which policy."""
    line = Text.assemble((action.upper(), f"bold {COLOURS[action]}"), "  ", label)
    out.print(line)
    for reason in _gravest_each(reasons):
        out.print(Text("  " + reason_words(reason)))
    out.print(Text(f"  policy {policy['id']}@{policy['version']} {policy['digest'][:12]}", style="dim"))


def tell_neutralised(offer: dict[str, Any] | None) -> None:
    """What would be allowed instead, and what was changed for it."""
    if offer is None:
        return
    out.print(Text(f"  would be allowed as: {offer['text']}"))
    for change in offer["changes"]:
        out.print(Text(f"    {change['category']}: {change['was']!r} -> {change['now']!r}", style="dim"))


def _gravest_each(reasons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of reasons that cite the same evidence (a review and a block rule), the gravest; --json has them all."""
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    for reason in reasons:  # gravest first
        evidence = tuple(str(reason[key]) for key in EVIDENCE)
        kept.setdefault(evidence, reason)
    return list(kept.values())


def reason_words(reason: dict[str, Any]) -> str:
    """One reason on one line."""
    words = f"{reason['action']} at {reason['stage']}: {reason['category']} (rule {reason['rule']}"
    words += f", {reason['source']}" if reason.get("source") else ""
    if reason.get("absence"):
        words += f"): {reason['absence'].replace('_', ' ')}"
        return words + (f", {reason['note']}" if reason.get("note") else "")
    words += f"): {reason['score']:.2f}"
    if reason.get("span"):
        words += f" at characters {reason['span'][0]}-{reason['span'][1]}"
    if reason.get("start_s") is not None:
        words += f" from {reason['start_s']:.2f} s to {reason['end_s']:.2f} s"
    if reason.get("text"):
        words += f": {reason['text'][:120]!r}"
    return words
