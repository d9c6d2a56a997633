"""`python -m benchmarks.banks DIR [DIR ...]`: copies found, strangers matched, parts found, milliseconds a query.

500 pictures go into a bank; their copies and 2,000 other pictures are asked about. Results, with the machine and the
pictures: `results.md` beside this file.
"""

from __future__ import annotations

import platform
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.banks.subjects import COPIES, LOST, Pixels, emblem_of, jpeg, pictures
from media import Frame
from safety.frame.banks import BankClassifier, BankStore, Card, Kind, Signal
from safety.frame.banks.features import corners_of
from safety.frame.banks.index import HammingIndex
from safety.frame.banks.pdq import QUALITY, pdq

BANKED, OTHERS = 500, 2000
DISTANCES = (15, 23, 31, 40, 48, 56, 64)


def nearest(bank: Pixels, queries: list[Pixels]) -> np.ndarray:
    """How far the nearest hash of the bank lies from each picture; 257 where the picture is too flat to have one."""
    found = []
    for pixels in queries:
        made = pdq(pixels)
        words = bank.view(np.uint64) ^ np.frombuffer(made.value, np.uint64)
        found.append(int(np.bitwise_count(words).sum(axis=1).min()) if made.quality >= QUALITY else 257)
    return np.array(found)


def table(title: str, rows: dict[str, np.ndarray]) -> None:
    """Percent within each distance, a row a kind of copy."""
    print(f"\n| {title} | median | 99 % | " + " | ".join(f"<= {d}" for d in DISTANCES) + " |")
    print("|---|---|---|" + "---|" * len(DISTANCES))
    for name, found in rows.items():
        cells = " | ".join(f"{100 * np.mean(found <= d):.1f} %" for d in DISTANCES)
        print(f"| {name} | {np.median(found):.0f} | {np.percentile(found, 99):.0f} | {cells} |")


def own_distance(hashes: Pixels, copies: list[Pixels]) -> np.ndarray:
    """How far each copy lies from its own original."""
    made = [pdq(pixels) for pixels in copies]
    words = hashes.view(np.uint64) ^ np.frombuffer(b"".join(one.value for one in made), np.uint64).reshape(-1, 4)
    return np.where([one.quality >= QUALITY for one in made], np.bitwise_count(words).sum(axis=1), 257)


def whole(folders: list[Path]) -> list[Pixels]:
    """Copies of whole pictures; gives back pictures for the next table."""
    hashes, found, counts = pictures(folders, BANKED + OTHERS)
    order = np.random.default_rng(1).permutation(len(found))
    hashes, found = hashes[order], [found[n] for n in order]
    banked, others = hashes[:BANKED], found[BANKED:]
    print(f"{len(found)} pictures, no two within 64 bits: {dict(sorted(counts.items()))}")
    made = {name: [change(p, n) for n, p in enumerate(found[:BANKED])] for name, change in COPIES.items()}
    table("copies: distance to the original", {name: own_distance(banked, some) for name, some in made.items()})
    every = np.concatenate([own_distance(banked, some) for some in made.values()])
    strangers = nearest(banked, others)
    table("all copies, and others: distance to the nearest of the bank", {"all copies": every, "others": strangers})
    hard = (COPIES["half size, JPEG 60"], COPIES["emblem 25 % of the height"])
    again = np.concatenate([nearest(banked, [change(p, n) for n, p in enumerate(others)]) for change in hard])
    print(f"\nothers within 31: {np.sum(strangers <= 31)} of {len(strangers)}, the nearest at {strangers.min()}")
    print(f"copies of others within 31: {np.sum(again <= 31)} of {len(again)}, the nearest at {again.min()}")
    lost = {
        name: own_distance(banked, [change(p, n) for n, p in enumerate(found[:BANKED])])
        for name, change in LOST.items()
    }
    table("copies that a hash of the whole picture loses", lost)
    theirs(found[:BANKED], made)
    return others


def theirs(originals: list[Pixels], made: dict[str, list[Pixels]]) -> None:
    """The bank holds hashes of the published program (as exchanges give them); and that program on both sides."""
    import pdqhash

    def hashed(some: list[Pixels]) -> Pixels:
        return np.packbits(np.stack([pdqhash.compute(p)[0] for p in some]), axis=1)

    published = hashed(originals)
    rows = {f"their hashes, ours of: {name}": own_distance(published, some) for name, some in made.items()}
    for name, some in made.items():
        words = published.view(np.uint64) ^ hashed(some).view(np.uint64)
        rows[f"theirs on both sides: {name}"] = np.bitwise_count(words).sum(axis=1)
    table("the published program (pdqhash)", rows)


def parts(backgrounds: list[Pixels], folder: Path) -> None:
    """Emblems inside frames."""
    emblems = [emblem_of(seed) for seed in range(50)]
    store = BankStore.create(folder, Card("emblems", look="crops"))
    store.add(Signal(Kind.PDQ, pdq(e).value, f"e{n}", corners=corners_of(e).to_bytes()) for n, e in enumerate(emblems))
    eye = BankClassifier(store.load())
    frames = [np.asarray(cv2.resize(p, (640, 360), interpolation=cv2.INTER_AREA), np.uint8) for p in backgrounds]
    print("\n| emblem in 640x360, JPEG 60 | found, and which | another one named |\n|---|---|---|")
    random = np.random.default_rng(3)
    for side in (32, 48, 64, 96, 128, 180):
        right = wrong = 0
        for n, frame in enumerate(frames[:150]):
            shown, (x, y) = frame.copy(), (int(random.integers(0, 640 - side)), int(random.integers(0, 360 - side)))
            shown[y : y + side, x : x + side] = cv2.resize(emblems[n % 50], (side, side), interpolation=cv2.INTER_AREA)
            value, where = eye.score([Frame(jpeg(shown, 60), 0, 0.0)])[0]["bank/emblems"]
            named = where is not None and f" e{n % 50}," in str(where.text)
            right, wrong = right + (value >= 0.5 and named), wrong + (value >= 0.5 and not named)
        print(f"| {side} px | {right} of 150 | {wrong} |")
    started = time.thread_time()
    flagged = sum(eye.score([Frame(frame, 0, 0.0)])[0]["bank/emblems"][0] >= 0.5 for frame in frames[:1000])
    spent = (time.thread_time() - started) / min(1000, len(frames)) * 1000
    print(f"\nframes without an emblem that match: {flagged} of {min(1000, len(frames))}; {spent:.1f} CPU ms a frame")


def speed() -> None:
    """CPU milliseconds a query of one hash, radius 31, one thread, ways interleaved."""
    random, million = np.random.default_rng(0), 1_000_000
    values = random.integers(0, 256, (million, 32), dtype=np.uint8)
    print("\n| entries | way | CPU ms a query (median of 200) | slowest | seconds to build |\n|---|---|---|---|---|")
    for count in (1_000, 100_000, million):
        ways = {}
        for name in ("numpy flat", "faiss flat", "words of 16 bits"):
            started = time.thread_time()
            ways[name] = (_index(values[:count], name), time.thread_time() - started)
        spent: dict[str, list[float]] = {name: [] for name in ways}
        for n in range(200):
            query = values[n : n + 1].copy()
            query[0, :2] ^= 5
            answers = set()
            for name, (index, _) in ways.items():
                if name == "numpy flat" and n >= 20:
                    continue
                started = time.thread_time()
                answers.add(index.near(query)[1].tobytes())
                spent[name].append((time.thread_time() - started) * 1000)
            assert len(answers) == 1, "the ways differ"
        for name, (_, built) in ways.items():
            print(f"| {count:,} | {name} | {np.median(spent[name]):.2f} | {max(spent[name]):.2f} | {built:.1f} |")


def _index(values: Pixels, way: str) -> HammingIndex:
    from safety.frame.banks import index

    small, index._SMALL = index._SMALL, -1 if way == "words of 16 bits" else 1 << 40
    try:
        return HammingIndex(values, 31, faiss=way == "faiss flat")
    finally:
        index._SMALL = small


def main(folders: list[Path]) -> None:
    """Every table."""
    import tempfile

    cv2.setNumThreads(1)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    others = whole(folders)
    with tempfile.TemporaryDirectory() as folder:
        parts(others, Path(folder))
    speed()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main([Path(name) for name in sys.argv[1:]])
