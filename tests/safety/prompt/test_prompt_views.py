"""Canonical views: offset maps, disguises undone, innocent text left alone."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings, strategies as st

from safety.prompt.obfuscation import DISGUISES
from safety.prompt.phrases import key_of
from safety.prompt.views import Views, canonical_views
from safety.prompt.words import Vocabulary

VOCABULARY = Vocabulary.of(
    ["decapitated", "naked", "nude", "taylor", "swift", "kill", "behead"],
    ["the", "a", "cat", "dog", "dances", "man", "rapist", "on", "sits", "mat", "moon", "see", "all"],
)
ANY_TEXT = st.text(st.characters(), max_size=120)


def final(text: str) -> str:
    return " ".join(canonical_views(text, VOCABULARY).final.text.split())


@settings(max_examples=400, deadline=None)
@given(ANY_TEXT)
@example("\ud800\x00\u202e\U0010ffff e\u0301\u0301")
@example("k i l l  t.h.e  n*de")
@example("İstanbul ﷺ ﬃ ß")
def test_every_view_maps_back_into_the_text(text: str) -> None:
    """Every character of every view of any string stands for code points inside the text, in order."""
    for view in canonical_views(text, VOCABULARY).all:
        assert len(view.starts) == len(view.ends) == len(view.text)
        assert list(view.starts) == sorted(view.starts)
        assert list(view.ends) == sorted(view.ends)
        assert all(0 <= a < b <= len(text) for a, b in zip(view.starts, view.ends, strict=True))
        key = key_of(view)
        assert len(key.at) == len(key.text)
        assert list(key.at) == sorted(key.at)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["zero-width", "homoglyphs", "leetspeak", "spaced", "fullwidth"]), st.integers(0, 10_000))
def test_a_span_in_a_view_is_the_disguised_word_in_the_text(disguise: str, seed: int) -> None:
    """A word found in the final view maps to exactly the disguised word that the user wrote."""
    word = DISGUISES[disguise]("decapitated", random.Random(seed))
    text = f"☂ the man, {word}, sits"
    view = canonical_views(text, VOCABULARY).final
    at = view.text.find("decapitated")
    assert at >= 0, view.text
    start, end = view.span(at, at + len("decapitated"))
    # an invisible character after the last letter belongs to the gap as much as to the word
    assert text[start:end].rstrip("\u200b\u200c\u200d\u2060\ufeff") == word.rstrip("\u200b\u200c\u200d\u2060\ufeff")


@pytest.mark.parametrize(
    ("text", "undone", "tampering"),
    [
        ("N\u200bu\u200dde", "nude", "zero-width"),
        ("nu\u202ede", "nude", "bidi"),
        ("nаkеd", "naked", "homoglyph"),
        ("ɴᴜᴅᴇ", "nude", "homoglyph"),
        ("🇳🇺🇩🇪", "nude", "homoglyph"),
        ("n4k3d", "naked", "leet"),
        ("n*de", "nude", "leet"),
        ("k!ll", "kill", "leet"),
        ("naaaaked", "naked", "repeated"),
        ("n a k e d", "naked", "spaced"),
        ("n.a.k.e.d", "naked", "spaced"),
        ("n_a_k_e_d", "naked", "spaced"),
        ("nak ed", "naked", "spaced"),
        ("T a y l o r  S w i f t", "taylor swift", "spaced"),
        ("t a y l o r s w i f t", "taylor swift", "spaced"),
        ("n̷̢̛̈ư̸̢̈d̵̢̛̈ë̸̢̛", "nude", "marks"),
    ],
)
def test_a_disguised_word_is_read_and_the_disguise_named(text: str, undone: str, tampering: str) -> None:
    """A disguised word is read as the word, and the disguise is named."""
    views = canonical_views(text, VOCABULARY)
    assert " ".join(views.final.text.replace(".", " ").split()) == undone
    assert tampering in views.tampering


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("the rapist", "the rapist"),  # two words stay two
        ("a 4k video, 1080p, 3D, 60fps at 5pm in the 50s", "a 4k video, 1080p, 3d, 60fps at 5pm in the 50s"),
        ("Plan A B C", "plan a b c"),
        ("U.S.A. and R.E.M.", "u.s.a. and r.e.m."),
        ("i see a cat", "i see a cat"),
        ("секс и рот", "секс и рот"),  # Russian stays Russian
        ("日本語のテキスト", "日本語のテキスト"),
        ("fr33d0m", "fr33d0m"),  # no word of the lexicon
        ("c*t", "c*t"),  # masks are guessed for listed words only
    ],
)
def test_text_without_a_disguise_is_left_alone(text: str, read: str) -> None:
    """Text without a disguise is read as it stands."""
    assert final(text) == read


def test_plain_ascii_has_one_view_and_no_tampering() -> None:
    """A plain prompt has a single view and no tampering."""
    views = canonical_views("A man walks his dog, slowly.", VOCABULARY)
    assert [view.name for view in views.all] == ["raw"]
    assert views.tampering == ()


def test_emoji_persian_and_accents_are_no_tampering() -> None:
    """Joiners in emoji, non-joiners in Persian, and accents are no tampering."""
    for text in ("family 👨‍👩‍👧 walks", "می‌خواهم", "café naïve Ångström", "❤️ heart"):
        assert canonical_views(text, VOCABULARY).tampering == ()


def test_case_and_compatibility_forms_fold() -> None:
    """Full-width, mathematical, circled and accented letters are read as plain ones."""
    for text in ("ＮＵＤＥ", "𝓷𝓾𝓭𝓮", "ⓝⓤⓓⓔ", "NÜDÉ"):
        assert final(text) == "nude"


@pytest.mark.parametrize("unit", ["a b ", "x\u0301", "e\u200b", "k1ll ", "сеx ", "😀", "\x00", "n.", "nak ed "])
def test_long_text_is_read_whole(unit: str) -> None:
    """A long hostile text is read to its last word."""
    text = unit * (100_000 // len(unit)) + " decapitated"
    assert canonical_views(text, VOCABULARY).final.text.endswith("decapitated")


def test_the_views_are_named_in_order() -> None:
    """The plain view has no invisible characters, and the final view has everything undone."""
    views: Views = canonical_views("nａk1ｅd\u200b", Vocabulary.of(["nakied"], []))
    assert views.plain.name == "plain"
    assert views.final.text == "nakied"
    assert canonical_views("abc", VOCABULARY).plain.name == "raw"
