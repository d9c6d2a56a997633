"""`assay audit export`."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from assay.cli.common import settings
from media import UsageError


@click.command()
@click.option("-o", "target", type=click.Path(path_type=Path), metavar="FILE", help="A new file; stdout otherwise.")
@click.option("--with-words", is_flag=True, help="With the records of requests, and so with prompts.")
@click.option("--checkpoint", is_flag=True, help="Only the last signed checkpoint, to be kept elsewhere.")
@click.option("--public-key", is_flag=True, help="Only the public key, PEM.")
def command(target: Path | None, with_words: bool, checkpoint: bool, public_key: bool) -> None:
    """Write the chain as JSON lines: a heading, and a line a batch. What waits is sealed first."""
    from assay.auditing.reading import LedgerChain, export
    from assay.auditing.sealing import remembered, seal
    from assay.auditing.signing import AuditKey, pem_of
    from assay.ledger import Ledger

    chosen = settings()
    ledger = Ledger(chosen.ledger)
    seal(ledger, chosen.audit)
    if public_key:
        _write([pem_of(AuditKey.load(chosen.audit, create=False).public).decode().rstrip("\n")], target)
    elif checkpoint:
        kept = remembered(chosen.audit)
        last = kept[-1] if kept else max((b.checkpoint for b in LedgerChain(ledger).batches()), key=lambda p: p.number)
        _write([json.dumps(last.to_json())], target)
    else:
        _write(export(ledger, requests=with_words), target)


def _write(lines: Iterable[str], target: Path | None) -> None:
    """To stdout, or to a file that appears whole or not at all."""
    if target is None:
        for line in lines:
            sys.stdout.write(line + "\n")
        return
    staged = target.with_name(f".{target.name}.{secrets.token_hex(6)}.partial")
    try:
        with staged.open("x", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        os.replace(staged, target)
    except OSError as error:
        raise UsageError(f"{target}: {error.strerror}; nothing was written") from error
    finally:
        staged.unlink(missing_ok=True)
