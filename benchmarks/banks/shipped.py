"""`python -m benchmarks.banks.shipped DIR`: copies and strangers by the classifier as it ships, sides included.

DIR holds images/, aivideo/ and fight_clips/ with their index.csv. Pictures are grouped by what they share: a camera of
fights, a generator or repository, a video, a photo. Half of the groups give 500 entries and their copies, the other
half the strangers, so no stranger shares a camera or source with an entry; then the halves change places. Strangers are
distinct: no two within 31 bits.
"""

from __future__ import annotations

import csv
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.banks.subjects import COPIES, LOST, Pixels, _small
from media import AssayError, Frame, probe, write_image
from safety.frame.banks import BankClassifier, BankStore, Card, Kind, Signal, signals_of
from safety.frame.banks.matching import Matcher, SideMatcher
from safety.frame.banks.pdq import QUALITY, pdq
from safety.frame.banks.signal import DISTANCE

BANKED = 500
EVERY = 6  # frames
# One family each, whatever their files are called.
_SAME = {"intel": "intel", "fr_obama": "obama", "AnimateDiff": "fam-animatediff", "TurboDiffusion": "fam-wan",
         "MAGI-1": "fam-wan", "img": "smoke", "smoke1": "smoke", "newsmoke1": "smoke"}  # fmt: skip


class Picture(NamedTuple):
    """A distinct picture, and where it is from."""

    folder: str
    value: bytes
    pixels: Pixels


class Groups:
    """Which files share a camera or a source."""

    def __init__(self, root: Path) -> None:
        with (root / "fight_clips" / "index.csv").open() as file:
            self._camera = {Path(row["file"]).stem: row["source_group"] for row in csv.DictReader(file)}
        with (root / "aivideo" / "index.csv").open() as file:
            self._family = {row["id"]: row["family"] for row in csv.DictReader(file)}

    def of(self, path: Path) -> str:
        """The group of a file."""
        name, folder = path.stem, path.parent.name
        if folder in ("imagenet", "bsds"):
            return name  # each by somebody else
        if folder in ("fight", "nofight_cctv", "violent", "nonviolent"):
            clip = name.split("_")[0]
            return self._camera.get(clip, clip)
        if path.parent.parent.name == "aivideo":
            return self._family[name.split("_")[0]]
        same = [family for start, family in _SAME.items() if name.startswith(start)]
        return same[0] if same else re.sub(r"[_-]?\d+$", "", name)


def distinct(root: Path) -> dict[str, list[Picture]]:
    """Group -> its pictures, one frame in six, no two of a group within 31 bits, flat ones left out as in use."""
    groups, found = Groups(root), dict[str, list[Picture]]()
    files = [file for name in ("images", "fight_clips", "aivideo/canonical") for file in (root / name).rglob("*.*")]
    for path in sorted(file for file in files if file.suffix in (".jpg", ".mp4")):
        kept = found.setdefault(groups.of(path), [])
        try:
            shown = [_small(f.pixels) for f in probe(path).frames() if isinstance(f, Frame) and f.index % EVERY == 0]
        except AssayError:
            continue
        for pixels in shown:
            made = pdq(pixels)
            if made.quality >= QUALITY and _is_new(made.value, [one.value for one in kept]):
                kept.append(Picture(path.parent.name, made.value, pixels))
    return found


def _is_new(value: bytes, known: list[bytes]) -> bool:
    others = np.frombuffer(b"".join(known), np.uint64).reshape(-1, 4)
    return not (np.bitwise_count(others ^ np.frombuffer(value, np.uint64)).sum(axis=1) <= DISTANCE).any()


def eye_of(entries: list[Picture]) -> BankClassifier:
    """A bank of them, made as `assay bank add` makes it."""
    with tempfile.TemporaryDirectory() as home:
        store = BankStore.create(Path(home), Card("known"))
        for number, one in enumerate(entries):
            write_image(path := Path(home) / f"{number}.png", one.pixels)
            store.add(signals_of(path, f"p{number}"))
        return BankClassifier(store.load())


def matched(eye: BankClassifier, pixels: Pixels) -> str | None:
    """The reason's words, or None."""
    value, where = eye.score([Frame(np.ascontiguousarray(pixels), 0, 0.0)])[0]["bank/known"]
    return str(where.text) if isinstance(value, float) and value >= 0.5 and where is not None else None


def turn(
    entries: list[Picture], strangers: list[Picture], neighbours: list[Picture], rows: dict[str, list[int]]
) -> None:
    """One half against the other: adds to the rows [how many of these match, of how many]."""
    eye = eye_of(entries)
    print(f"entries: {_named(entries)}\n\nstrangers: {_named(strangers)}\n", flush=True)
    for name, change in (COPIES | LOST).items():
        for number, one in enumerate(entries):
            words = matched(eye, change(one.pixels, number))
            _count(rows, f"copies: {name}", words is not None and f" p{number}," in words)
    hard = ("half size, JPEG 60", "emblem 25 % of the height")
    for number, one in enumerate(strangers):
        _count(rows, "strangers", matched(eye, one.pixels) is not None)
        for name in hard:
            _count(rows, f"strangers: {name}", matched(eye, COPIES[name](one.pixels, number)) is not None)
    for one in neighbours:
        _count(rows, "other pictures of the entries' own cameras and sources", matched(eye, one.pixels) is not None)


def _count(rows: dict[str, list[int]], name: str, hit: bool) -> None:
    row = rows.setdefault(name, [0, 0])
    row[0], row[1] = row[0] + hit, row[1] + 1


def _named(pictures: list[Picture]) -> str:
    counts = Counter(one.folder for one in pictures)
    return f"{len(pictures)}: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def speed() -> None:
    """CPU milliseconds of searching for one frame, whole and sides, in banks with so many hashes."""
    random = np.random.default_rng(0)
    print("\n| pictures in the bank | hashes (whole and sides) | CPU ms: a whole hash | whole and four sides |")
    print("|---|---|---|---|")
    for count in (10_000, 200_000, 1_000_000):
        with tempfile.TemporaryDirectory() as home:
            store = BankStore.create(Path(home), Card("many"))
            values = random.integers(0, 256, (count, 160), dtype=np.uint8)
            store.add(Signal(Kind.PDQ, row[:32].tobytes(), sides=row[32:].tobytes()) for row in values)
            content = store.load()
        whole, sides, spent = Matcher(content), SideMatcher(content), []
        for _ in range(200):
            query = random.integers(0, 256, (1, 160), dtype=np.uint8)
            started = time.thread_time()
            whole.matches(np.ascontiguousarray(query[:, :32]))
            between = time.thread_time()
            sides.match(query[0, 32:].tobytes())
            spent.append((between - started, time.thread_time() - started))
        one, every = (1000 * float(np.median(column)) for column in zip(*spent, strict=True))
        print(f"| {count:,} | {count * 5:,} | {one:.2f} | {every:.2f} |", flush=True)


def main(root: Path) -> None:
    """Both turns, counted together."""
    cv2.setNumThreads(1)
    groups = distinct(root)
    names = sorted(groups)
    order = np.random.default_rng(0).permutation(len(names))
    halves = [sorted(names[n] for n in order[start::2]) for start in (0, 1)]
    rows: dict[str, list[int]] = {}
    for ours, theirs in (halves, halves[::-1]):
        most = max(len(groups[name]) for name in ours)
        turns = [one for n in range(most) for name in ours for one in groups[name][n : n + 1]]
        strangers: list[Picture] = []
        for one in (one for name in theirs for one in groups[name]):
            if _is_new(one.value, [other.value for other in strangers]):
                strangers.append(one)
        turn(turns[:BANKED], strangers, turns[BANKED:], rows)
    print("| pictures | match | of | % |\n|---|---|---|---|")
    for name, (hits, count) in rows.items():
        print(f"| {name} | {hits} | {count} | {100 * hits / count:.1f} |")
    speed()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
