"""The English part of the training corpus: how much there is, and that it is what it says."""

from __future__ import annotations

import random
import re
from collections import defaultdict

import pytest

from safety import is_category
from safety.prompt import corpus
from safety.prompt.corpus import grammar
from safety.prompt.gazetteer import Gazetteer
from safety.prompt.lexicon import Lexicon
from safety.prompt.minors import Cues, Level, minor_cue
from safety.prompt.reading import Reader

CATEGORIES = {
    "violence/graphic",
    "sexual",
    "hate",
    "self-harm",
    "illicit",
    "deception",
    "likeness/public-figure",
    "ip/character",
    "ip/logo",
    "ip/style",
}
NEAR = 0.4  # Jaccard similarity of word 3-grams from which two prompts are near-duplicates


def grams(text: str) -> frozenset[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return frozenset(tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2)))


def distinct(texts: list[str]) -> int:
    kept: list[frozenset[tuple[str, ...]]] = []
    for mine in map(grams, texts):
        if all(len(mine & other) < NEAR * len(mine | other) for other in kept):
            kept.append(mine)
    return len(kept)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(Lexicon.load(), Gazetteer.load(), Cues.load(), frozenset({"a", "the", "in", "on", "with", "and"}))


def test_there_are_150_distinct_pairs_a_category() -> None:
    """Every category has at least 150 pairs that differ on both sides, near-duplicates not counted."""
    sides: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for category, violating, innocent in corpus.pairs():
        sides[category][0].append(violating)
        sides[category][1].append(innocent)
    assert set(sides) == CATEGORIES
    assert all(is_category(category) for category in sides)
    assert {c: n for c, (bad, good) in sides.items() if (n := min(distinct(bad), distinct(good))) < 150} == {}


def test_near_duplicates_are_not_counted() -> None:
    """Two prompts that differ by a word count once, two that share only their subject count twice."""
    assert distinct(["a red fox trots across fresh deep snow", "a red fox trots across fresh deep mud"]) == 1
    assert distinct(["a red fox trots across fresh deep snow", "snow falls on a red fox at night"]) == 2


def test_no_prompt_stands_on_both_sides() -> None:
    """No text is both violating and innocent, and no violating prompt stands twice."""
    violating = [bad.lower() for _, bad, _ in corpus.pairs()]
    innocent = {good.lower() for _, _, good in corpus.pairs()} | {text.lower() for text in corpus.prompts("benign")}
    assert len(set(violating)) == len(violating)
    assert not innocent & set(violating)


def test_pairs_vary_in_length_and_form() -> None:
    """The violating prompts run from a few words to long ones, and hold questions, requests and captions."""
    texts = [bad for _, bad, _ in corpus.pairs()]
    lengths = sorted(len(text.split()) for text in texts)
    assert lengths[len(lengths) // 20] <= 6
    assert lengths[-len(lengths) // 20] >= 16
    assert lengths[-1] >= 50
    assert (
        sum(
            "?" in text
            or text.lower().startswith(("how ", "what ", "where ", "which ", "can ", "could ", "why ", "who "))
            for text in texts
        )
        >= 100
    )


def test_sexual_prompts_have_no_cue_of_a_minor(reader: Reader) -> None:
    """No sexual prompt of the corpus, nor its innocent twin, holds a strong cue of a minor: that category is a rule."""
    sexual = [text for category, *both in corpus.pairs() if category == "sexual" for text in both]
    sexual += [" ".join(steps) for category, *both in corpus.sequences() if category == "sexual" for steps in both]
    views = {text: reader.read(text).views[-1] for text in sexual}
    assert not [text for text, view in views.items() if minor_cue(view.key, view.hits).level is Level.STRONG]
    assert "sexual/minors" not in {category for category, *_ in corpus.pairs()}


def test_innocent_prompts_hold_no_name_and_hardly_a_signal(reader: Reader) -> None:
    """An innocent prompt names nobody, and the lexicon asks for review of at most one in a hundred."""
    texts = [good for _, _, good in corpus.pairs()] + corpus.prompts("benign")
    views = {text: reader.read(text).views[-1] for text in texts}
    assert not [text for text, view in views.items() if any(name.value >= 0.5 for name in view.names)]
    met = [text for text, view in views.items() if any(signal.value >= 0.5 for signal in view.signals.values())]
    assert len(met) <= 0.01 * len(texts), met


def test_there_are_500_innocent_captions_and_trigger_words_of_every_kind(reader: Reader) -> None:
    """There are a thousand innocent prompts, and most weak terms of the lexicon stand in one of the corpus."""
    texts = corpus.prompts("benign")
    assert len(set(texts)) == len(texts) >= 1000
    innocent = " ".join([*texts, *(good for _, _, good in corpus.pairs())]).lower()
    weak = {phrase for phrase, meaning in Lexicon.load().terms if getattr(meaning, "strength", "") == "weak"}
    single = {phrase for phrase in weak if " " not in phrase}
    found = {phrase for phrase in single if re.search(rf"\b{re.escape(phrase)}", innocent)}
    assert len(found) >= 0.9 * len(single), sorted(single - found)


def test_sequences_have_twins_step_by_step() -> None:
    """Fifty requests of several prompts cover every category; both twins have the same number of steps, none empty."""
    assert len(corpus.sequences()) >= 50
    assert {category for category, *_ in corpus.sequences()} == CATEGORIES
    for _, violating, innocent in corpus.sequences():
        assert len(violating) == len(innocent) >= 3
        assert all(violating + innocent)


def test_wrappers_take_any_prompt_and_negatives_are_many() -> None:
    """Each wrapper has exactly one place for a prompt, no two are alike, and there are fifty negative prompts."""
    wrappers = corpus.prompts("wrappers")
    assert len(set(wrappers)) == len(wrappers) >= 60
    assert all(wrapper.count("{}") == 1 for wrapper in wrappers)
    assert len(set(corpus.prompts("negative"))) >= 50


def test_pairs_are_multiplied_alike_on_both_sides() -> None:
    """A pair is varied in the same way on both sides, deterministically by seed, and the sides stay different."""
    pair = ("a man stabs a woman in a kitchen", "a man greets a woman in a kitchen")
    forms = grammar.varied(pair, 8, random.Random(4))
    assert forms == grammar.varied(pair, 8, random.Random(4))
    assert len(set(forms)) == 8
    for violating, innocent in forms:
        assert "stab" in violating.lower()
        assert "greet" in innocent.lower()
        assert (
            violating.lower().replace("stab", "#").split("#")[0] == innocent.lower().replace("greet", "#").split("#")[0]
        )
