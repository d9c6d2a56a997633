"""The page for people: it says what was found, and no stranger's text becomes markup or a terminal command."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from provenance import Credentials, Ingredient, Signer, State, Trust, plain, read, verification_page

HOSTILE = "</dd><script>alert(1)</script><img src=x onerror=alert(1)>\"' onload='x' \x1b[2J\u202egnp.exe&amp;"
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "article"),
    *("dl", "dt", "dd", "ul", "li", "small"),
}


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _seen(page: str) -> _Seen:
    seen = _Seen()
    seen.feed(page)
    assert seen.tags <= ALLOWED
    assert seen.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    return seen


def _everywhere(words: str, state: State = State.INVALID) -> Credentials:
    signer = Signer(words, words, words, words)
    leaf = Ingredient(words, words, words, words, state, (words,), signer, ())
    decision = {"policy": {"id": words, "version": words}, "decisions": [{"id": words, "stage": words}, words]}
    found = Credentials(words, state, (words,), state, (replace(leaf, ingredients=(leaf,)),), signer, words)
    return replace(found, decision=decision, digital_source_types=(words,), note=words)


def test_nothing_of_a_strangers_text_becomes_markup() -> None:
    """Script, attributes, entities, escape sequences and direction marks end as harmless text, wherever they stand."""
    page = verification_page([_everywhere(HOSTILE, state) for state in State])
    seen = _seen(page)
    assert "alert(1)" in "".join(seen.text)
    assert not {"\x1b", "\u202e"} & set(page)
    assert "default-src 'none'" in page


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_stays_text(words: str) -> None:
    """Whatever a manifest says, the page has the same elements."""
    _seen(verification_page([_everywhere(words)]))
    assert all(character.isprintable() or character.isspace() for character in plain(words)) or words


def test_a_real_page_says_what_was_found(signed: Path, video: Path, trust: Trust, tmp_path: Path) -> None:
    """State in words, signer, decision, actions; and of an unsigned file that its absence proves nothing."""
    page = verification_page([read(signed, trust), read(video, trust), read(tmp_path / "absent", trust)])
    text = "".join(_seen(page).text)
    for words in ("trusted: unchanged", "Assay development signer", "c2pa.created", "dec_frame-allow", "3 files",
                  "says nothing about whether it is real", "could not be looked at"):  # fmt: skip
        assert words in text


def test_a_strangers_name_is_not_shown_as_if_it_were_known(signed: Path, trust: Trust) -> None:
    """Of a file that is not trusted the page says that signer and moderation are its own word; of a trusted one not."""
    words = "nobody who vouches"
    assert words not in verification_page([read(signed, trust)])
    assert verification_page([read(signed, Trust())]).count(words) == 2


def test_a_huge_tree_is_cut() -> None:
    """A tree of thousands of ingredients does not make a page of thousands of lines."""
    leaf = Ingredient("x", "parentOf", None, None, State.VALID, (), None, ())
    found = replace(_everywhere("x"), ingredients=(leaf,) * 5000)
    assert verification_page([found]).count("<li>") < 400


@pytest.mark.parametrize(("words", "shown"), [("a\x1b[31mb", "a\N{REPLACEMENT CHARACTER}[31mb"), ("x" * 900, 501)])
def test_words_for_a_terminal_are_plain(words: str, shown: str | int) -> None:
    """Control characters are replaced, long text is cut."""
    assert plain(words) == shown or len(plain(words)) == shown
