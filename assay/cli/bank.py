"""`assay bank`: lists of known content that the operator keeps, and what they match."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.cli.common import json_line, json_option, out, settings
from assay.errors import ExitCode
from media import UsageError

if TYPE_CHECKING:
    from safety.frame.banks import BankStore, Card, Signal

_path = click.Path(path_type=Path)


@click.group()
def command() -> None:
    """Keep lists of known content: add, import, list, remove and test entries."""


def _card_options(function: Any) -> Any:
    """What may be said of a bank when it is made, and changed later."""
    options = (
        click.option("--category", metavar="C", help="Also score this category, e.g. ip/logo, ip/character."),
        click.option(
            "--action", type=click.Choice(["review", "block"]), help="Where the policy says nothing. [default: block]"
        ),
        click.option("--worst/--not-worst", default=None, help="No picture is ever made of what matches."),
        click.option(
            "--look", type=click.Choice(["whole", "crops"]), help="crops: also parts of a frame. [default: whole]"
        ),
        click.option("--distance", type=int, metavar="BITS", help="How far a hash may be away. [default: 31]"),
        click.option("--flood-items", type=int, metavar="N", help="Files that one entry may match. [default: 100]"),
        click.option("--flood-hours", type=float, metavar="H", help="Within so many hours. [default: 24]"),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command.command()
@click.argument("name")
@_card_options
def create(name: str, **card: Any) -> int:
    """Make an empty bank."""
    from safety.frame.banks import BankStore, Card

    store = BankStore.create(_folder(), _changed(Card(name), card))
    _say_card(store.card)
    return ExitCode.OK


@command.command()
@click.argument("name")
@_card_options
def change(name: str, **card: Any) -> int:
    """Change what a bank is for, or how it matches."""
    store = _open(name)
    store.change_card(_changed(store.card, card))
    _say_card(store.card)
    return ExitCode.OK


@command.command()
@click.argument("name")
@click.argument("things", nargs=-1, required=True, metavar="FILE|HASH ...")
@click.option("--content", metavar="TEXT", help="What it is called in reasons; the file's name otherwise.")
@click.option("--negative", is_flag=True, help="A benign look-alike: what is nearer to it is no match.")
@click.option("--entry-distance", type=int, metavar="BITS", help="For these entries only.")
@click.option("--mirrored", is_flag=True, help="Also as seen in a mirror.")
@_card_options
def add(name: str, things: tuple[str, ...], **options: Any) -> int:
    """Add pictures, videos, or hashes (pdq:HEX, md5:HEX, sha256:HEX). Makes the bank if there is none."""
    from safety.frame.banks import BankStore, Card

    own = {key: options.pop(key) for key in ("content", "negative", "entry_distance", "mirrored")}
    is_new = not (_folder() / f"{Card(name).name}.bank").exists()
    card = _changed(Card(name) if is_new else _open(name).card, options)
    signals = [signal for thing in things for signal in _signals(thing, card, own)]
    store = BankStore.create(_folder(), card) if is_new else _open(name)
    if not is_new and card != store.card:
        store.change_card(card)
    count = store.add(signals)
    out.print(f"{name}: {count} new signals, {len(signals) - count} known before", markup=False)
    return ExitCode.OK


@command.command("import")
@click.argument("name")
@click.argument("path", type=_path)
@click.option("--negative", is_flag=True, help="All of them are benign look-alikes.")
def import_command(name: str, path: Path, negative: bool) -> int:
    """Add every hash of a CSV or JSON list (ThreatExchange, HMA, or `assay bank export`)."""
    from safety.frame.banks import read_signals

    signals = read_signals(path)
    count = _open(name).add(replace(signal, negative=True) if negative else signal for signal in signals)
    out.print(f"{name}: {count} new signals, {len(signals) - count} known before", markup=False)
    return ExitCode.OK


@command.command()
@click.argument("name")
@click.option("-o", "target", type=_path, required=True, metavar="FILE.csv|.json")
def export(name: str, target: Path) -> int:
    """Write every entry of a bank as CSV or JSON."""
    from safety.frame.banks import to_csv, to_json

    written = {".csv": to_csv, ".json": to_json}.get(target.suffix.lower())
    if written is None:
        raise UsageError(f"{target}: lists are written as .csv or .json")
    entries = _open(name).entries()
    _write(target, written(entry.signal for entry in entries))
    out.print(f"{target}: {len(entries)} signals", markup=False)
    return ExitCode.OK


@command.command("list")
@click.argument("name", required=False)
@click.option("--off", "only_off", is_flag=True, help="Only entries that flooded and are switched off.")
@click.option("--limit", type=int, default=50, show_default=True)
@json_option
def list_command(name: str | None, only_off: bool, limit: int, as_json: bool) -> int:
    """Show the banks, or the entries of one."""
    from safety.frame.banks import BankStore

    if name is None:
        for store in BankStore.every(_folder()):
            card, counts = store.card, store.counts()
            if as_json:
                json_line(card.to_json() | {"signals": counts})
            else:
                _say_card(card)
                out.print("  " + ", ".join(f"{count} {kind}" for kind, count in counts.items()), markup=False)
        return ExitCode.OK
    store = _open(name)
    for entry in store.entries(limit, only_off):
        signal = entry.signal
        row = {
            "id": entry.id, "kind": signal.kind.value, "hash": signal.value.hex(), "content": signal.content,
            "distance": signal.distance, "negative": signal.negative, "off": entry.off, "items": entry.items,
        }  # fmt: skip
        if as_json:
            json_line(row)
            continue
        marks = (
            " negative" * signal.negative + " OFF: flooded; `assay bank release` once a person has looked" * entry.off
        )
        flood = f" matched {entry.items} files" if entry.items else ""
        out.print(f"{entry.id:>8}  {signal.kind:6}  {row['hash']}  {signal.content}{marks}{flood}", markup=False)
    return ExitCode.OK


@command.command()
@click.argument("name")
@click.argument("ids", nargs=-1, type=int, metavar="[ID ...]")
@click.option("--content", metavar="TEXT", help="Every signal of this content.")
@click.option("--all", "whole", is_flag=True, help="The whole bank.")
def remove(name: str, ids: tuple[int, ...], content: str | None, whole: bool) -> int:
    """Remove entries by number or by content, or the whole bank."""
    store = _open(name)
    if whole == bool(ids or content is not None):
        raise UsageError("name the entries (ID ..., --content), or the whole bank (--all)")
    if whole:
        store.path.unlink()
        out.print(f"{name}: removed", markup=False)
        return ExitCode.OK
    gone = store.remove(ids, content)
    if not gone:
        raise UsageError(f"{name}: no such entry; `assay bank list {name}` shows them")
    out.print(f"{name}: {gone} signals removed", markup=False)
    return ExitCode.OK


@command.command()
@click.argument("name")
@click.argument("ids", nargs=-1, type=int, required=True, metavar="ID ...")
def release(name: str, ids: tuple[int, ...]) -> int:
    """A person has looked: switch flooded entries on again."""
    out.print(f"{name}: {_open(name).release(ids)} entries switched on", markup=False)
    return ExitCode.OK


@command.command("test")
@click.argument("path", type=_path)
@click.argument("names", nargs=-1, metavar="[BANK ...]")
@json_option
def test_command(path: Path, names: tuple[str, ...], as_json: bool) -> int:
    """Say which entries a picture or a video matches; nothing is decided, and no match is counted."""
    from safety.frame.banks import BankStore, compare_file

    found = 0
    for store in [_open(name) for name in names] or BankStore.every(_folder()):
        for row in compare_file(path, store.load()):
            found += 1
            row = {"path": str(path), **row}
            if as_json:
                json_line(row)
                continue
            words = f"{row['bank']}: {row['kind']} entry {row['entry']} {row['content']}, {row['distance']} bits away"
            words += f", {row['file_percent']:.0f} % of the file's frames" if row["kind"] == "pdq" else ""
            words += f", {row['content_percent']:.0f} % of the content's signals" if row["kind"] == "pdq" else ""
            out.print(words, markup=False)
    if not found and not as_json:
        out.print(f"{path}: matches nothing", markup=False)
    return ExitCode.OK


def _folder() -> Path:
    return settings().home / "banks"


def _open(name: str) -> BankStore:
    from safety.frame.banks import BankStore

    return BankStore.open(_folder(), name)


def _changed(card: Card, changes: dict[str, Any]) -> Card:
    return replace(card, **{name: value for name, value in changes.items() if value is not None})


def _signals(thing: str, card: Card, own: dict[str, Any]) -> list[Signal]:
    """The signals of one argument: a hash with its kind in front, or a file."""
    from safety.frame.banks import Kind, Signal, signals_of

    kind, colon, value = thing.partition(":")
    more = {"distance": own["entry_distance"], "negative": own["negative"]}
    if colon and kind in set(Kind) and not Path(thing).exists():
        return [Signal.parse(kind, value, content=own["content"] or "", **more)]
    made = signals_of(Path(thing), own["content"], corners=card.look == "crops", mirrored=own["mirrored"])
    return [
        replace(signal, negative=more["negative"], distance=more["distance"] if signal.kind is Kind.PDQ else None)
        for signal in made
    ]


def _say_card(card: Card) -> None:
    from assay import banking

    marks = [f"looks at {card.look}", f"within {card.distance} bits"]
    marks += [f"also scored as {card.category}"] if card.category else []
    marks += ["worst material"] if card.worst else []
    asked = banking.with_bank_rules(banking.policy(settings(banks=())), [card])
    rules = [rule for rule in asked.rules if rule.category == card.own_category and rule.stage == "frame"]
    words = "; ".join(f"{rule.action.word} from {rule.threshold:g}" for rule in rules)
    out.print(f"{card.name}: {', '.join(marks)}; under policy {asked.id}: {words}", markup=False)


def _write(target: Path, text: str) -> None:
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.write_text(text, "utf-8")
        partial.replace(target)
    except OSError as error:
        raise UsageError(f"{target}: cannot be written ({error.strerror})") from error
    finally:
        partial.unlink(missing_ok=True)
