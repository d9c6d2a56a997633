"""The rendered world: its words, its pictures, and the reader that measures one against the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from generator import vocabulary
from generator.world.captions import STYLES, caption
from generator.world.lexicon import PHRASES, SMALL_WORDS, phrase_table
from generator.world.parse import read_prompt, tokenize
from generator.world.reader import measure
from generator.world.render import render_clip
from generator.world.scene import BACKGROUNDS, CAMERAS, COLOURS, EMBLEM, KINDS, MOTIONS, SceneSpec, draw_scene
from media import canary_glyph

SHAPES = ((64, 40), (40, 64), (48, 48))


@given(seed=st.integers(0, 2**32), style=st.sampled_from(STYLES))
def test_a_caption_read_back_says_what_the_scene_is(seed: int, style: str) -> None:
    """Every attribute that is read from a scene's own caption is the scene's, and no word of it is ignored."""
    rng = np.random.default_rng(seed)
    scene = draw_scene(rng, emblem=0.1)
    reading = read_prompt(caption(scene, rng, style))  # type: ignore[arg-type]
    assert reading.words_ignored == ()
    assert reading.attributes.items() <= scene.words().items()
    assert reading.attributes["kind"] == scene.kind
    if style == "detailed":
        assert set(scene.words()) - set(reading.attributes) <= ({"colour"} if scene.kind == EMBLEM else set())


@given(seed=st.integers(0, 2**32))
def test_captions_use_the_closed_vocabulary_only(seed: int) -> None:
    """No caption holds a word that `vocabulary()` does not list."""
    rng = np.random.default_rng(seed)
    assert set(tokenize(caption(draw_scene(rng, emblem=0.1), rng))) <= vocabulary()


def test_every_value_of_every_attribute_can_be_said_and_drawn() -> None:
    """The lexicon names exactly the values that the renderer draws, each by a phrase with one meaning."""
    drawn = {
        "colour": tuple(COLOURS),
        "kind": (*KINDS, EMBLEM),
        "motion": MOTIONS,
        "background": BACKGROUNDS,
        "camera": CAMERAS,
    }
    assert {name: tuple(values) for name, values in PHRASES.items()} == drawn
    for attribute, values in PHRASES.items():
        for value, phrases in values.items():
            for phrase in phrases:
                assert read_prompt(phrase).attributes == {attribute: value}
    assert all(key != () for key in phrase_table())


def test_the_vocabulary_is_plain_words() -> None:
    """The vocabulary is lower-case words of letters, and each that is not a small one is part of a phrase."""
    assert all(word.isalpha() and word == word.lower() for word in vocabulary())
    assert {word for key in phrase_table() for word in key} == vocabulary() - SMALL_WORDS


@pytest.mark.parametrize(
    ("prompt", "attributes", "ignored"),
    [
        ("A RED cat, jumping over green grass!", {"colour": "red", "kind": "cat", "motion": "bounce",
                                                  "background": "meadow"}, ()),
        ("a cat under the blue sky", {"kind": "cat", "background": "sky"}, ()),
        ("the camera pans left", {"camera": "pan left"}, ()),
        ("a bird to the left", {"kind": "bird", "motion": "left"}, ()),
        ("a white ball and a red car", {"colour": "white", "kind": "ball"}, ("red", "car")),
        ("a fox in a tuxedo", {}, ("fox", "tuxedo")),
        ("", {}, ()),
        ("🦊 лиса 狐", {}, ("лиса", "狐")),
    ],
)  # fmt: skip
def test_prompts_are_read_by_the_longest_phrase(
    prompt: str, attributes: dict[str, str], ignored: tuple[str, ...]
) -> None:
    """A phrase counts as a whole, the first of an attribute wins, and what has no influence is listed."""
    reading = read_prompt(prompt)
    assert (reading.attributes, reading.words_ignored) == (attributes, ignored)


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    """No text makes the parser fail or name a value that the world does not have."""
    for name, value in read_prompt(text).attributes.items():
        assert value in PHRASES[name]


def test_a_scene_of_unknown_words_is_refused() -> None:
    """A scene with a value that is not of its list says which are."""
    with pytest.raises(ValueError, match="colour: 'beige'; give one of red"):
        SceneSpec("ball", "beige", "still", "sky", "static")


@given(seed=st.integers(0, 2**32), shape=st.sampled_from([(16, 16), (33, 21), (64, 40), (300, 260)]))
@settings(max_examples=15, deadline=None)
def test_rendering_is_exact_and_repeatable(seed: int, shape: tuple[int, int]) -> None:
    """The same scene gives the same pixels, uint8 RGB of exactly the size asked for."""
    scene = draw_scene(np.random.default_rng(seed))
    clip = render_clip(scene, shape, frames=2)
    assert clip.shape == (2, shape[1], shape[0], 3)
    assert clip.dtype == np.uint8
    assert np.array_equal(clip, render_clip(scene, shape, frames=2))


def test_the_reader_reads_ground_truth_and_nothing_from_strangers() -> None:
    """On rendered clips each attribute is read at least 99 % right, and near chance against shuffled captions."""
    rng = np.random.default_rng(77)
    scenes = [draw_scene(rng) for _ in range(200)]
    found = [measure(render_clip(s, SHAPES[rng.integers(3)])).words() for s in scenes]
    for name, values in (("kind", 12), ("colour", 8), ("motion", 8), ("background", 6), ("camera", 5)):
        right = np.mean([f[name] == s.words()[name] for f, s in zip(found, scenes, strict=True)])
        assert right >= 0.99, name
        orders = [np.roll(np.arange(200), k) for k in range(11, 190, 7)]
        strangers = np.mean([found[i][name] == s.words()[name] for o in orders for i, s in zip(o, scenes, strict=True)])
        chance = 0.4**2 + 4 * 0.15**2 if name == "camera" else 1 / values
        assert strangers <= chance + 0.02, name


@pytest.mark.parametrize("clip", [np.zeros((16, 40, 64, 3), np.uint8), np.full((16, 40, 64, 3), 112, np.uint8)])
def test_a_clip_without_a_subject_has_no_kind(clip: np.ndarray) -> None:
    """Where no subject can be found its three attributes are None, never a guess."""
    found = measure(clip)
    assert (found.kind, found.colour, found.motion) == (None, None, None)


def test_the_emblem_is_the_canary_glyph_itself() -> None:
    """An emblem in a scene shows the glyph's own colours: reduced to the drawn size, the pixels agree closely."""
    import cv2

    scene = SceneSpec(EMBLEM, "red", "still", "night", "static")
    frame = render_clip(scene, (320, 320), frames=1)[0]
    side = round(2 * 0.27 * 320)
    glyph = cv2.resize(canary_glyph(256), (side, side), interpolation=cv2.INTER_AREA)
    low = 160 - side // 2
    seen = frame[low : low + side, low : low + side].astype(float)
    solid = glyph[..., 3] == 255
    assert np.abs(seen - glyph[..., :3])[solid].mean() < 12
