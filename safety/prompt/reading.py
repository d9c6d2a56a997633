"""One text read once: its views, what stands in them, its language. Every judge of a prompt works on this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from safety.prompt.gazetteer import NAMED_BY_CONTEXT, Entry, Gazetteer, Named, names_in
from safety.prompt.language import Language, language_of
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

    def __init__(self, lexicon: Lexicon, gazetteer: Gazetteer, cues: Cues, common: frozenset[str]) -> None:
        names = list(gazetteer.phrases())
        self.index = PhraseIndex([*lexicon.terms, *names, *cues.phrases])
        self.common = common
        listed = {word for phrase, meaning in lexicon.terms if isinstance(meaning, Term) for word in phrase.split()}
        listed |= {word for phrase, _ in cues.phrases for word in phrase.split()}
        for phrase, meaning in names:
            if isinstance(meaning, Entry) and (not meaning.ambiguous or len(phrase) >= _AMBIGUOUS_MIN):
                listed.update(phrase.split())
        self.vocabulary = Vocabulary.of(listed, common)
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
        language = _language(last.key.text or found.plain.text, found.plain.text, self.readable, named)
        return Reading(text, tuple(views), found.tampering, language)


def _language(key: str, original: str, common: frozenset[str], named: frozenset[str]) -> Language:
    """The language of a text; a long one is asked window by window, and any that was not measured counts for all."""
    whole = language_of(key, original[: 4 * WINDOW], common, named)
    if not whole.measured or len(key) <= 2 * WINDOW:
        return whole
    parts = (language_of(key[a:b], key[a:b], common, named) for a, b in windows(key))
    return next((part for part in parts if not part.measured), whole)
