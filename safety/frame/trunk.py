"""The embedded trunk: looks at every frame, knows fire by its patches, and fights by their motion over two seconds.

Both heads count kinds of patches (Fisher vectors of a learned mixture, see `scripts/train-frames`) and are small enough
for every frame of every video. `violence` is a signal for a person, never a ban; `depiction/fire` is information.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Mapping, Sequence
from importlib import resources

import numpy as np

from media import Frame
from safety.errors import ModelUnavailable
from safety.frame.flame import Tiles, tiles
from safety.frame.motion import CUBOID_NUMBERS, Cuboids, Motion
from safety.frame.runtime import Network, load_network
from safety.score import Absence
from safety.stages import FrameScore

FIRE, VIOLENCE = "depiction/fire", "violence"
WINDOW = 8  # stretches of motion, one every 0.2 to 0.3 s: the window is 1.9 to 2.8 s long, as the clips of training
_LISTING = "trunk.json"


class TrunkClassifier:
    """Two categories: `depiction/fire` of each frame by itself, `violence` of the window that ends with it.

    A single picture does not move: there `violence` is unsupported. A video gets a `session()` of its own.
    Raises ModelUnavailable where the weights are missing or not those that were trained.
    """

    name, version, licence = "trunk", "1", "Apache-2.0"
    look = "small"
    categories: tuple[str, ...] = (FIRE, VIOLENCE)
    cost_ms = 2.5

    def __init__(self) -> None:
        heads = _heads()
        self._fire, self._violence = heads["fire"], heads["violence"]
        joined = "\n".join(heads[name].sha256 for name in sorted(heads))
        self.weights_sha256: str | None = hashlib.sha256(joined.encode()).hexdigest()
        self.runtime: str | None = self._fire.description
        self.streams = self._fire.streams

    def session(self) -> TrunkSession:
        """A classifier for one stream of one video, which remembers its last seconds."""
        return TrunkSession(self)

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """One mapping a frame, each by itself."""
        return [{FIRE: (self.fire(tiles(f.small)), None), VIOLENCE: (Absence.UNSUPPORTED, None)} for f in frames]

    def fire(self, described: Tiles) -> float:
        """How surely something burns in the picture whose tiles these are."""
        return _value(self._fire, described)

    def violence(self, moving: Cuboids) -> float:
        """How surely people fight in a window with these cuboids; (0, 40) where nothing moved."""
        return _value(self._violence, moving)


class TrunkSession(TrunkClassifier):
    """The trunk along one stream of one video: shown every frame once, in order."""

    def __init__(self, trunk: TrunkClassifier) -> None:
        self.__dict__.update(trunk.__dict__)
        self.streams = 1  # what it says rests on the order
        self._motion = Motion()
        self._window: deque[Cuboids] = deque(maxlen=WINDOW)
        self._value = self.violence(np.zeros((0, CUBOID_NUMBERS), np.float32))

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """One mapping a frame; `violence` is that of the window so far, and renewed four or five times a second."""
        return [{FIRE: (self.fire(tiles(f.small)), None), VIOLENCE: (self._moved(f), None)} for f in frames]

    def _moved(self, frame: Frame) -> float:
        moving = self._motion.see(frame.small, frame.pts)
        if moving is not None:
            self._window.append(moving)
            self._value = self.violence(np.concatenate(self._window))
        return self._value


def _value(head: Network, described: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> float:
    (value,) = head.run({"patches": described})
    # The last bits depend on where in memory the input lies. NaN stays NaN, and so fails.
    return round(float(np.asarray(value).reshape(())), 4)


def _heads() -> dict[str, Network]:
    """The networks of the listing, each with the hash that stands there."""
    folder = resources.files("safety.frame") / "weights"
    try:
        listing = json.loads((folder / _LISTING).read_text())["sha256"]
        contents = {name: (folder / f"{name}.onnx").read_bytes() for name in ("fire", "violence")}
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnavailable(f"the trunk's weights cannot be read ({error}); install the package again") from error
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != listing.get(name):
            raise ModelUnavailable(f"{name}.onnx is not the file that was trained; install the package again")
    # The number of patches changes with every window: a back-end that plans for one size plans anew each time.
    return {name: load_network(content, backend="onnxruntime") for name, content in contents.items()}
