"""Pictures that were scaled down and up again: the detector reads the finest detail, and there it is gone.

An expert tells such pictures from others by `classifier.detail`, so that the detector says "undecided" instead of
taking a clip whose traces were erased for one without traces. In use it is one row of weights (`Model.lost`); the rest
is for training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from classifier import degrade
from classifier.canonical import SIDE, decode, encode, sampled
from classifier.degrade import Clip
from classifier.detail import fineness
from classifier.features import groups_of, named
from classifier.fitting import FOLDS, SEED, Floats, Table
from media import probe

THROUGH: Final = 128  # pixels
CAUGHT: Final = 0.995  # of clips after a round trip, by each of WAYS, whose source the fit has not seen
APART: Final = 3  # every so many-th picture is looked at
STRENGTH: Final = 0.1  # inverse of the penalty


def through(down: int, up: int, side: int = SIDE, quality: int | None = None) -> Callable[[Clip], Clip]:
    """Down to THROUGH pixels and up to `side`, by OpenCV's interpolations, and an H.264 pass at this CRF."""

    def scaled(clip: Clip, to: int, how: int) -> Clip:
        return np.stack([np.asarray(cv2.resize(one, (to, to), interpolation=how), np.uint8) for one in clip])

    def trip(clip: Clip) -> Clip:
        made = scaled(scaled(clip, THROUGH, down), side, up)
        made = made if quality is None else degrade.recode(made, "h264", quality)
        return scaled(made, SIDE, cv2.INTER_AREA) if side > SIDE else made

    return trip


WAYS: Final[Mapping[str, Callable[[Clip], Clip]]] = {
    "area, cubic": through(cv2.INTER_AREA, cv2.INTER_CUBIC),
    "area, cubic, crf 18": through(cv2.INTER_AREA, cv2.INTER_CUBIC, quality=18),
    "area, cubic, crf 28": through(cv2.INTER_AREA, cv2.INTER_CUBIC, quality=28),
    "area, linear, crf 23": through(cv2.INTER_AREA, cv2.INTER_LINEAR, quality=23),
    "area, Lanczos at 384, crf 23": through(cv2.INTER_AREA, cv2.INTER_LANCZOS4, 384, 23),
    "linear, cubic, crf 23": through(cv2.INTER_LINEAR_EXACT, cv2.INTER_CUBIC, quality=23),
}


def tripped(luma: NDArray[np.uint8], chroma: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The planes of a stretch after a round trip through THROUGH pixels and the canonical codec."""
    size = (luma.shape[2], luma.shape[1])
    pictures = []
    for light, (blue, red) in zip(luma, chroma, strict=True):
        full = np.dstack([light, cv2.resize(red, size), cv2.resize(blue, size)])
        pictures.append(np.asarray(cv2.cvtColor(full, cv2.COLOR_YCrCb2RGB), np.uint8))
    small = degrade.resize(np.stack(pictures), THROUGH)
    return decode(encode(degrade.resize(small, SIDE)))


def round_trips(table: Table, cache: Path) -> Table:
    """One clean copy of each clip after the round trip; those in the cache are not measured again."""
    kept = cache / "trips"
    kept.mkdir(parents=True, exist_ok=True)
    chosen = sorted(_first(table).values())
    numbers = []
    for place in chosen:
        row = table.rows[place]
        path = kept / f"{row['origin']}.npz"
        if not path.exists():
            folder = next(one for one in (cache / "corpus", cache / "more" / "corpus") if _stream(one, row).exists())
            found = named(*tripped(*decode(_stream(folder, row).read_bytes())), groups_of(table.names))
            np.savez(path, numbers=np.array([found[name] for name in table.names], np.float32))
        with np.load(path, allow_pickle=False) as arrays:
            numbers.append(arrays["numbers"].astype(np.float64))
    return Table(np.stack(numbers), table.colours[chosen], table.names, tuple(table.rows[place] for place in chosen))


@dataclass(frozen=True, eq=False)
class Details:
    """Of every clip that is not our own, the numbers of `classifier.detail` as it is and after every one of WAYS."""

    plain: Floats  # (N, NUMBERS)
    gone: Floats  # (N, WAYS, NUMBERS)
    origins: NDArray[Any]  # (N,)
    sources: NDArray[Any]

    def part(self, chosen: NDArray[Any]) -> Details:
        """Some of the clips."""
        return Details(self.plain[chosen], self.gone[chosen], self.origins[chosen], self.sources[chosen])


def details(table: Table, cache: Path) -> Details:
    """The detail of every clip's file, canonical where there is one; those in the cache are not measured again."""
    kept = cache / "details"
    kept.mkdir(parents=True, exist_ok=True)
    found = []
    for name, place in sorted(_first(table).items()):
        row, path = table.rows[place], kept / f"{name}.npy"
        if not path.exists():
            file = row["canonical"] if Path(row["canonical"]).is_file() else row["path"]
            squares = next(sampled(probe(file).frames(looks=())))
            ways = (lambda clip: clip, *WAYS.values())
            np.save(path, np.stack([fineness(way(squares.pixels[::APART])) for way in ways]))
        found.append((np.load(path, allow_pickle=False), name, row["source"]))
    numbers = np.stack([each for each, _, _ in found])
    names, sources = (np.array([one[place] for one in found]) for place in (1, 2))
    return Details(numbers[:, 0], numbers[:, 1:], names, sources)


def lost_of(found: Details) -> Floats:
    """Weights and bias, (NUMBERS + 1,), of the expert for lost detail: above 0 where it is gone.

    The line is set on sources that the fit has not seen, so that CAUGHT of their clips lie above it after round trips.
    """
    line = _line(found)
    return np.append(line[:-1], line[-1] - float(np.quantile(left_out(found)[1], 1 - CAUGHT)))


def left_out(found: Details) -> tuple[Floats, Floats]:
    """What lines that have not seen a clip's source say of it as it is, (N,), and after round trips, (N, WAYS)."""
    rng, names = np.random.default_rng(SEED), sorted(set(found.sources))
    fold = dict(zip(rng.permutation(names), np.arange(len(names)) % FOLDS, strict=True))
    dealt = np.array([fold[one] for one in found.sources])
    plain, gone = np.zeros(len(dealt)), np.zeros(found.gone.shape[:2])
    for one in set(dealt):
        line, there = _line(found.part(dealt != one)), dealt == one
        plain[there] = found.plain[there] @ line[:-1] + line[-1]
        gone[there] = found.gone[there] @ line[:-1] + line[-1]
    return plain, gone


def _line(found: Details) -> Floats:
    """Weights and bias, (NUMBERS + 1,), that tell clips after round trips from clips as they are."""
    ways = found.gone.shape[1]
    counts = dict(zip(*np.unique(found.sources, return_counts=True), strict=True))
    weights = np.array([counts[one] ** -0.5 for one in found.sources])  # a source weighs as the root of its clips
    numbers = np.concatenate([found.plain, found.gone.reshape(-1, found.gone.shape[2])])
    centre, spread = found.plain.mean(0), found.plain.std(0) + 1e-6
    labels = np.repeat([False, True], [len(found.plain), len(numbers) - len(found.plain)])
    shares = np.concatenate([weights * ways, np.repeat(weights, ways)])
    fit = LogisticRegression(C=STRENGTH, max_iter=600)
    fit.fit((numbers - centre) / spread, labels, sample_weight=shares / shares.mean())
    row = fit.coef_[0] / spread
    return np.append(row, fit.intercept_[0] - row @ centre)


def _first(table: Table) -> dict[str, int]:
    """Of each clip, not of our own, the place of its canonical copy, or of its first clean one."""
    found: dict[str, int] = {}
    for place, (row, clean) in enumerate(zip(table.rows, table.clean & ~table.mimic & ~table.own, strict=True)):
        if clean and (row["origin"] not in found or row["how"] == "canonical"):
            found[row["origin"]] = place
    return found


def _stream(corpus: Path, row: dict[str, str]) -> Path:
    return corpus / f"{row['origin']}.{row['how']}.h264"
