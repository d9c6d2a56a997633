"""A scene as data: one or two subjects that move over a background under a camera, in a style. All of it is benign.

Every attribute is from a closed list, so a caption can be written from a scene, a scene read from a caption, and the
attributes measured back off the frames.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Final, TypeVar

import numpy as np

Colour = tuple[int, int, int]
_T = TypeVar("_T")

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
OWN: Final = "own"  # the colour of a sprite that is not dyed; no caption says it
SHAPES: Final = ("ball", "square", "triangle", "star", "heart")  # drawn, in any colour
# Kind -> the letter of Noto Color Emoji that it is drawn from. The order is that of the cells of the atlas.
SPRITES: Final = MappingProxyType(
    {
        "cat": "\U0001f408", "dog": "\U0001f415", "fox": "\U0001f98a", "elephant": "\U0001f418",
        "pig": "\U0001f416", "penguin": "\U0001f427", "owl": "\U0001f989", "fish": "\U0001f420",
        "whale": "\U0001f433", "turtle": "\U0001f422", "frog": "\U0001f438", "panda": "\U0001f43c",
        "butterfly": "\U0001f98b", "bird": "\U0001f426", "runner": "\U0001f3c3", "snowman": "\u26c4",
        "car": "\U0001f697", "train": "\U0001f682", "rocket": "\U0001f680", "boat": "\u26f5",
        "apple": "\U0001f34e", "pizza": "\U0001f355", "house": "\U0001f3e0", "tree": "\U0001f333",
        "horse": "\U0001f40e", "rabbit": "\U0001f407", "cow": "\U0001f404", "camel": "\U0001f42b",
        "duck": "\U0001f986", "parrot": "\U0001f99c", "dolphin": "\U0001f42c", "octopus": "\U0001f419",
        "snail": "\U0001f40c", "bear": "\U0001f43b", "bee": "\U0001f41d", "crab": "\U0001f980",
        "dinosaur": "\U0001f995", "dancer": "\U0001f483", "robot": "\U0001f916", "bus": "\U0001f68c",
        "tractor": "\U0001f69c", "helicopter": "\U0001f681", "ship": "\U0001f6a2", "banana": "\U0001f34c",
        "hamburger": "\U0001f354", "cake": "\U0001f382", "mushroom": "\U0001f344", "strawberry": "\U0001f353",
        "cactus": "\U0001f335", "umbrella": "\u2602", "guitar": "\U0001f3b8", "sunflower": "\U0001f33b",
        "gift": "\U0001f381", "lamp": "\U0001f4a1",
    }
)  # fmt: skip
FACES_RIGHT: Final = frozenset(("penguin", "rocket"))  # the other sprites look to the left, or straight ahead
KINDS: Final = (*SHAPES, *SPRITES)
EMBLEM: Final = "emblem"  # the benign canary glyph: a word away, so that a gate can be proved end to end
MOTIONS: Final = ("left", "right", "up", "down", "bounce", "spin", "grow", "still", "behind", "meet")
BACKGROUNDS: Final = ("sky", "sea", "meadow", "night", "snow", "desert", "city", "room", "autumn", "blossom")
CAMERAS: Final = ("static", "pan left", "pan right", "zoom in", "zoom out", "tilt up", "tilt down")
COLOURLESS: Final = "black and white"
STYLES: Final = ("plain", COLOURLESS, "film", "watercolour", "pixel")
WEATHERS: Final = ("clear", "rain", "snowfall", "fog")
LIGHTS: Final = ("day", "sunset", "dark")
NOBODY: Final = ""  # of `second`: one subject
SPIN_S: Final = 2.0  # seconds a turn
BACKDROPS: Final = 4  # landscapes of a background that `draw_scene` draws from

VALUES: Final = MappingProxyType(
    {
        "kind": (*KINDS, EMBLEM),
        "colour": (*COLOURS, OWN),
        "motion": MOTIONS,
        "background": BACKGROUNDS,
        "camera": CAMERAS,
        "style": STYLES,
        "weather": WEATHERS,
        "light": LIGHTS,
        "second": (NOBODY, *KINDS),
    }
)
# What a prompt that says nothing of an attribute means.
UNSAID: Final = MappingProxyType(
    {"motion": "still", "camera": "static", "style": "plain", "weather": "clear", "light": "day", "second": NOBODY}
)


@dataclass(frozen=True)
class SceneSpec:
    """What is to be seen. The words are what a caption says; the numbers are what it leaves open.

    Raises ValueError for a word that is not of its list, for a drawn shape without a colour, and for a meeting of one.
    """

    kind: str
    colour: str
    motion: str
    background: str
    camera: str
    style: str = "plain"
    weather: str = "clear"
    light: str = "day"
    second: str = NOBODY  # another subject, in its own colours
    x: float = 0.0  # offset of the subject from the middle, in widths
    y: float = 0.0  # and in heights
    scale: float = 1.0  # of the subject's ordinary size
    backdrop_seed: int = 0  # where clouds, waves, stars and bushes stand

    def __post_init__(self) -> None:
        for name, allowed in VALUES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: {getattr(self, name)!r}; give one of {', '.join(filter(None, allowed))}")
        if self.kind in SHAPES and self.colour == OWN:
            raise ValueError(f"colour: a {self.kind} has none of its own; give one of {', '.join(COLOURS)}")
        if self.motion == "meet" and not self.second:
            raise ValueError("second: nobody to meet; give a second subject")

    def words(self) -> dict[str, str]:
        """The attributes that a caption can say."""
        said = {name: str(value) for name, value in asdict(self).items() if name in VALUES}
        return {name: value for name, value in said.items() if value not in (OWN, NOBODY)}


@dataclass(frozen=True)
class Range:
    """What `draw_scene` draws from: shares of what is not the plain case, and the kinds."""

    kinds: tuple[str, ...] = KINDS
    emblem: float = 0.0
    dyed: float = 0.12  # sprites in a colour that is not their own
    moved: float = 0.6  # cameras that do not stand
    styled: float = 0.4
    weather: float = 0.2
    dusk: float = 0.2
    pairs: float = 0.15
    backdrops: int = BACKDROPS


WHOLE: Final = Range()


def draw_scene(rng: np.random.Generator, of: Range = WHOLE, **fixed: str) -> SceneSpec:
    """A scene drawn at random, with the attributes of `fixed` as they are."""
    pick = _Pick(rng)
    kind = EMBLEM if rng.random() < of.emblem else pick(of.kinds)
    kind = fixed.get("kind", kind)
    pair = rng.random() < of.pairs and kind in SPRITES
    dyed = kind in SHAPES or (kind != EMBLEM and rng.random() < of.dyed)
    others = [name for name in of.kinds if name in SPRITES and name != kind] or [NOBODY]
    words = {
        "kind": kind,
        "colour": pick(tuple(COLOURS)) if dyed else OWN,
        "motion": pick(("left", "right", "still", "meet", "meet")) if pair else pick(MOTIONS[:-1]),
        "background": pick(BACKGROUNDS),
        "camera": pick(CAMERAS[1:]) if rng.random() < of.moved else CAMERAS[0],
        "style": pick(STYLES[1:]) if rng.random() < of.styled else STYLES[0],
        "weather": pick(WEATHERS[1:]) if rng.random() < of.weather else WEATHERS[0],
        "light": pick(LIGHTS[1:]) if rng.random() < of.dusk else LIGHTS[0],
        "second": pick(tuple(others)) if pair else NOBODY,
    }
    x, y, scale = rng.uniform(-0.04, 0.04), rng.uniform(-0.03, 0.03), rng.uniform(0.94, 1.06)
    return SceneSpec(**{**words, **fixed}, x=x, y=y, scale=scale, backdrop_seed=pick(tuple(range(of.backdrops))))


def planned(words: dict[str, str], seed: int) -> SceneSpec:
    """The scene of what a prompt says: what it leaves open is drawn from the seed, or is the plain case (`UNSAID`)."""
    of = Range(dyed=0.0, pairs=0.0)  # nothing is dyed and nobody comes along unless the prompt says so
    kind = {"kind": words["kind"]} if "kind" in words else {}
    scene = draw_scene(np.random.default_rng(seed), of, **kind)
    return replace(scene, **{**UNSAID, **words})  # type: ignore[arg-type]


class _Pick:
    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def __call__(self, values: tuple[_T, ...]) -> _T:
        return values[self._rng.integers(len(values))]
