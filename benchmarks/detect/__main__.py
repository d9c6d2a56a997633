"""`python -m benchmarks.detect DATA [--folds FOLDER] [--worn N] [--plot PNG] [--answers JSONL]`, or `cost`.

DATA has an `index.csv` with the columns of the project's shared set (id, label, source, family, native, canonical,
container): every clip is judged as it was found and in canonical form, a sample of them also after each kind of wear.
The shipped detector has seen every clip of the shared set, so its figures there are flattering: with `--folds`, what
`scripts/train-forensic --folds` wrote, each clip is judged by a detector that has seen nothing of its family.
`cost` prints what detecting costs beside decoding.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.detect import tables
from benchmarks.detect.cost import cost
from benchmarks.detect.floor import colours, floor
from benchmarks.detect.judges import LISTING, left_out, shipped
from benchmarks.detect.scores import Answered
from benchmarks.detect.wear import WEAR
from classifier import ForensicDetector
from classifier.corpus import Origin, listed
from media import Frame, MediaError, encode, probe

Judge = Callable[[Origin], ForensicDetector]


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(prog="benchmarks.detect", description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--folds", type=Path, help="judge each clip by a detector that has not seen its family")
    parser.add_argument("--worn", type=int, default=96, help="clips that are worn in every way; 0 for none")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--answers", type=Path, help="keep every answer there; read from there what it has")
    asked = parser.parse_args()
    os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder tells of every start on stderr
    if asked.data == "cost":
        cost()
        return
    judge: Judge = shipped() if asked.folds is None else left_out(asked.folds)
    origins = listed(Path(asked.data))
    if asked.folds:  # clips of which no example could be made are in no fold
        unseen = json.loads((asked.folds / LISTING).read_text())
        origins = [one for one in origins if one.name in unseen]
    kept = Kept(asked.answers)
    seen = "families left out" if asked.folds else "as shipped: of clips that it was trained on, this says nothing"
    print(f"`python -m benchmarks.detect DATA{' --folds FOLDS' * bool(asked.folds)}`, {len(origins)} clips; {seen}")
    canonical = [kept.answer("canonical", one, canonical_of(one), judge) for one in origins]
    native = [
        kept.answer("native", one, Path(one.path), judge) for one in origins if Path(one.path) != canonical_of(one)
    ]
    facts = np.stack([colours(canonical_of(one)) for one in origins])
    tables.summary("Canonical clips", canonical, floor(canonical, facts))
    tables.by_source(canonical)
    tables.summary("Files as they were found", native, None)
    if asked.worn:
        some = sample(origins, asked.worn)
        print(f"\n### Worn: {len(some)} clips, canonical, evenly by source\n")
        tables.worn({name: list(worn(name, some, judge, kept)) for name in WEAR})
    if asked.plot:
        tables.draw({"canonical": canonical, "as found": native}, asked.plot)


def canonical_of(origin: Origin) -> Path:
    """The canonical file, or the clip itself where the index names none."""
    path = Path(origin.canonical)
    return path if path.is_file() else Path(origin.path)


class Kept:
    """Answers that were given, by kind and clip, so that a run can go on where it was stopped."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._rows: dict[tuple[str, str], Answered] = {}
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                row = json.loads(line)
                kind = row.pop("kind")
                self._rows[kind, row["name"]] = Answered(**row)

    def known(self, kind: str, origin: Origin) -> Answered | None:
        """The answer, where it was given."""
        return self._rows.get((kind, origin.name))

    def answer(self, kind: str, origin: Origin, path: Path, judge: Judge) -> Answered:
        """What the clip's detector says of a file that was made of it."""
        if found := self.known(kind, origin):
            return found
        side = self._side(origin)
        signal = judge(origin).judge(path)
        made = Answered(
            origin.name, origin.generated, origin.source, origin.family, origin.gif, side, signal.value, signal.likely
        )
        self._rows[kind, origin.name] = made
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps({"kind": kind, **asdict(made)}) + "\n")
        return made

    def _side(self, origin: Origin) -> int:
        """The shorter side of the clip as it was found, pixels; 0 where that file is no longer read."""
        try:
            seen = probe(origin.path)
        except MediaError:
            return 0
        return min(seen.width, seen.height)


def worn(name: str, origins: Sequence[Origin], judge: Judge, kept: Kept) -> Iterator[Answered]:
    """The answers about clips that were worn in one way, written as H.264 at crf 18."""
    with tempfile.TemporaryDirectory() as folder:
        for origin in origins:
            path = Path(folder) / "clip.mp4"
            if kept.known(name, origin) is None:
                encode(path, _even(WEAR[name](_pictures(canonical_of(origin)))), Fraction(8))
            yield kept.answer(name, origin, path, judge)


def sample(origins: Sequence[Origin], wanted: int) -> list[Origin]:
    """Clips evenly by class and source, the same ones in every run."""
    chosen: list[Origin] = []
    for generated in (True, False):
        queues: dict[str, list[Origin]] = {}
        for one in origins:
            if one.generated is generated:
                queues.setdefault(one.source, []).append(one)
        rounds = [one for turn in range(max(map(len, queues.values()), default=0)) for one in _turn(queues, turn)]
        chosen += rounds[: wanted // 2]
    return chosen


def _turn(queues: dict[str, list[Origin]], turn: int) -> Iterator[Origin]:
    for source in sorted(queues):
        if turn < len(queues[source]):
            yield queues[source][turn]


def _pictures(path: Path) -> np.ndarray:
    return np.stack([one.pixels for one in probe(path).frames() if isinstance(one, Frame) and one.principal])


def _even(clip: np.ndarray) -> np.ndarray:
    return clip[:, : clip.shape[1] // 2 * 2, : clip.shape[2] // 2 * 2]


if __name__ == "__main__":
    main()
