"""Texts in another form: base64, rot13, backwards, emoji; undone where words come out."""

from __future__ import annotations

import base64
import codecs

import pytest
from hypothesis import given, settings, strategies as st

from safety.prompt.views import canonical_views
from safety.prompt.words import Vocabulary

TEXT = "the naked couple dances on the sofa in the house"
VOCABULARY = Vocabulary.of(
    ["naked", "knife", "blood", "decapitated"],
    ["the", "couple", "dances", "sofa", "house", "man", "video", "cat", "roof"],
)


def final(text: str) -> str:
    return " ".join(canonical_views(text, VOCABULARY).final.text.split())


@pytest.mark.parametrize(
    "written",
    [
        base64.b64encode(TEXT.encode()).decode(),
        base64.urlsafe_b64encode(TEXT.encode()).decode().rstrip("="),
        codecs.encode(TEXT, "rot13"),
        TEXT[::-1],
        " ".join(word[::-1] for word in TEXT.split()),
    ],
)
def test_text_in_another_form_is_read_and_named(written: str) -> None:
    """Base64, rot13, reversed texts and reversed words are read as what they stand for, and said to be encoded."""
    assert final(written) == TEXT
    assert "encoded" in canonical_views(written, VOCABULARY).tampering


def test_base64_inside_a_sentence_keeps_the_sentence_and_its_place() -> None:
    """A base64 word in a sentence is decoded in its place, and its span is the token that the user wrote."""
    token = base64.b64encode(b"naked couple").decode()
    text = f"video of {token} please"
    view = canonical_views(text, VOCABULARY).final
    assert view.text == "video of naked couple please"
    at = view.text.index("naked")
    start, end = view.span(at, at + 5)
    assert text[start:end] == token


def test_a_disguise_inside_base64_is_undone_as_well() -> None:
    """Leetspeak inside base64 is folded after decoding."""
    token = base64.b64encode(b"the n4k3d couple").decode()
    assert final(token) == "the naked couple"


@pytest.mark.parametrize(
    "text",
    [
        "3f2a9c8e7d6b5a4f3e2d1c0b9a8f7e6d",
        "AAAAAAAAAAAAAAAAAAAAAAAA",
        "un gato duerme en el tejado de la casa",
        base64.b64encode(b"\xff\xfe\x00\x01" * 6).decode(),
        base64.b64encode(b"zzq xkw vvj qqp").decode(),
        "antidisestablishmentarianism",
        "QWERTYUIOPASDFGHJ",
    ],
)
def test_what_decodes_to_no_words_is_left_alone(text: str) -> None:
    """Hashes, other languages, bytes and long words are no encoded text."""
    assert "encoded" not in canonical_views(text, VOCABULARY).tampering
    assert final(text) == text.lower()


def test_emoji_are_read_as_words_without_being_tampering() -> None:
    """A pictograph is read as a word, a joined pair as its slang, and neither is called a disguise."""
    views = canonical_views("a man 🔪🩸", VOCABULARY)
    assert " ".join(views.final.text.split()) == "a man knife blood"
    assert views.tampering == ()
    assert "sex" in final("two friends 🍆🍑")
    assert final("cat 🏠") == "cat house building"
    start, end = views.final.span(views.final.text.index("blood"), views.final.text.index("blood") + 5)
    assert "a man 🔪🩸"[start:end] == "🩸"


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("QWJhYWxs=+/-_aGVsbG8🔪🍆💦\u200b \n☠️4"), max_size=80))
def test_spans_of_decoded_views_lie_in_the_text(text: str) -> None:
    """Whatever looks like base64 or emoji, every character of every view stands for code points in order."""
    for view in canonical_views(text, VOCABULARY).all:
        assert len(view.text) == len(view.starts) == len(view.ends)
        assert list(view.starts) == sorted(view.starts)
        assert all(0 <= a < b <= len(text) for a, b in zip(view.starts, view.ends, strict=True))
