"""`assay prompt --from -` on whatever stands in a file: every line is answered or named, in order; none stops it."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

BROKEN = (
    "{",
    "[]",
    "null",
    "7",
    '"text"',
    '{"id": 1}',
    '{"text": "a cat"}',
    '{"id": null, "text": "a cat"}',
    '{"id": true, "text": "a cat"}',
    '{"id": 1.5, "text": "a cat"}',
    '{"id": "a", "text": 5}',
    '{"id": "a", "text": ["a"]}',
    '{"id": "a", "text": "a cat"',
    "\u202e{}",
    "[" * 3000,
    '{"id": "a", "text": NaN}',
)


def hostile_text(rng: random.Random, length: int) -> str:
    """Characters of every plane, controls, surrogates, marks, and signs of direction."""
    ranges = ((0, 0x1F), (0x20, 0x7E), (0x80, 0x2FF), (0x300, 0x36F), (0x600, 0x6FF), (0x2000, 0x206F))
    ranges += ((0x4E00, 0x9FFF), (0xD800, 0xDFFF), (0xE000, 0xF8FF), (0x1F300, 0x1FAFF), (0x20000, 0x10FFFF))
    return "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(length))


def answered(run: Run, count: int, seed: int) -> None:
    rng = random.Random(seed)
    lines: list[str] = []
    for number in range(count):
        if number % 4 == 3:
            lines.append(rng.choice(BROKEN))
        else:
            lines.append(json.dumps({"id": number, "text": hostile_text(rng, rng.choice((0, 1, 5, 40)))}))
    done = run("prompt", "--from", "-", "--json", stdin="\n".join(lines) + "\n")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == count, done.stderr[-500:]
    for number, row in enumerate(rows):
        if number % 4 == 3:
            assert row["id"] is None
            assert f"line {number + 1}: " in row["error"]["message"]
        else:
            assert row["id"] == number
            assert row["error"] is None
            assert row["action"] in ("allow", "review", "block")
            assert row["scores"]


def test_broken_and_hostile_lines_are_answered_in_order(run_assay: Run) -> None:
    """Of broken lines each is named with its number, and all the others get a decision, in order."""
    answered(run_assay, 80, 1)


@pytest.mark.full
def test_a_thousand_hostile_lines(run_assay: Run) -> None:
    """Of a thousand lines, a quarter broken, none is lost and none stops the rest."""
    answered(run_assay, 1000, 2)


@pytest.mark.full
def test_a_line_of_a_million_characters(run_assay: Run) -> None:
    """A line of a million characters is judged to its end, and the lines around it are answered."""
    long = "a man walks his dog along the beach. " * 27_000 + " a naked couple having sex"
    lines = [{"id": 1, "text": "a cat"}, {"id": 2, "text": long}, {"id": 3, "text": "a dog"}]
    done = run_assay("prompt", "--from", "-", "--json", stdin="\n".join(map(json.dumps, lines)))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["id"], row["action"]) for row in rows] == [(1, "allow"), (2, "block"), (3, "allow")]
