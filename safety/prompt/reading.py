"""One text read once: its views, what stands in them, its language. Every judge of a prompt works on this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from safety.prompt.gazetteer import NAMED_BY_CONTEXT, Entry, Gazetteer, Named, names_in
from safety.prompt.glossary import glossary, reads, rejoined
from safety.prompt.language import UNKNOWN, Language, also_in, is_english_word, language_of
from safety.prompt.lexicon import Benign, Lexicon, Signal, Term, signals
from safety.prompt.linear import MASK, WINDOW, windows
from safety.prompt.minors import Cues
from safety.prompt.phrases import Hit, Key, PhraseIndex, key_of
from safety.prompt.views import canonical_views
from safety.prompt.words import Vocabulary

_AMBIGUOUS_MIN = 5  # letters; shorter ambiguous names are no word that disguised text may fold into


@dataclass(frozen=True)
class ReadView:
    """One view as words, with the phrases found in it."""

    key: Key
    hits: tuple[Hit, ...]

    @cached_property
    def names(self) -> list[Named]:
        """The names that stand, after contexts were weighed."""
        return names_in(self.key, self.hits)

    @cached_property
    def signals(self) -> Mapping[str, Signal]:
        """The lexicon's signal by category."""
        return signals(self.hits)

    @cached_property
    def masked(self) -> str:
        """The key with names and innocent phrases masked: what the learned model judges."""
        spans = [(hit.start, hit.end) for hit in self.hits if isinstance(hit.meaning, Benign)]
        spans += [(name.hit.start, name.hit.end) for name in self.names if name.value >= NAMED_BY_CONTEXT]
        chars = list(self.key.text)
        for start, end in spans:
            chars[start:end] = MASK * (end - start)
        return "".join(chars)


@dataclass(frozen=True)
class Reading:
    """A text with all its views; `tampering` names the disguises that had to be undone."""

    text: str
    views: tuple[ReadView, ...]
    tampering: tuple[str, ...]
    language: Language


class Reader:
    """Reads texts with one lexicon, one gazetteer, one list of cues and one of common words."""

    def __init__(
        self,
        lexicon: Lexicon,
        gazetteer: Gazetteer,
        cues: Cues,
        common: frozenset[str],
        dictionary: frozenset[str] = frozenset(),
    ) -> None:
        names = list(gazetteer.phrases())
        self.index = PhraseIndex([*lexicon.terms, *names, *cues.phrases])
        self.common = common
        listed = {word for phrase, meaning in lexicon.terms if isinstance(meaning, Term) for word in phrase.split()}
        listed |= {word for phrase, _ in cues.phrases for word in phrase.split()}
        for phrase, meaning in names:
            if isinstance(meaning, Entry) and (not meaning.ambiguous or len(phrase) >= _AMBIGUOUS_MIN):
                listed.update(phrase.split())
        self.vocabulary = Vocabulary.of(listed, common, dictionary)
        self.readable = common | frozenset(word for phrase, _ in lexicon.terms for word in phrase.split())

    def read(self, text: str) -> Reading:
        """Reads a text; never fails, whatever the string holds."""
        found = canonical_views(text, self.vocabulary)
        views: list[ReadView] = []
        for view in found.all:
            key = key_of(view)
            if not views or key.text != views[-1].key.text:
                views.append(ReadView(key, tuple(self.index.find(key))))
        last = views[-1]
        named = frozenset(word for name in last.names for word in name.hit.phrase.split() if word not in self.common)
        first = next((view.key for view in views if view.key.view.name == "plain"), views[0].key)
        languages = _languages(last.key, first, self.readable, self.vocabulary.dictionary, named)
        codes = {language.code for language in languages} | set(also_in(last.key.text))
        unmeasured = (language for language in languages if not language.measured)
        return Reading(text, _with_lists(views, sorted(codes)), found.tampering, next(unmeasured, languages[0]))


def _with_lists(views: Sequence[ReadView], codes: Sequence[str]) -> tuple[ReadView, ...]:
    """The views with what the word lists of some languages say. Lists are folded, so the raw view yields to `plain`."""
    lists = [glossary(code) for code in codes if reads(code)]
    folded = any(view.key.view.name == "plain" for view in views)
    return tuple(
        view
        if folded and view.key.view.name == "raw"
        else replace(view, hits=(*view.hits, *(hit for some in lists for hit in some.hits(view.key))))
        for view in views
    )


def _languages(
    key: Key, first: Key, common: frozenset[str], dictionary: frozenset[str], named: frozenset[str]
) -> list[Language]:
    """The language of a text first; a long one is asked window by window as well.

    `first` is the key before disguises were undone: letters set apart are joined by English words, so that a text in
    another language is read from there.
    """
    original = first.view.text
    whole = language_of(key.text or original, original[: 4 * WINDOW], common, named)
    if whole.code == UNKNOWN and is_english_word(key.text.split(), dictionary):
        whole = Language("en", True)
    words = rejoined(first)
    if words != first.text and (joined := language_of(words, words, common, named)).code != whole.code:
        whole = joined if reads(joined.code) else whole
    if len(key.text) <= 2 * WINDOW:
        return [whole]
    parts = (language_of(key.text[a:b], key.text[a:b], common, named) for a, b in windows(key.text))
    return list(dict.fromkeys((whole, *parts)))
