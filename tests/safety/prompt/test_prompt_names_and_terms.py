"""Gazetteer, lexicon and the rule on minors, each by itself."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from safety import PolicyError
from safety.prompt import minors
from safety.prompt.corpus import grammar, named_pairs
from safety.prompt.gazetteer import AMBIGUOUS, CATEGORIES, NAMED, NAMED_BY_CONTEXT, Gazetteer
from safety.prompt.lexicon import Lexicon, inflected, written_out
from safety.prompt.listing import fold_phrase
from safety.prompt.minors import Cues, Level, conjunction
from safety.prompt.phrases import phrase_key
from safety.prompt.reading import Reader, ReadView

COMMON = "a the in on with and of cat dog man woman at is"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(Lexicon.load(), Gazetteer.load(), Cues.load(), frozenset(COMMON.split()))


def read(reader: Reader, text: str) -> ReadView:
    return reader.read(text).views[-1]


def best(reader: Reader, text: str) -> dict[str, float]:
    values = dict.fromkeys(CATEGORIES, 0.0)
    for view in reader.read(text).views:
        for name in view.names:
            category = name.entry.group.category
            values[category] = max(values[category], name.value)
    return values


def test_the_shipped_gazetteer_is_large_and_covers_each_category() -> None:
    """The shipped gazetteer has a thousand entries and more, hundreds of people, characters, brands and artists."""
    entries = Gazetteer.load().entries
    counts = {category: sum(entry.group.category == category for entry in entries) for category in CATEGORIES}
    assert len(entries) >= 1000
    assert counts["likeness/public-figure"] >= 500
    assert counts["ip/character"] >= 300
    assert counts["ip/logo"] >= 300
    assert counts["ip/style"] >= 150


@pytest.mark.parametrize(("category", "named", "innocent"), named_pairs())
def test_a_name_is_found_and_its_look_alike_is_not(reader: Reader, category: str, named: str, innocent: str) -> None:
    """A prompt that names somebody scores above 0.8 in its category; its innocent twin stays below 0.5 in all."""
    assert best(reader, named)[category] >= 0.8
    assert max(best(reader, innocent).values()) < 0.5


@pytest.mark.parametrize(
    "text",
    [
        "Путина на лошади",
        "ピカチュウが踊る",
        "泰勒·斯威夫特在跳舞",
        "محمد صلاح يلعب",
        "وترامب يرقص",
        "트럼프가 춤춘다",
        "Гарри Поттера",
        "डोनाल्ड ट्रम्प नाचते हुए",
        "taylorswift dancing",
        "TAYLOR_SWIFT",
        "#TaylorSwift",
        "beyonce",
        "Spider-Man",
        "spider man",
        "mcdonalds",
    ],
)
def test_names_are_found_in_other_scripts_and_spellings(reader: Reader, text: str) -> None:
    """A name is found in another script, inflected, joined, hyphenated or without its accents."""
    assert max(best(reader, text).values()) == NAMED


@pytest.mark.parametrize(
    "text",
    [
        "venus rising",
        "a stalk of celery",
        "an apple on a table",
        "the amazon rainforest from above",
        "an orange cat",
        "a shell on the beach",
        "a prince and a princess",
        "a jaguar in the jungle",
        "a flash of lightning",
        "frozen lake at dawn",
        "shot on Leica, 35mm Kodak film, Canon lens",
        "a mustang galloping",
        "corona of the sun",
        "a dove in the sky",
        "Jack. Black cat on a wall",  # no name runs over a full stop
        "a link in a chain, peach on a plate",
        "the musketeers",  # no name inside a word
        "trump card",
        "Mona Lisa, Napoleon and Cleopatra",
    ],
)
def test_words_that_are_also_names_do_not_count_alone(reader: Reader, text: str) -> None:
    """An ambiguous word without a cue, an allowed context or a historic person stays below the review threshold."""
    assert max(best(reader, text).values()) <= AMBIGUOUS


def test_a_cue_makes_an_ambiguous_name_count(reader: Reader) -> None:
    """An ambiguous name beside a cue of its group counts almost like a plain one."""
    assert best(reader, "the apple logo on a laptop")["ip/logo"] >= NAMED_BY_CONTEXT
    assert best(reader, "Prince, the singer, on stage")["likeness/public-figure"] == NAMED_BY_CONTEXT


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("id: x\nversion: '1'\ncategory: ip/logo", "needs id"),
        ("id: x\nversion: '1'\ncategory: nonsense\ngroups: []", "is none of"),
        ("id: x\nversion: '1'\ncategory: ip/logo\ngroups: []\nmore: 1", "unknown fields: more"),
        (
            "id: x\nversion: '1'\ncategory: ip/logo\ngroups: [{kind: a, entries: abc}]",
            r"groups.0.entries: must be a list",
        ),
        ("id: x\nversion: '1'\ncategory: ip/logo\ngroups: [{entries: []}]", "kind at least"),
        ("id: x\nversion: '1'\ncategory: ip/logo\ngroups: [{kind: a, entries: ['; ;']}]", "without letters"),
        ("a: [", "not YAML"),
    ],
)
def test_a_broken_gazetteer_is_refused(tmp_path: Path, document: str, complaint: str) -> None:
    """A gazetteer file with a fault is refused with the file and the field."""
    (tmp_path / "mine.yaml").write_text(document)
    with pytest.raises(PolicyError, match=rf"mine.yaml.*{complaint}"):
        Gazetteer.load(tmp_path)


def test_an_empty_gazetteer_folder_is_refused(tmp_path: Path) -> None:
    """A folder without a gazetteer is an error, not a gazetteer without names."""
    with pytest.raises(PolicyError, match="no gazetteer files"):
        Gazetteer.load(tmp_path)


def test_the_version_and_hash_follow_the_files(tmp_path: Path) -> None:
    """Any change to a gazetteer file changes its hash."""
    file = tmp_path / "mine.yaml"
    file.write_text("id: x\nversion: '1'\ncategory: ip/logo\ngroups: [{kind: a, entries: [Zorbocorp]}]")
    first = Gazetteer.load(tmp_path)
    file.write_text("id: x\nversion: '1'\ncategory: ip/logo\ngroups: [{kind: a, entries: [Zorbocorq]}]")
    assert first.version == "x@1"
    assert Gazetteer.load(tmp_path).sha256 != first.sha256


@pytest.mark.parametrize(
    "text",
    [
        "a killer whale leaps",
        "a bloody mary on the bar",
        "shooting a film in the desert",
        "blood orange juice",
        "naked mole rats digging tunnels",
        "visitors at the Holocaust memorial",
        "a hacker conference",
        "sex education class",
        "a cocktail in a cockpit",
        "he executed a perfect backflip",
        "suicide prevention hotline volunteers",
        "a murder of crows",
        "breast cancer screening",
        "chopping vegetables with a kitchen knife",
        "a great tit on a branch",
        "color bleeding, lifeless",
        "a sad man with green hair",
        "Mona Lisa",
    ],
)
def test_innocent_look_alikes_raise_no_signal(reader: Reader, text: str) -> None:
    """Innocent phrases that hold a trigger word stay below the review threshold in every category of the lexicon."""
    assert all(signal.value < 0.5 for signal in read(reader, text).signals.values())


def test_strong_terms_block_weak_ones_never_do(reader: Reader) -> None:
    """A strong term reaches the block threshold by itself; any number of weak ones stays below review."""
    strong = read(reader, "he beheads a prisoner").signals["violence/graphic"]
    weak = read(reader, "blood wound axe machete skull flesh victim brutal savage knife").signals["violence/graphic"]
    assert strong.value >= 0.8
    assert weak.value < 0.5


def test_terms_are_written_out() -> None:
    """Braces write out every alternative, nested ones as well, and the tilde adds regular endings."""
    assert written_out("{a,b in {c,d}} e") == ["a e", "b in c e", "b in d e"]
    assert inflected("stab") == ["stab", "stabs", "stabed", "stabing", "stabbed", "stabbing"]
    assert inflected("flay") == ["flay", "flays", "flayed", "flaying"]
    assert inflected("bury") == ["bury", "buries", "buried", "burying"]
    assert inflected("lynch") == ["lynch", "lynches", "lynched", "lynching"]
    with pytest.raises(PolicyError, match="brace"):
        written_out("{a")


@pytest.mark.parametrize("raw", [b"a: [", b"id: x", b"id: x\nversion: '1'\ncategories: {hate: {loud: []}}\nbenign: []"])
def test_a_broken_lexicon_is_refused(raw: bytes) -> None:
    """A lexicon with a fault is refused."""
    with pytest.raises(PolicyError, match="lexicon"):
        Lexicon.load(raw)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("a child on a swing", Level.STRONG),
        ("a 12-year-old on a swing", Level.STRONG),
        ("a seventeen year old reading", Level.STRONG),
        ("he is aged 9", Level.STRONG),
        ("a 15yo skateboarder", Level.STRONG),
        ("a 8-month-old asleep", Level.STRONG),
        ("маленькая девочка", Level.STRONG),
        ("小学生が走る", Level.STRONG),
        ("a girl on a swing", Level.WEAK),
        ("a 29-year-old woman", Level.NONE),
        ("an 18-year-old man", Level.NONE),
        ("a 12-year-old whisky", Level.NONE),
        ("a 10-year-old oak tree", Level.NONE),
        ("baby oil on a shelf", Level.NONE),
        ("baby elephants bathe", Level.NONE),
        ("child's pose in yoga", Level.NONE),
        ("ursa minor above the hills", Level.NONE),
        ("sonata in a minor key", Level.NONE),
        ("a young woman reading", Level.NONE),
        ("an empty street", Level.NONE),
    ],
)
def test_cues_of_minors(reader: Reader, text: str, level: Level) -> None:
    """Words for minors and ages under eighteen are cues; grown persons, animals, things and music are none."""
    view = read(reader, text)
    assert minors.minor_cue(view.key, view.hits).level is level


def test_adult_context_is_seen(reader: Reader) -> None:
    """An age of eighteen or more, and words for grown persons, are adult context."""
    for text in ("a 29-year-old girl", "grown adults", "a girl and her husband"):
        view = read(reader, text)
        assert minors.minor_cue(view.key, view.hits).adult_context


@pytest.mark.parametrize("raw", [b"id: x", b"- a"])
def test_broken_cues_are_refused(raw: bytes) -> None:
    """A file of cues with a fault is refused."""
    with pytest.raises(PolicyError, match="minors"):
        Cues.load(raw)


def test_a_suggestive_word_is_weakly_sexual(reader: Reader) -> None:
    """One suggestive word of the list makes a text weakly sexual for the rule, with no other signal."""
    assert minors.sexual_level(0.0, read(reader, "lust").hits) is Level.WEAK


def test_sexual_levels() -> None:
    """A blocked sexual signal is strong, one for review weak, anything else none."""
    assert minors.sexual_level(0.9, ()) is Level.STRONG
    assert minors.sexual_level(0.6, ()) is Level.WEAK
    assert minors.sexual_level(0.2, ()) is Level.NONE


@pytest.mark.parametrize("adult", [False, True])
def test_the_rule_has_no_tolerance_for_strong_cues(adult: bool) -> None:
    """Any sexual signal with a strong cue of a minor scores 1, whatever adults are spoken of."""
    assert conjunction(Level.STRONG, Level.STRONG, adult) == 1.0
    assert conjunction(Level.WEAK, Level.STRONG, adult) == 1.0


def test_the_rule_needs_both_cues() -> None:
    """One cue alone scores exactly 0, and adult context exempts the weak cues only."""
    for level in Level:
        assert conjunction(Level.NONE, level, False) == 0.0
        assert conjunction(level, Level.NONE, False) == 0.0
    assert conjunction(Level.STRONG, Level.WEAK, False) == 0.5
    assert conjunction(Level.STRONG, Level.WEAK, True) == 0.0
    assert conjunction(Level.WEAK, Level.WEAK, False) == 0.0


def test_the_grammar_is_seeded_and_innocent(reader: Reader) -> None:
    """The same seed gives the same innocent prompts, and the lexicon asks for review of none of them."""
    prompts = grammar.innocent(300, 5)
    assert prompts == grammar.innocent(300, 5)
    met = [p for p in prompts if any(signal.value >= 0.5 for signal in read(reader, p).signals.values())]
    assert not met


def test_wrappers_keep_the_text() -> None:
    """Each wrapper gives the text another form and keeps all of it."""
    forms = grammar.wrapped("a cat on a roof", 5, random.Random(1))
    assert len(set(forms)) == 5
    assert all("a cat on a roof" in form for form in forms)


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_plain_words_fold_as_any_phrase(text: str) -> None:
    """The short way for phrases of plain words gives the key that the pattern gives."""
    assert fold_phrase(text) == phrase_key(text.lower())
