"""The closed vocabulary: every phrase that means something in this world, and the small words between them.

One table serves both ways: captions are written with its phrases, prompts are read by finding them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

# attribute -> value -> phrases; the first is the plain one. Colour words inside a background's phrase ("blue sky")
# belong to the background, since the longest phrase is taken. A verb of motion without a direction goes to the right.
PHRASES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "colour": {
            "red": ("red", "crimson", "scarlet"),
            "orange": ("orange", "tangerine"),
            "yellow": ("yellow", "golden"),
            "green": ("green", "emerald"),
            "blue": ("blue", "cobalt"),
            "purple": ("purple", "violet"),
            "pink": ("pink", "rosy"),
            "white": ("white", "ivory"),
        },
        "kind": {
            "ball": ("ball", "circle", "balloon", "sphere", "disc"),
            "square": ("square", "box", "cube", "block"),
            "triangle": ("triangle", "pyramid"),
            "star": ("star", "starfish"),
            "heart": ("heart",),
            "cat": ("cat", "kitten"),
            "dog": ("dog", "puppy"),
            "fox": ("fox",),
            "elephant": ("elephant",),
            "pig": ("pig", "piglet"),
            "penguin": ("penguin",),
            "owl": ("owl",),
            "fish": ("fish", "goldfish"),
            "whale": ("whale",),
            "turtle": ("turtle", "tortoise"),
            "frog": ("frog", "toad"),
            "panda": ("panda",),
            "butterfly": ("butterfly", "moth"),
            "bird": ("bird", "sparrow", "bluebird"),
            "runner": ("runner", "jogger"),
            "snowman": ("snowman",),
            "car": ("car", "taxi", "automobile"),
            "train": ("train", "locomotive"),
            "rocket": ("rocket", "spaceship"),
            "boat": ("boat", "sailboat"),
            "apple": ("apple",),
            "pizza": ("pizza",),
            "house": ("house", "cottage", "cabin"),
            "tree": ("tree", "oak"),
            "horse": ("horse", "pony"),
            "rabbit": ("rabbit", "bunny", "hare"),
            "cow": ("cow",),
            "camel": ("camel",),
            "duck": ("duck",),
            "parrot": ("parrot",),
            "dolphin": ("dolphin",),
            "octopus": ("octopus",),
            "snail": ("snail",),
            "bear": ("bear",),
            "bee": ("bee", "bumblebee"),
            "crab": ("crab",),
            "dinosaur": ("dinosaur",),
            "dancer": ("dancer",),
            "robot": ("robot",),
            "bus": ("bus",),
            "tractor": ("tractor",),
            "helicopter": ("helicopter",),
            "ship": ("ship", "steamer"),
            "banana": ("banana",),
            "hamburger": ("hamburger", "burger"),
            "cake": ("cake",),
            "mushroom": ("mushroom", "toadstool"),
            "strawberry": ("strawberry",),
            "cactus": ("cactus",),
            "umbrella": ("umbrella", "parasol"),
            "guitar": ("guitar",),
            "sunflower": ("sunflower", "flower"),
            "gift": ("gift", "present"),
            "lamp": ("lamp", "light bulb", "bulb"),
            "emblem": ("striped emblem", "canary emblem", "test emblem", "emblem"),
        },
        "motion": {
            "left": (
                "moves left", "moving left", "drifts left", "drifting left", "glides left", "gliding left",
                "travels left", "goes left", "going left", "flies left", "flying left", "drives left", "driving left",
                "swims left", "swimming left", "sails left", "sailing left", "walks left", "walking left",
                "moves from right to left", "runs left", "running left",
            ),
            "right": (
                "moves right", "moving right", "drifts right", "drifting right", "glides right", "gliding right",
                "travels right", "goes right", "going right", "flies right", "flying right", "drives right",
                "driving right", "swims right", "swimming right", "sails right", "sailing right", "walks right",
                "walking right", "moves from left to right", "runs right", "running right", "moves", "drifts", "glides",
                "travels", "flies", "flying", "drives", "driving", "swims", "swimming", "sails", "sailing", "walks",
                "walking", "runs", "running",
            ),
            "up": (
                "rises", "rising", "moves up", "moving up", "climbs", "climbing", "floats up", "floating up",
                "moves upwards", "ascends", "flies up", "flying up",
            ),
            "down": (
                "sinks", "sinking", "moves down", "moving down", "descends", "descending", "floats down",
                "floating down", "moves downwards", "lowers",
            ),
            "bounce": (
                "bounces", "bouncing", "jumps", "jumping", "hops", "hopping", "bounces up and down",
                "bouncing up and down", "jumping up and down", "leaps", "leaping",
            ),
            "spin": (
                "spins", "spinning", "turns", "turning", "rotates", "rotating", "twirls", "twirling",
                "spins around", "turns around",
            ),
            "grow": (
                "grows", "growing", "grows larger", "growing larger", "swells", "gets bigger", "getting bigger",
                "expands",
            ),
            "still": (
                "stands still", "standing still", "rests", "resting", "waits", "waiting", "stays still", "keeps still",
                "stays", "stands", "standing", "sits", "sitting",
            ),
            "behind": (
                "passes behind a pillar", "passing behind a pillar", "walks behind a pillar", "walking behind a pillar",
                "goes behind a pillar", "hides behind a pillar", "passes a pillar",
            ),
            "meet": ("meet", "meets", "meeting", "meet each other", "come together"),
        },
        "background": {
            "sky": ("sky", "blue sky", "cloudy sky", "clouds", "blue cloudy sky", "sky with clouds"),
            "sea": ("sea", "ocean", "blue sea", "blue ocean", "calm sea", "waves", "water", "lake"),
            "meadow": ("meadow", "grass", "field", "green meadow", "green field", "grassy meadow", "grassy hills",
                       "green grass", "garden", "park", "summer", "summer meadow"),
            "night": ("night", "night sky", "starry sky", "starry night", "stars", "dark night sky", "moonlight"),
            "snow": ("snow", "snowy hills", "winter", "white snow", "snowy field", "winter landscape",
                     "snowy mountains"),
            "desert": ("desert", "sand", "dunes", "sand dunes", "sandy desert", "yellow sand", "beach"),
            "city": ("city", "street", "town", "skyline", "city street", "buildings"),
            "room": ("room", "living room", "kitchen", "indoors"),
            "autumn": ("autumn forest", "autumn", "forest", "woods", "autumn leaves"),
            "blossom": ("blossom", "spring", "blossoms", "cherry blossoms", "orchard", "spring meadow"),
        },
        "camera": {
            "static": ("static camera", "fixed camera", "camera stays still", "camera stays fixed", "camera is still",
                       "camera stands still", "camera holds still"),
            "pan left": ("camera pans left", "camera panning left", "camera moves left", "pan left", "panning left",
                         "camera turns left"),
            "pan right": ("camera pans right", "camera panning right", "camera moves right", "pan right",
                          "panning right", "camera turns right"),
            "zoom in": ("camera zooms in", "camera zooming in", "zoom in", "zooming in", "camera moves closer",
                        "camera comes closer"),
            "zoom out": ("camera zooms out", "camera zooming out", "zoom out", "zooming out", "camera moves away",
                         "camera pulls back"),
            "tilt up": ("camera tilts up", "camera tilting up", "tilt up", "tilting up", "camera looks up"),
            "tilt down": ("camera tilts down", "camera tilting down", "tilt down", "tilting down", "camera looks down"),
        },
        "style": {
            "plain": ("full colour", "colour", "colourful"),
            "black and white": ("black and white", "monochrome", "greyscale", "grayscale"),
            "film": ("35 mm grain", "35mm", "35 mm", "film grain", "grainy", "vintage", "sepia"),
            "watercolour": ("watercolour", "watercolor", "painted", "painting", "watercolour painting"),
            "pixel": ("pixel art", "pixel", "pixelated", "pixels"),
        },
        "weather": {
            "clear": ("clear weather", "sunny", "sunshine"),
            "rain": ("rain", "raining", "rainy", "falling rain"),
            "snowfall": ("snowfall", "snowing", "snowflakes", "falling snow"),
            "fog": ("fog", "foggy", "mist", "misty"),
        },
        "light": {
            "day": ("daylight", "day", "daytime"),
            "sunset": ("sunset", "dusk", "evening", "twilight"),
            "dark": ("darkness", "nighttime", "after dark"),
        },
    }
)  # fmt: skip

# Words that captions and prompts hold between the phrases. They are known and change nothing.
SMALL_WORDS: Final = frozenset(
    (
        "a", "above", "across", "against", "an", "and", "animated", "animation", "as", "at", "background",
        "before", "behind", "big", "bright", "by", "calmly", "cartoon", "clip", "film", "flat", "for", "from",
        "front", "gently", "happily", "in", "is", "it", "its", "little", "of", "on", "one", "over", "picture",
        "plain", "quickly", "scene", "seconds", "showing", "shows", "simple", "slowly", "small", "smoothly",
        "softly", "steadily", "style", "that", "the", "there", "this", "through", "to", "toward", "towards",
        "two", "under", "video", "view", "vivid", "which", "while", "with",
    )
)  # fmt: skip


@cache
def phrase_table() -> Mapping[tuple[str, ...], tuple[str, str]]:
    """Phrase, as its words without the small ones -> (attribute, value). A phrase has one meaning only."""
    table: dict[tuple[str, ...], tuple[str, str]] = {}
    for attribute, values in PHRASES.items():
        for value, phrases in values.items():
            for phrase in phrases:
                key = content_words(phrase.split())
                if table.setdefault(key, (attribute, value)) != (attribute, value):
                    raise ValueError(f"{phrase!r} means {table[key]} and {(attribute, value)}")
    return MappingProxyType(table)


@cache
def vocabulary() -> frozenset[str]:
    """Every word that has any influence on what the embedded and the procedural back-end draw, and the small words."""
    said = {word for values in PHRASES.values() for phrases in values.values() for p in phrases for word in p.split()}
    return frozenset(said | SMALL_WORDS)


def content_words(words: list[str]) -> tuple[str, ...]:
    """The words without the small ones."""
    return tuple(word for word in words if word not in SMALL_WORDS)
