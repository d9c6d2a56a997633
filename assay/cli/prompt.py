"""`assay prompt`: judge texts, one line in, one line out, in the same order."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import click

from assay.cli.common import EXIT_BY_ACTION, json_line, json_option, policy_option, settings, tell, tell_neutralised
from assay.crew import Crew
from assay.errors import ExitCode, StageTimeout, WorkerDied
from assay.worker import Failure, Worker
from media import UsageError

BATCH = 32  # lines a call: enough to make the pipe's cost small, few enough to answer a slow typist

Line = tuple[str | int, str] | dict[str, Any]  # (id, text), or the row of a line that could not be read


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT ...]")
@click.option("--from", "source", metavar="FILE|-", help='JSON lines {"id", "text"}; - for standard input.')
@policy_option
@json_option
def command(texts: tuple[str, ...], source: str | None, policy: str | None, as_json: bool) -> int:
    """Judge prompts without generating anything."""
    if bool(texts) == bool(source):
        raise UsageError("give either TEXT or --from FILE (- for standard input)")
    lines: Iterable[Line] = enumerate(texts, 1) if texts else _read_lines(source or "-")
    gravest = ExitCode.OK
    with Crew(settings(policy=policy)) as crew:
        for row in chain.from_iterable(crew.answers(_batches(iter(lines)), _judge)):
            if as_json:
                json_line(row)
            else:
                _tell(row)
            gravest = max(gravest, EXIT_BY_ACTION[row["action"]] if "action" in row else ExitCode.UNDECIDED, key=_grave)
    return gravest if len(texts) == 1 else ExitCode.OK


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while batch := list(islice(lines, BATCH)):
        yield batch


def _judge(worker: Worker, batch: list[Line]) -> list[dict[str, Any]]:
    """A row for every line of a batch, in order."""
    answers = iter(_answers(worker, [line for line in batch if isinstance(line, tuple)]))
    return [next(answers) if isinstance(line, tuple) else line for line in batch]


def _answers(worker: Worker, asked: list[tuple[str | int, str]]) -> list[dict[str, Any]]:
    """The rows of a batch; where it took its process down, each line alone, so that one cannot spoil the others."""
    if not asked:
        return []
    try:
        rows: list[dict[str, Any]] = worker.call("prompt", asked)
        return rows
    except (StageTimeout, WorkerDied) as error:
        if len(asked) > 1:
            return [row for line in asked for row in _answers(worker, [line])]
        return [_unanswered(asked[0][0], Failure.of(error).to_json())]


def _unanswered(id: str | int | None, error: dict[str, Any]) -> dict[str, Any]:
    return {"id": id, "error": error}


def _read_lines(source: str) -> Iterator[Line]:
    """The lines of a JSON-lines file; a line that cannot be read becomes a row that says so."""
    try:
        stream = sys.stdin.buffer if source == "-" else Path(source).open("rb")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise UsageError(f"{source}: cannot be read: {error.strerror}") from error
    with stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield _parse(number, line)


def _parse(number: int, line: bytes) -> Line:
    try:
        value = json.loads(line)
        id, text = value["id"], value["text"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        remedy = 'every line must be a JSON object {"id": string or integer, "text": string}'
        message = f"line {number}: {type(error).__name__}: {error}; {remedy}"
        return _unanswered(None, {"type": "UsageError", "stage": None, "message": message})
    if not isinstance(text, str) or not isinstance(id, (str, int)) or isinstance(id, bool):
        message = f"line {number}: id must be a string or an integer, and text a string"
        return _unanswered(None, {"type": "UsageError", "stage": None, "message": message})
    return id, text


def _tell(row: dict[str, Any]) -> None:
    if "action" in row:
        tell(str(row["id"]), row["action"], row["reasons"], row["policy"])
        tell_neutralised(row["neutralised"])
    else:
        click.echo(f"assay: {row['error']['message']}", err=True)


def _grave(code: ExitCode) -> int:
    return [ExitCode.OK, ExitCode.REVIEW, ExitCode.REFUSED, ExitCode.UNDECIDED].index(code)
