"""Neutralising: names become plain words, the rest of the text stays, and every change is shown."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, strategies as st

from safety import Mention, NamesReader, neutralise
from safety.prompt import EmbeddedPromptClassifier

OFFERED = ("likeness/public-figure", "ip/character", "ip/logo", "ip/style")


@cache
def reader() -> EmbeddedPromptClassifier:
    return EmbeddedPromptClassifier()


def plain(text: str) -> str | None:
    new = neutralise(text, reader().named(text), OFFERED)
    return new.text if new else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Taylor Swift sings on a stage", "a musician sings on a stage"),
        ("a portrait of Elon Musk in the rain", "a portrait of a business leader in the rain"),
        ("the Elon Musk statue", "the business leader statue"),
        ("a Nike shoe on a table", "an unbranded shoe on a table"),
        ("A Coca-Cola can rolls", "An unbranded can rolls"),
        ("he drinks Coca-Cola and laughs", "he drinks an unbranded product and laughs"),
        ("Super Mario jumps", "an original game character jumps"),
        ("a castle in the style of Hayao Miyazaki, sunset", "a castle in an original style, sunset"),
        ("a castle in the style of Hayao Miyazaki and Greg Rutkowski, sunset", "a castle in an original style, sunset"),
        ("a portrait, by Artgerm", "a portrait, in an original style"),
        ("a quiet lake at dawn", None),
    ],
)
def test_names_become_plain_words(text: str, expected: str | None) -> None:
    """A public figure, a character, a brand and a living artist's style are put into plain words, articles fit."""
    assert plain(text) == expected


def test_a_disguised_name_is_replaced_where_it_stands() -> None:
    """A name written with zero-width characters is found and replaced in the user's own text."""
    new = plain("Tay\u200blor Swift sings")
    assert new == "a musician sings"


def test_only_offered_categories_change() -> None:
    """A category that the policy does not offer keeps its name."""
    text = "Taylor Swift drinks Coca-Cola"
    new = neutralise(text, reader().named(text), ["ip/logo"])
    assert new is not None
    assert new.text.startswith("Taylor Swift drinks")
    assert [change.category for change in new.changes] == ["ip/logo"]


@given(
    st.text(max_size=60),
    st.lists(st.tuples(st.integers(0, 59), st.integers(1, 12)), max_size=4),
    st.sampled_from(OFFERED),
)
def test_everything_outside_the_changes_stays(text: str, places: list[tuple[int, int]], category: str) -> None:
    """The new text is the old one with exactly the stated spans replaced by the stated words."""
    mentions = [Mention(category, "x", "n", (a, min(a + n, len(text)))) for a, n in places if a < len(text)]
    new = neutralise(text, mentions, OFFERED)
    if new is None:
        assert not mentions
        return
    rebuilt, done = "", 0
    for change in new.changes:
        start, end = change.span
        assert done <= start <= end <= len(text)
        assert text[start:end] == change.was
        rebuilt += text[done:start] + change.now
        done = end
    assert rebuilt + text[done:] == new.text


def test_the_embedded_classifier_reads_names() -> None:
    """The shipped classifier can say which names it found."""
    assert isinstance(reader(), NamesReader)
