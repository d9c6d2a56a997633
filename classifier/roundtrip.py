"""Pictures that were scaled down and up again: the detector reads the finest detail, and there it is gone.

An expert tells such pictures from others by the detector's own numbers, so that it says "undecided" instead of taking a
clip whose traces were erased for one without traces. In use it is one row of weights (`Model.lost`); the rest is
for training.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from classifier import degrade
from classifier.canonical import SIDE, decode, encode
from classifier.features import groups_of, named
from classifier.fitting import SEED, Floats, Table, folds_of, weights_of
from classifier.model import Model

THROUGH: Final = 128  # pixels
SEEN: Final = "signs/"  # how the names of the numbers begin that tell it; of colours half is lost in any case
ALARMS: Final = 0.06  # of clips as they are that are taken for such


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


def lost_of(table: Table, trips: Table, model: Model, left_out: Collection[str] = ()) -> Floats:
    """Weights and bias, (n + 1,), of the expert for lost detail: above 0 where it is gone.

    The line is set on families that the fit has not seen, so that ALARMS of clips as they are lie above it.

    left_out  clips that it must not see at all, by name
    """
    first = _first(table)
    chosen = np.array([name not in left_out for name in trips.of("origin")])
    places = np.array([first[name] for name in trips.of("origin")[chosen]])
    seen = np.array([name.startswith(SEEN) for name in table.names])
    plain = model.standard(table.numbers[places])[:, seen]
    gone = model.standard(trips.numbers[chosen])[:, seen]
    used = np.isin(np.arange(len(table.rows)), places)
    weights = weights_of(table, used, table.generated, 0.0, 0.0)[places]
    fold, said = folds_of(table, SEED)[places], np.zeros(len(places))
    for one in set(fold):
        rest = fold != one
        row, bias = _line(plain[rest], gone[rest], weights[rest])
        said[~rest] = plain[~rest] @ row + bias
    row, bias = _line(plain, gone, weights)
    found = np.zeros(len(table.names))
    found[seen] = row
    return np.append(found, bias - float(np.quantile(said, 1 - ALARMS)))


def _line(plain: Floats, gone: Floats, weights: Floats) -> tuple[Floats, float]:
    """Weights and bias that tell pairs of numbers apart, each pair with its weight."""
    labels = np.repeat([False, True], len(plain))
    fit = LogisticRegression(C=10.0, max_iter=600)
    fit.fit(np.concatenate([plain, gone]), labels, sample_weight=np.tile(weights / weights.mean(), 2))
    return np.asarray(fit.coef_[0], np.float64), float(fit.intercept_[0])


def _first(table: Table) -> dict[str, int]:
    """Of each clip, not of our own, the place of its canonical copy, or of its first clean one."""
    found: dict[str, int] = {}
    for place, (row, clean) in enumerate(zip(table.rows, table.clean & ~table.mimic & ~table.own, strict=True)):
        if clean and (row["origin"] not in found or row["how"] == "canonical"):
            found[row["origin"]] = place
    return found


def _stream(corpus: Path, row: dict[str, str]) -> Path:
    return corpus / f"{row['origin']}.{row['how']}.h264"
