"""A scene as data: one subject of one colour that moves over a background under a camera. All of it is benign.

Every attribute is from a closed list, so a caption can be written from a scene, a scene read from a caption, and the
attributes measured back off the frames.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

Colour = tuple[int, int, int]

# Saturated and far apart; backgrounds are muted, so that a reader can tell a subject from what is behind it.
COLOURS: Final = MappingProxyType(
    {
        "red": (220, 30, 30),
        "orange": (255, 130, 0),
        "yellow": (255, 228, 0),
        "green": (0, 140, 50),
        "blue": (30, 70, 235),
        "purple": (140, 40, 200),
        "pink": (255, 110, 190),
        "white": (255, 255, 255),
    }
)
KINDS: Final = (
    "ball", "square", "triangle", "star", "heart", "fish", "bird", "cat", "house", "tree", "car", "boat",
)  # fmt: skip
EMBLEM: Final = "emblem"  # the benign canary glyph: a word away, so that a gate can be proved end to end
MOTIONS: Final = ("left", "right", "up", "down", "bounce", "spin", "grow", "still")
BACKGROUNDS: Final = ("sky", "sea", "meadow", "night", "snow", "desert")
CAMERAS: Final = ("static", "pan left", "pan right", "zoom in", "zoom out")

_VALUES: Final = {
    "kind": (*KINDS, EMBLEM),
    "colour": tuple(COLOURS),
    "motion": MOTIONS,
    "background": BACKGROUNDS,
    "camera": CAMERAS,
}


@dataclass(frozen=True)
class SceneSpec:
    """What is to be seen. The five words are what a caption says; the numbers are what it leaves open.

    Raises ValueError for a word that is not of its list.
    """

    kind: str
    colour: str
    motion: str
    background: str
    camera: str
    x: float = 0.0  # offset of the subject from the middle, in widths
    y: float = 0.0  # and in heights
    scale: float = 1.0  # of the subject's ordinary size
    backdrop_seed: int = 0  # where clouds, waves, stars and bushes stand

    def __post_init__(self) -> None:
        for name, allowed in _VALUES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: {getattr(self, name)!r}; give one of {', '.join(allowed)}")

    def words(self) -> dict[str, str]:
        """The five attributes that a caption can say."""
        return {name: str(value) for name, value in asdict(self).items() if name in _VALUES}


def draw_scene(rng: np.random.Generator, emblem: float = 0.0, **fixed: str) -> SceneSpec:
    """A scene drawn at random, with the attributes of `fixed` as they are; the emblem with probability `emblem`."""
    kind = EMBLEM if rng.random() < emblem else KINDS[rng.integers(len(KINDS))]
    still_camera = rng.random() < 0.4  # pans and zooms share the rest
    words = {
        "kind": kind,
        "colour": tuple(COLOURS)[rng.integers(len(COLOURS))],
        "motion": MOTIONS[rng.integers(len(MOTIONS))],
        "background": BACKGROUNDS[rng.integers(len(BACKGROUNDS))],
        "camera": CAMERAS[0] if still_camera else CAMERAS[1 + rng.integers(len(CAMERAS) - 1)],
    }
    x, y, scale = rng.uniform(-0.06, 0.06), rng.uniform(-0.04, 0.04), rng.uniform(0.9, 1.1)
    return SceneSpec(**{**words, **fixed}, x=x, y=y, scale=scale, backdrop_seed=int(rng.integers(2**31)))
