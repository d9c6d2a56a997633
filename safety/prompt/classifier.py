"""The embedded prompt classifier: gazetteer, lexicon, the learned judges and the rule on minors, in one.

Each category gets one score: the strongest of its judges over all views of the text. Where a language was not measured,
a category that is learned is "could not look", unless a listed word was found: a find counts in any language.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from importlib.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from safety.errors import ModelUnavailable
from safety.neutral import Mention
from safety.prompt import gazetteer as names, minors
from safety.prompt.calibration import BLOCK, Calibration
from safety.prompt.gazetteer import Allowed, Gazetteer, Named
from safety.prompt.glossary import lists_sha256
from safety.prompt.language import UNKNOWN, Language, measured
from safety.prompt.lexicon import Lexicon
from safety.prompt.minors import Cues
from safety.prompt.phrases import Key
from safety.prompt.reading import Reader, Reading, ReadView
from safety.prompt.stack import LearnedJudge, Said, Span
from safety.prompt.strangers import DESCRIBES_PEOPLE, given_names, names_a_stranger
from safety.score import Absence, Item, Score, Where

LEARNED = ("violence/graphic", "sexual", "hate", "self-harm", "illicit", "deception")
MINORS = "sexual/minors"

# The languages that the learned model judges. On others the one trained on English flagged more benign prompts than
# the 3 % that a language is allowed (German: 5 of 60), and found nothing that the word lists had not.
_LEARNED_IN = ("en",)
_UNLISTED_MAX = 0.75  # a person or character that no list names asks for a look, and never blocks
_STRANGER_MAX = 0.25  # beside a name, known or not: it ranks such prompts, and no shipped policy acts on it
_FOUND = 0.5  # a listed word that says this much counts whatever the language
_SHOWN = 0.05  # below, there is no evidence worth a span
_QUOTE_MAX = 200  # characters of the user's text that a score quotes


@dataclass(frozen=True)
class Finding:
    """What one judge found: a value, where the user's text says it, and the judge's name for people."""

    value: float
    span: Span | None = None
    by: str = ""

    @classmethod
    def at(cls, value: float, key: Key, start: int, end: int, by: str) -> Finding:
        """A finding at characters [start, end) of a key."""
        return cls(value, key.span(start, end) if end > start else None, by)


_NOTHING = Finding(0.0)


class EmbeddedPromptClassifier:
    """Scores a text in eleven categories; no download, no torch. Implements `safety.PromptClassifier`.

    Thresholds: 0.5 asks for review, 0.8 blocks, in every category; `sexual/minors` has none: any value above 0 blocks.
    """

    name = "embedded-prompt"
    version = "5"
    categories: tuple[str, ...] = (*LEARNED, MINORS, *names.CATEGORIES)

    def __init__(
        self,
        weights: Traversable | None = None,
        gazetteer: Traversable | None = None,
        own_names: Path | None = None,
    ) -> None:
        """Loads the shipped weights and gazetteer, or those of other folders; own_names: a deployment's own names.

        Raises ModelUnavailable where a file is missing or a hash differs, PolicyError where a list cannot be read.
        """
        folder = weights or resources.files("safety.prompt") / "weights"
        calibration, common = _read(folder / "calibration.json"), _read(folder / "words.txt")
        self._calibration = Calibration.parse(calibration, "calibration.json")
        self._judge = LearnedJudge.load(folder, self._calibration)
        told = _read(resources.files("safety.prompt") / "descriptions.txt") + _read(folder / "rarity.json")
        lexicon, listed, cues = Lexicon.load(), Gazetteer.load(gazetteer, own_names), Cues.load()
        words = frozenset(_read(folder / "vocabulary.txt").decode().split())  # the encoder's, whose hash it checks
        self._reader = Reader(lexicon, listed, cues, frozenset(common.decode().split()), words)
        parts = [
            calibration,
            self._calibration.weights_sha256.encode(),
            (self._calibration.encoder_sha256 or "").encode(),
            common,
            lexicon.sha256.encode(),
            listed.sha256.encode(),
            cues.sha256.encode(),
            lists_sha256().encode(),
            " ".join(sorted(given_names())).encode(),
            told,
        ]
        self.weights_sha256: str | None = hashlib.sha256(
            b"".join(hashlib.sha256(part).digest() for part in parts)
        ).hexdigest()
        self.runtime: str | None = f"numpy {np.__version__}"
        self.gazetteer_version = listed.version

    def score(self, item: Item, text: str) -> list[Score]:
        """One score for each of `categories`, in their order."""
        return self.score_all([(item, text)])[0]

    def score_all(self, asked: Sequence[tuple[Item, str]]) -> list[list[Score]]:
        """The scores of several texts, each as if it were alone; cheaper together than one by one."""
        readings = [self._reader.read(text) for _, text in asked]
        views = [_judged(reading) if _is_learned(reading) else () for reading in readings]
        said = iter(self._judge.judge_all([view for some in views for view in some], _SHOWN))
        heard = [[(view, next(said)) for view in some] for some in views]
        items = [item for item, _ in asked]
        return [self._scores(*each) for each in zip(items, readings, heard, strict=True)]

    def _scores(
        self, item: Item, reading: Reading, heard: Sequence[tuple[ReadView, Mapping[str, Said]]]
    ) -> list[Score]:
        """What the lists found in every view, and what the learned models said of those that they judge."""
        final = reading.views[-1]
        learned = dict.fromkeys(LEARNED, _NOTHING)
        named = dict.fromkeys(names.CATEGORIES, _NOTHING)
        for view in reading.views:
            for category, signal in view.signals.items():
                hit = signal.strongest
                if view is not final and any(hit.phrase == other.phrase for other in final.hits):
                    continue  # the view with everything undone has it too, with its innocent neighbours
                _keep(learned, category, Finding.at(signal.value, view.key, hit.start, hit.end, "listed words"))
            for name in view.names:
                by = _named_by(name)
                _keep(
                    named, name.entry.group.category, Finding.at(name.value, view.key, name.hit.start, name.hit.end, by)
                )
        certain = dict(learned)
        silent = set(DESCRIBES_PEOPLE) if heard and self._names_somebody(reading) else set()
        for view, model in heard:
            permitted = _permitted(view)
            for category, said in model.items():
                if category in learned:
                    # A listed word shows a person where; the model only how much.
                    listed = certain[category]
                    shown = listed if listed.value >= _FOUND else Finding(said.value, said.span, "learned model")
                    _keep(learned, category, replace(shown, value=said.value))
                elif category not in permitted:
                    value = min(said.value, _STRANGER_MAX if category in silent else _UNLISTED_MAX)
                    _keep(named, category, Finding(value, said.span, "learned model: description or name"))
        minor = _minors(reading, certain["sexual"].value, learned["sexual"].value)
        source = f"{self.name}@{self.version}"
        scores = [self._learned(item, source, reading, c, learned[c], certain[c]) for c in LEARNED]
        scores.append(self._learned(item, source, reading, MINORS, minor, minor))
        scores += [_scored(item, category, source, reading, finding) for category, finding in named.items()]
        return scores

    def _names_somebody(self, reading: Reading) -> bool:
        """Where a name stands, known or not, nobody is described: the lists alone speak of names."""
        final = reading.views[-1]
        known = any(name.value > names.AMBIGUOUS for name in final.names)
        return known or names_a_stranger(reading.text, final, self._reader.vocabulary)

    def names(self, text: str) -> list[dict[str, Any]]:
        """Every name in a text, also those that count for little or are permitted: for people who keep the lists."""
        found: dict[tuple[str, tuple[int, int]], dict[str, Any]] = {}
        for view in self._reader.read(text).views:
            for name in view.names:
                group, span = name.entry.group, view.key.span(name.hit.start, name.hit.end)
                found[name.entry.name, span] = {
                    "name": name.entry.name, "category": group.category, "kind": group.kind, "value": name.value,
                    "span": list(span), "permitted": name.permit.why if name.permit else None,
                }  # fmt: skip
        return list(found.values())

    def named(self, text: str) -> list[Mention]:
        """The names that count against a text, in the order in which they stand; implements `safety.NamesReader`."""
        found: list[Mention] = []
        for view in self._reader.read(text).views:
            for name in view.names:
                if name.value >= _FOUND:
                    group = name.entry.group
                    span = view.key.span(name.hit.start, name.hit.end)
                    found.append(Mention(group.category, group.kind, name.entry.name, span))
        return _apart(found)

    def _learned(
        self, item: Item, source: str, reading: Reading, category: str, finding: Finding, certain: Finding
    ) -> Score:
        if reading.language.measured or certain.value >= _FOUND or (category == MINORS and finding.value > 0.0):
            return _scored(item, category, source, reading, finding)
        return Score.absent(item, category, source, Absence.UNSUPPORTED, _gate_note(reading.language))


def _read(file: Traversable) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelUnavailable(f"{file}: cannot be read ({error}); reinstall Assay") from error


def _apart(found: Sequence[Mention]) -> list[Mention]:
    """The longest of mentions that overlap, in the order of the text."""
    kept: list[Mention] = []
    for one in sorted(found, key=lambda mention: (mention.span[0] - mention.span[1], mention.span)):
        if all(one.span[1] <= other.span[0] or other.span[1] <= one.span[0] for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda mention: mention.span)


def _named_by(name: Named) -> str:
    """The kind of a name, and the name in full where the text has it in another form."""
    kind = name.entry.group.kind
    in_full = name.entry.group.category == "likeness/public-figure" or not name.hit.phrase.isascii()
    words = f"{kind}: {name.entry.name}" if in_full else kind
    return f"{words}; permitted: {name.permit.why}" if name.permit else words


def _is_learned(reading: Reading) -> bool:
    """Whether the learned models judge a text of this language."""
    return reading.language.code in _LEARNED_IN and reading.language.code in measured()


def _judged(reading: Reading) -> Sequence[ReadView]:
    """The views that the learned model judges: what is left when disguises are undone, and without any the raw text.

    Disguised text as it stands is no language: on it a model speaks at random, of innocent prompts as well.
    """
    if len(reading.views) == 1 or reading.tampering:
        return reading.views[-1:]
    return reading.views[0], reading.views[-1]


def _permitted(view: ReadView) -> set[str]:
    """Categories in which a listed name stands that is allowed here or only a word: there the lists decide alone."""
    allowed = {category for hit in view.hits if isinstance(hit.meaning, Allowed) for category in hit.meaning.silences}
    return allowed | {name.entry.group.category for name in view.names if name.value <= names.AMBIGUOUS}


def _keep(best: dict[str, Finding], category: str, finding: Finding) -> None:
    if finding.value > best[category].value:
        best[category] = finding


def _minors(reading: Reading, listed: float, learned: float) -> Finding:
    """The rule on minors over the final view; the sexual signal is the best of all views.

    The learned model speaks here only where it blocks: below, it errs too often for what follows from this category.
    """
    view = reading.views[-1]
    cue = minors.minor_cue(view.key, view.hits)
    level = minors.sexual_level(learned if learned >= BLOCK else listed, view.hits)
    value = minors.conjunction(level, cue.level, cue.adult_context)
    if not value:
        return _NOTHING
    return Finding.at(value, view.key, cue.start, cue.end, "sexual signal and a cue of a minor")


def _scored(item: Item, category: str, source: str, reading: Reading, finding: Finding) -> Score:
    if finding.span is None or finding.value < _SHOWN:
        return Score(item, category, source, finding.value)
    start, end = finding.span
    quote = reading.text[start : min(end, start + _QUOTE_MAX)].encode("utf-8", "replace").decode()
    note = finding.by + (f"; disguised: {', '.join(reading.tampering)}" if reading.tampering else "")
    return Score(item, category, source, finding.value, where=Where(span=(start, end), text=quote), note=note)


def _gate_note(language: Language) -> str:
    if language.code == UNKNOWN:
        return f"no language that was recognised; measured: {', '.join(measured())}"
    return f"language {language.code}: not measured; measured: {', '.join(measured())}"
