"""Descriptions without a name: the list of what somebody is known for, the search in it, and what reaches review."""

from __future__ import annotations

from importlib import resources

import pytest
from hypothesis import given, settings, strategies as st

from safety import Item, ModelUnavailable, Stage
from safety.prompt import EmbeddedPromptClassifier
from safety.prompt.corpus.described import descriptions
from safety.prompt.told import Descriptions, known

RARITY = (resources.files("safety.prompt") / "weights" / "rarity.json").read_bytes()
CATEGORIES = {"ip/character", "likeness/public-figure", "ip/logo", "ip/style"}


@pytest.fixture(scope="module")
def searched() -> Descriptions:
    return Descriptions.load(RARITY)


@pytest.fixture(scope="module")
def classifier() -> EmbeddedPromptClassifier:
    return EmbeddedPromptClassifier()


def values(classifier: EmbeddedPromptClassifier, text: str) -> dict[str, float]:
    scores = classifier.score(Item.text(Stage.PROMPT, "p", text), text)
    return {score.category: score.value or 0.0 for score in scores}


def test_every_line_tells_somebody_apart_and_shares_something() -> None:
    """Four hundred lines in four categories; each has a telling phrase, one that others share, and an innocent base."""
    lines = list(known())
    assert len(lines) >= 400
    assert {line.category for line in lines} == CATEGORIES
    assert [line.base for line in lines if not (line.telling and line.shared and line.base and line.innocent)] == []
    shared = [(line.base, phrase) for line in lines for phrase in line.shared if phrase in line.telling]
    assert shared == []


def test_the_list_names_nobody(classifier: EmbeddedPromptClassifier) -> None:
    """No line holds a name that the gazetteer would refuse: descriptions are what is left when names are known."""
    texts = [text for line in known() for text in (line.base, *line.telling, *line.shared)]
    named = {text: found for text in texts if (found := classifier.named(text))}
    assert len(named) <= 0.01 * len(texts), named


def test_the_grammar_makes_pairs_that_share_words() -> None:
    """The same seed gives the same pairs, no violating text equals an innocent one, and twins share some words."""
    pairs = list(descriptions(2, 5))
    assert pairs == list(descriptions(2, 5))
    violating, innocent = {bad for _, _, bad, _ in pairs}, {good for *_, good in pairs}
    assert not violating & innocent
    assert (
        sum(bool(set(bad.split()) & set(good.split()) - {"a", "the", "of"}) for *_, bad, good in pairs) > len(pairs) / 2
    )


def test_telling_words_together_are_loud_and_single_ones_are_not(searched: Descriptions) -> None:
    """A scar like lightning beside round glasses is loud; round glasses, a wizard or a moustache alone are not."""
    loud = searched.signals("a boy wizard with a lightning scar and round glasses")["ip/character"]
    assert loud > 1.0
    for quiet in ("a boy with round glasses", "an old wizard reads", "a man with a moustache", "lightning over a city"):
        assert searched.signals(quiet).get("ip/character", 0.0) < loud / 2


def test_long_texts_do_not_add_up(searched: Descriptions) -> None:
    """Ten thousand ordinary words are no louder than their loudest stretch."""
    caption = "a cat sleeps on a red sofa while rain falls on the window and a clock ticks in the hall "
    assert (
        searched.signals(caption * 500).get("ip/character", 0.0) <= searched.signals(caption * 6)["ip/character"] + 1e-6
    )


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=300))
def test_any_text_gets_signals_in_bounds(searched: Descriptions, text: str) -> None:
    """Whatever the string, every signal lies between 0 and 3 and stands for a category of descriptions."""
    for category, value in searched.signals(text).items():
        assert category in CATEGORIES
        assert 0.0 <= value <= 3.0


@pytest.mark.parametrize("broken", [b"", b"{}", b'{"texts": "many", "words": {}}', b"[1]"])
def test_a_broken_table_is_refused(broken: bytes) -> None:
    """A table of rarity that cannot be read is a typed error with its name, not a search that finds nothing."""
    with pytest.raises(ModelUnavailable, match=r"rarity\.json"):
        Descriptions.load(broken)


DESCRIBED = {
    "the boy wizard with a lightning scar": "ip/character",
    "the plumber in red with a moustache jumping on mushrooms": "ip/character",
    "a hero in a red and blue suit who shoots webs from his wrists between skyscrapers": "ip/character",
    "a blonde ice queen with a braid builds an ice palace and sings about letting it go": "ip/character",
    "the shirtless Russian president riding a horse": "likeness/public-figure",
    "the world's richest man who builds electric cars and rockets, smoking on a podcast": "likeness/public-figure",
    "a paper coffee cup with the green two-tailed mermaid of the coffee chain": "ip/logo",
    "golden arches of the famous fast food restaurant at night": "ip/logo",
}
INNOCENT = [
    "a boy in a school play holds a paper star",
    "a plumber in blue overalls repairs a pipe under the sink",
    "a climber in a red and blue jacket on an icy wall",
    "a girl with a braid builds a snowman",
    "a farmer riding a horse without a saddle at dawn",
    "a podcaster with headphones interviews a beekeeper",
    "an apple lies beside a laptop on a desk",
    "a small restaurant with golden lamps at night",
]


@pytest.mark.parametrize(("text", "category"), DESCRIBED.items())
def test_plain_descriptions_ask_for_a_look(classifier: EmbeddedPromptClassifier, text: str, category: str) -> None:
    """What everybody would recognise asks for a look in its category."""
    assert values(classifier, text)[category] >= 0.5


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_twins_are_let_through(classifier: EmbeddedPromptClassifier, text: str) -> None:
    """The same words in other company reach no review."""
    assert max(values(classifier, text).values()) < 0.5
