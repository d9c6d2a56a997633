"""How often three neighbouring steps fall, stay or rise: the finest detail of a picture as counts.

The residual co-occurrences of image forensics in their smallest form. Of everything that was tried (see the model
card), these numbers carry over best to generators and cameras that the detector never saw: a few dozen counts of what
the sensor, the decoder and the codec leave at the finest scale, which say little of what is shown.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.spatial import SQUARE, Floats, Named, filtered, halved

PICTURES: Final = 4  # of a stretch, evenly spread
LINES: Final = {"whole": (1.0, 3.0), "half": (3.0,)}  # grey levels; a smaller step counts as none
_KINDS: Final = 27  # three steps of three kinds


def measured(luma: NDArray[np.uint8], _chroma: NDArray[np.uint8]) -> Named:
    """The counts of a stretch, as logarithms of shares: luma (T, H, W); colour is not looked at."""
    places = np.unique(np.linspace(0, len(luma) - 1, PICTURES).round().astype(int))
    Y = luma[places].astype(np.float32)  # (P, H, W)
    made: Named = {}
    for scale, planes, apart in (("whole", Y, 4), ("half", halved(Y), 2)):
        for name, steps in _steps(planes, apart).items():
            for line in LINES[scale]:
                made |= {f"{scale}/{name}/{line:g}/{kind}": share for kind, share in _shares(steps, line).items()}
    return made


def _steps(planes: Floats, apart: int) -> dict[str, Floats]:
    """Four residuals, each with the axis along which neighbours are counted at the end; every `apart`-th line."""
    return {
        "rise": np.diff(planes, axis=2)[:, ::apart],
        "bend": np.diff(planes, 2, axis=2)[:, ::apart],
        "upright": np.diff(planes, 2, axis=1).transpose(0, 2, 1)[:, ::apart],
        "square": filtered(planes, SQUARE)[:, 2:-2:apart, 2:-2],
    }


def _shares(steps: Floats, line: float) -> dict[str, float]:
    """Logarithms of the shares of each class of three neighbours."""
    kind = (steps > line).view(np.int8) - (steps < -line).view(np.int8) + np.int8(1)
    code = kind[..., :-2] * np.int8(9) + kind[..., 1:-1] * np.int8(3) + kind[..., 2:]
    names, classes = _classes()
    counts = np.bincount(classes, np.bincount(code.ravel(), minlength=_KINDS), minlength=len(names))
    return dict(zip(names, map(float, np.log(counts / code.size + 1e-4)), strict=True))


@lru_cache(maxsize=1)
def _classes() -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Names of the classes, and of every code its class: mirror images and negatives are the same."""
    names: list[str] = []
    classes = []
    for a, b, c in product((-1, 0, 1), repeat=3):
        name = "".join("-0+"[1 + one] for one in max((a, b, c), (-a, -b, -c), (c, b, a), (-c, -b, -a)))
        if name not in names:
            names.append(name)
        classes.append(names.index(name))
    return tuple(names), np.array(classes)
