"""Captions written from scenes: short, detailed, paraphrased, and with clauses left out."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from generator.world.lexicon import PHRASES
from generator.world.scene import UNSAID, SceneSpec

Style = Literal["short", "detailed", "paraphrased", "dropped"]
STYLES: Final[tuple[Style, ...]] = ("short", "detailed", "paraphrased", "dropped")

_PLACES: Final = {
    "sky": ("in the", "against the"),
    "sea": ("over the", "on the", "above the"),
    "meadow": ("over the", "on the", "in the"),
    "night": ("in the", "at"),
    "snow": ("over the", "on the", "in the"),
    "desert": ("over the", "in the", "on the"),
    "city": ("in the", "in front of the"),
    "room": ("in the",),
    "autumn": ("in the", "in front of the"),
    "blossom": ("in the", "in front of the"),
}
_MANNERS: Final = ("", "", "slowly", "gently", "smoothly", "steadily")
# Of several phrases the plain one is written half of the time, so that a small model sees it often.
_PLAIN: Final = 0.5
_TURNED: Final = 0.15  # the chance that a clause comes first
_KEPT: Final = 0.65  # the chance that a clause of a "dropped" caption stays


def caption(scene: SceneSpec, rng: np.random.Generator, style: Style | None = None) -> str:
    """A caption of the scene, in a style drawn at random where none is asked for."""
    style = style or STYLES[rng.choice(len(STYLES), p=(0.3, 0.25, 0.25, 0.2))]
    words = scene.words()
    said = set(words)
    if style == "dropped":
        said = {name for name in said if name in ("kind", "second", "motion") or rng.random() < _KEPT}
    for name in ("camera", "style", "weather", "light"):
        if words[name] == UNSAID[name] and (style != "detailed" or name in ("weather", "style")) and rng.random() < 0.7:
            said.discard(name)  # who says nothing of the camera means that it stands
    if scene.background == "night":
        said.discard("light")  # it would be read as another place
    plain = style == "short"
    phrases = {name: _phrase(name, words[name], rng, plain) for name in sorted(said)}
    return _detailed(scene, phrases, rng) if style == "detailed" else _sentence(scene, phrases, rng)


def _phrase(name: str, value: str, rng: np.random.Generator, plain: bool) -> str:
    phrases = PHRASES["kind" if name == "second" else name][value]
    return phrases[0] if plain or rng.random() < _PLAIN else phrases[rng.integers(len(phrases))]


def _subject(words: dict[str, str], look: str = "") -> str:
    first = " ".join(filter(None, ("a", look, words.get("colour"), words["kind"])))
    return f"{first} and a {words['second']}" if "second" in words else first


def _setting(words: dict[str, str]) -> list[str]:
    """The clauses on light, weather and style, each after a comma."""
    made = {"light": "in {}", "weather": "in {}", "style": "in {} style"}
    return [form.format(words[name]) for name, form in made.items() if name in words]


def _sentence(scene: SceneSpec, words: dict[str, str], rng: np.random.Generator) -> str:
    parts = [_subject(words), words.get("motion", "")]
    if "background" in words:
        places = _PLACES[scene.background]
        parts += [places[rng.integers(len(places))], words["background"]]
        if rng.random() < _TURNED:
            parts = [*parts[2:], ",", *parts[:2]]
    text = ", ".join([" ".join(filter(None, parts)).replace(" ,", ","), *_setting(words)])
    if "camera" not in words:
        return text
    return f"{words['camera']}, {text}" if rng.random() < _TURNED else f"{text}, {words['camera']}"


def _detailed(scene: SceneSpec, words: dict[str, str], rng: np.random.Generator) -> str:
    manner = _MANNERS[rng.integers(len(_MANNERS))]
    look = ("bright", "vivid", "plain")[rng.integers(3)]
    places = _PLACES[scene.background]
    subject = _subject(words, look)
    act = f"{manner} {words['motion']}" if "motion" in words else ""
    where = f"{places[rng.integers(len(places))]} {words['background']}" if "background" in words else ""
    seen = f", while the {words['camera']}" if "camera" in words else ""
    setting = "".join(f", {clause}" for clause in _setting(words))
    ending = (", in a simple flat cartoon style", ", animated", "")[rng.integers(3)]
    return " ".join(f"{subject} {act} {where}{seen}{setting}{ending}.".split()).replace(" ,", ",")
