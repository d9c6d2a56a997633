"""The weights of the embedded detector: linear experts over the numbers of a stretch, and the limits of what they know.

An npz of plain arrays (never pickled), whose sha256 stands in the calibration beside it and is compared on loading.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from safety import ModelUnavailable

FOLDER: Final = Path(__file__).parent / "weights"
WEIGHTS, LISTING, CALIBRATION = "forensic.npz", "forensic.json", "forensic.calibration.json"
CLIP: Final = 3.0  # deviations; what lies farther out counts as this far
RANKS: Final = 101  # in steps of a hundredth

_ARRAYS: Final = ("centre", "spread", "weights", "bias", "grid", "known", "lost")
_TAIL: Final = 0.1  # how far an expert may go alone: no clip is rarer to it than one of ten

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Model:
    """Experts (rows of `weights`) that each see some of the numbers; the evidence is the mean of what they say.

    What an expert says is its rank: the share of training clips about which it says less. So each has the same voice,
    and one that meets something outlandish cannot outvote the others.

    `known` is an expert for one generator, our own, which speaks for itself or not at all: the evidence is the larger
    of the two. It is shifted so that it reaches the threshold for at most a hundredth of real footage. `lost` tells
    pictures whose fine detail is gone, about which nothing is said.

    limits: `apart`, how far the experts may disagree; `strange`, how unlike the training clips a stretch may be;
    `between`, the value that most of the real footage stays below: from here to the threshold nothing is said.
    """

    names: tuple[str, ...]
    centre: Floats  # (n,)
    spread: Floats  # (n,)
    weights: Floats  # (experts, n)
    bias: Floats  # (experts,)
    grid: Floats  # (experts, RANKS): what each says of training clips, in order
    known: Floats  # (n + 1,): weights and bias
    lost: Floats  # (NUMBERS + 1,): the same over the numbers of `classifier.detail`
    limits: dict[str, float]
    sha256: str

    def opinions(self, numbers: Floats) -> Floats:
        """What each expert says of stretches (N, n), its rank as log-odds: (N, experts)."""
        said, shares = self.spoken(numbers).T, np.linspace(_TAIL, 1 - _TAIL, RANKS)
        ranks = np.stack([np.interp(each, row, shares) for each, row in zip(said, self.grid, strict=True)], 1)
        return np.asarray(np.log(ranks / (1 - ranks)), np.float64)

    def spoken(self, numbers: Floats) -> Floats:
        """What each expert says of stretches (N, n) before it is ranked: (N, experts)."""
        return np.asarray(self.standard(numbers) @ self.weights.T + self.bias, np.float64)

    def recognised(self, numbers: Floats) -> Floats:
        """What the expert for our own generator says of stretches (N, n), as log-odds: (N,)."""
        return np.asarray(self.standard(numbers) @ self.known[:-1] + self.known[-1], np.float64)

    def coarse(self, detail: Floats) -> Floats:
        """How surely the fine detail of stretches is gone, by their `detail` (N, NUMBERS); above 0 it is: (N,)."""
        return np.asarray(detail @ self.lost[:-1] + self.lost[-1], np.float64)

    def standard(self, numbers: Floats) -> Floats:
        """Numbers (N, n) in deviations from the training clips' centre, cut off at CLIP."""
        return np.asarray(np.clip((numbers - self.centre) / self.spread, -CLIP, CLIP), np.float64)

    def strangeness(self, numbers: Floats) -> Floats:
        """Of stretches (N, n), the share of numbers beyond what nearly all training clips show: (N,)."""
        return np.asarray((np.abs(numbers - self.centre) > CLIP * self.spread).mean(1), np.float64)


def read_model(folder: Path = FOLDER) -> Model:
    """The model in a folder. Raises ModelUnavailable where it is missing or is not the one that was trained."""
    try:
        body = (folder / WEIGHTS).read_bytes()
        said = json.loads((folder / LISTING).read_text())["sha256"]
        found = hashlib.sha256(body).hexdigest()
        if said != found:
            raise ValueError(f"its sha256 is {found}, not the {said} of {LISTING}")
        with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
            limits = dict(zip(map(str, arrays["limit_names"]), map(float, arrays["limits"]), strict=True))
            numbers = {name: arrays[name].astype(np.float64) for name in _ARRAYS}
            return Model(names=tuple(map(str, arrays["names"])), **numbers, limits=limits, sha256=found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(
            f"{folder / WEIGHTS}: not the detector's weights ({error!r:.200}); restore both files from one release"
        ) from error


def write_model(model: Model, folder: Path = FOLDER) -> str:
    """Writes weights and listing; returns the sha256 of the weights, which are the same bytes for the same numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    target = io.BytesIO()
    np.savez(
        target,
        names=np.array(model.names),
        centre=model.centre.astype(np.float32),
        spread=model.spread.astype(np.float32),
        weights=model.weights.astype(np.float32),
        bias=model.bias.astype(np.float32),
        grid=model.grid.astype(np.float32),
        known=model.known.astype(np.float32),
        lost=model.lost.astype(np.float32),
        limit_names=np.array(list(model.limits)),
        limits=np.array(list(model.limits.values()), np.float64),
    )
    body = target.getvalue()
    digest = hashlib.sha256(body).hexdigest()
    (folder / WEIGHTS).write_bytes(body)
    (folder / LISTING).write_text(json.dumps({"sha256": digest}, indent=1) + "\n")
    return digest
