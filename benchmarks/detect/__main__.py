"""`python -m benchmarks.detect DATA [--folds FOLDER] [--worn N] [--plot PNG] [--streams FOLDER]`, or `cost`, or `own`.

DATA has an `index.csv` with the columns of the project's shared set (id, label, source, family, native, canonical,
container): every clip is judged as it was found and in canonical form, a sample of them also after each kind of wear.
The shipped detector has seen every clip of the shared set, so its figures there are flattering: with `--folds`, what
`scripts/train-forensic --folds` wrote, each clip is judged by a detector that has seen nothing of its family.
`cost` prints what detecting costs beside decoding; `own` what is recognised of new clips of the project's generator.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

import numpy as np

from benchmarks.detect import tables
from benchmarks.detect.cost import cost
from benchmarks.detect.floor import colours, floor
from benchmarks.detect.judges import LISTING, left_out, shipped
from benchmarks.detect.own import recall_at_crf_28
from benchmarks.detect.scores import Answered
from benchmarks.detect.streams import Streams
from benchmarks.detect.wear import WEAR
from classifier import EmbeddedForensic
from classifier.canonical import Stretch
from classifier.corpus import Origin, listed
from media import Frame, MediaError, encode, probe

Judge = Callable[[Origin], EmbeddedForensic]


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(prog="benchmarks.detect", description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--folds", type=Path, help="judge each clip by a detector that has not seen its family")
    parser.add_argument("--worn", type=int, default=48, help="clips that are worn in every way; 0 for none")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--streams", type=Path, help="keep the canonical streams there; a second run reads them")
    asked = parser.parse_args()
    os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder tells of every start on stderr
    if asked.data == "cost":
        cost()
    elif asked.data == "own":
        print(json.dumps(recall_at_crf_28()))
    else:
        with tempfile.TemporaryDirectory() as folder:
            tell(asked, Streams(asked.streams or Path(folder)))


def tell(asked: argparse.Namespace, streams: Streams) -> None:
    """Prints the tables, and draws the plot where one is asked for."""
    judge: Judge = shipped() if asked.folds is None else left_out(asked.folds)
    origins = listed(Path(asked.data))
    if asked.folds:  # clips of which no example could be made are in no fold
        unseen = json.loads((asked.folds / LISTING).read_text())
        origins = [one for one in origins if one.name in unseen]
    seen = "families left out" if asked.folds else "as shipped: of clips that it was trained on, this says nothing"
    print(f"`python -m benchmarks.detect DATA{' --folds FOLDS' * bool(asked.folds)}`, {len(origins)} clips; {seen}")

    def answer(kind: str, origin: Origin, source: Callable[[], Path]) -> Answered:
        return answered(origin, judge(origin), streams.of(kind, origin.name, source))

    canonical = [answer("canonical", one, partial(canonical_of, one)) for one in origins]
    native = [answer("native", one, partial(Path, one.path)) for one in origins if Path(one.path) != canonical_of(one)]
    facts = np.stack([colours(canonical_of(one)) for one in origins])
    tables.summary("Canonical clips", canonical, floor(canonical, facts))
    tables.by_source(canonical)
    tables.summary("Files as they were found", native, None)
    tables.by_source(native)
    if asked.worn:
        some = sample(origins, asked.worn)
        print(f"\n### Worn: {len(some)} clips, canonical, evenly by source\n")
        with tempfile.TemporaryDirectory() as folder:
            to = Path(folder) / "clip.mp4"
            tables.worn({name: [answer(name, one, partial(worn, name, one, to)) for one in some] for name in WEAR})
    if asked.plot:
        tables.draw({"canonical": canonical, "as found": native}, asked.plot)


def canonical_of(origin: Origin) -> Path:
    """The canonical file, or the clip itself where the index names none."""
    path = Path(origin.canonical)
    return path if path.is_file() else Path(origin.path)


def answered(origin: Origin, detector: EmbeddedForensic, found: list[Stretch] | str) -> Answered:
    """What the clip's detector says of a file that was made of it; nothing where the file could not be read."""
    signal = None if isinstance(found, str) else detector.heard(found)
    value, likely = (None, None) if signal is None else (signal.value, signal.likely)
    return Answered(
        origin.name, origin.generated, origin.source, origin.family, origin.gif, side_of(origin), value, likely
    )


@cache
def side_of(origin: Origin) -> int:
    """The shorter side of the clip as it was found, pixels; 0 where that file is no longer read."""
    try:
        seen = probe(origin.path)
    except MediaError:
        return 0
    return min(seen.width, seen.height)


def worn(name: str, origin: Origin, to: Path) -> Path:
    """The clip after one kind of wear, written as H.264 at crf 18."""
    encode(to, _even(WEAR[name](_pictures(canonical_of(origin)))), Fraction(8))
    return to


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
