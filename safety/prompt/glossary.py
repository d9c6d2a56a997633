"""Reads other languages by concepts: a word list a language, and one set of rules for all of them.

`lexicons/CODE.yaml` says which words of a language stand for which concept (`throat`, `vermin`, `counterfeit`);
`lexicons/rules.yaml` says which concepts near each other signal a category. So a rule is written once and speaks for
ten languages, and a word alone says little: "cut" and "throat" signal, "cut" and "onion" do not.

A word in a list is matched as a whole; `stem*` matches every word that begins so, `*stem*` any word that holds it.
Chinese and Japanese have no spaces: there every entry matches anywhere. In Arabic the particles written onto a word
("and", "by", "the") are passed over. `{a,b}` writes out alternatives.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from safety.errors import PolicyError
from safety.prompt.lexicon import WEIGHTS, Term, written_out
from safety.prompt.listing import read_yaml
from safety.prompt.phrases import Hit, Key

BOUNDLESS = ("zh", "ja")
INNOCENT = "innocent"

_NEAR = 6  # words between two concepts of a rule, at most
_CHARS_A_WORD = 2.5  # of Chinese and Japanese
_HITS_MAX = 24  # of one concept that are looked at, so that time stays linear in the text
_CONCEPTS = r"[a-z_]+(?:\|[a-z_]+)*"
_RULE = re.compile(
    rf"(?P<strength>strong|medium|weak) (?P<needs>{_CONCEPTS}(?: \+ {_CONCEPTS})*)"
    rf"(?: - (?P<unless>{_CONCEPTS}))?(?: within (?P<near>\d+))?\Z"
)
_CYRILLIC = str.maketrans("aebkmhopctyx30", "аевкмнорстухзо")
_LEET = str.maketrans("013457", "oieast")
_MIXED = re.compile(r"(?=[^ ;]*[a-z0-9])(?=[^ ;]*[\u0400-\u04ff])[^ ;]+")
_LEETED = re.compile(r"(?=[^ ;]*[a-z])(?=[^ ;]*[013457])[^ ;]{4,}")
_LETTERS = re.compile(r"(?<![^ ;])[^ ;](?: [^ ;](?![^ ;])){3,}")
_CLITICS = frozenset(["و", "ف", "ب", "ل", "ك", "س", "ال", "وال", "فال", "بال", "كال", "لل", "ولل", "وب", "ول", "فب"])


@dataclass(frozen=True)
class Rule:
    """Concepts that must stand near each other, each one of several; those that silence the rule wherever they are."""

    name: str
    term: Term
    needs: tuple[tuple[str, ...], ...]
    unless: frozenset[str]
    near: int


@dataclass(frozen=True)
class Entry:
    """What a listed word stands for, and whether words may begin before it or go on after it."""

    concept: str
    inside: bool
    goes_on: bool


def codes() -> tuple[str, ...]:
    """The languages that have a word list, sorted."""
    folder = resources.files("safety.prompt") / "lexicons"
    names = (file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))
    return tuple(sorted(name for name in names if len(name) == 2))


def lists_sha256() -> str:
    """The hash of all word lists and rules together."""
    parts = [_raw(name) for name in (*codes(), "rules")]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _raw(name: str) -> bytes:
    return (resources.files("safety.prompt") / "lexicons" / f"{name}.yaml").read_bytes()


@cache
def rules() -> tuple[Rule, ...]:
    """The shipped rules; raises PolicyError that names the line that is none."""
    return parse_rules(_raw("rules"))


def parse_rules(raw: bytes) -> tuple[Rule, ...]:
    """Rules from the bytes of a file: categories with lines `STRENGTH a + b|c - d within N`."""
    out = []
    for category, lines in read_yaml("lexicons/rules", raw)["categories"].items():
        for line in lines:
            match = _RULE.match(str(line))
            if match is None:
                raise PolicyError(f"lexicons/rules: {category}: {line!r} is no rule: STRENGTH a + b - c [within N]")
            needs = tuple(tuple(part.split("|")) for part in match["needs"].split(" + "))
            unless = frozenset((match["unless"] or "").split("|")) - {""}
            near = int(match["near"] or _NEAR)
            out.append(Rule(f"{category}: {line}", Term(category, match["strength"]), needs, unless, near))
    return tuple(out)


class Glossary:
    """The words of one language, and what they add up to."""

    def __init__(self, code: str, raw: bytes | None = None) -> None:
        """The shipped list of a language, or one from the bytes of a file; raises PolicyError that names the fault."""
        import ahocorasick

        self.code = code
        self.boundless = code in BOUNDLESS
        document = read_yaml(f"lexicons/{code}", _raw(code) if raw is None else raw)
        entries: dict[str, list[Entry]] = {}
        for concept, line in document["words"].items():
            for word, entry in _entries(concept, str(line)):
                entries.setdefault(word, []).append(entry)
        self.concepts = frozenset(document["words"])
        known = {name for rule in rules() for some in rule.needs for name in some}
        known |= {name for rule in rules() for name in rule.unless} | {INNOCENT}
        if not self.concepts <= known:
            raise PolicyError(f"lexicons/{code}: no rule has {', '.join(sorted(self.concepts - known))}")
        self._automaton = ahocorasick.Automaton()
        for word, some in entries.items():
            self._automaton.add_word(word, (len(word), tuple(some)))
        self._automaton.make_automaton()
        self.words = len(entries)

    def hits(self, key: Key) -> list[Hit]:
        """A hit for every rule that the key satisfies; its meaning is a Term, its phrase the rule's name."""
        text, at = _readable(key, self.code)
        found: dict[str, list[tuple[int, int]]] = {}
        for concept, start, end in self._concepts(text):
            places = found.setdefault(concept, [])
            if len(places) < _HITS_MAX:
                places.append((start, end))
        innocent = found.pop(INNOCENT, [])
        found = {name: left for name, some in found.items() if (left := _outside(some, innocent))}
        words = _word_counts(text, self.boundless)
        out = []
        for rule in rules():
            if not rule.unless & found.keys() and (span := _satisfied(rule, found, words)):
                out.append(Hit(at[span[0]], at[span[1] - 1] + 1, rule.name, rule.term))
        # A longer hit stands for the shorter ones inside it, so one that says less must not cover one that says more.
        return [hit for hit in out if not any(_says_less(hit, other) for other in out)]

    def _concepts(self, text: str) -> Iterator[tuple[str, int, int]]:
        for last, (length, some) in self._automaton.iter(text):
            start, end = last + 1 - length, last + 1
            begins = self.boundless or _begins(text, start, self.code)
            ends = self.boundless or end == len(text) or text[end] in " ;"
            for entry in some:
                if (begins or entry.inside) and (ends or entry.goes_on):
                    yield entry.concept, start, end


def _says_less(hit: Hit, other: Hit) -> bool:
    weaker = WEIGHTS[hit.meaning.strength] < WEIGHTS[other.meaning.strength]
    return weaker and hit.meaning.category == other.meaning.category and other.within(hit)


def _entries(concept: str, line: str) -> Iterator[tuple[str, Entry]]:
    for word in re.split(r",\s*(?![^{]*})", line):
        entry = Entry(concept, word.startswith("*"), word.endswith("*"))
        for phrase in written_out(word.strip("* ")):
            yield phrase, entry


def _begins(text: str, start: int, code: str) -> bool:
    if start == 0 or text[start - 1] in " ;":
        return True
    if code != "ar":
        return False
    word = max(text.rfind(" ", 0, start), text.rfind(";", 0, start)) + 1
    return text[word:start] in _CLITICS


def _readable(key: Key, code: str) -> tuple[str, Sequence[int]]:
    """The key with what only disguises words undone, and for every character its place in the key."""
    text = key.text
    if code in BOUNDLESS:
        kept = array("I", (i for i, char in enumerate(text) if char != " "))
        return "".join(text[i] for i in kept), kept
    if code == "ru":
        text = _MIXED.sub(lambda m: m.group().translate(_CYRILLIC), text)
    elif text.isascii():
        text = _LEETED.sub(lambda m: m.group().translate(_LEET), text)
    return _rejoined(text, key)


def rejoined(key: Key) -> str:
    """The key's text with letters that stand alone in a row joined to words again."""
    return _rejoined(key.text, key)[0]


def _rejoined(text: str, key: Key) -> tuple[str, Sequence[int]]:
    """Letters that stand alone in a row become words again; a gap unlike most others in the row parts two words."""
    dropped: set[int] = set()
    for match in _LETTERS.finditer(text):
        gaps = {i: key.view.text[key.at[i - 1] + 1 : key.at[i + 1]] for i in range(match.start() + 1, match.end(), 2)}
        usual = Counter(gaps.values()).most_common(1)[0][0]
        dropped.update(i for i, gap in gaps.items() if gap == usual)
    if not dropped:
        return text, range(len(text))
    kept = array("I", (i for i in range(len(text)) if i not in dropped))
    return "".join(text[i] for i in kept), kept


def _outside(places: list[tuple[int, int]], innocent: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(a, b) for a, b in places if not any(a < end and start < b for start, end in innocent)]


def _word_counts(text: str, boundless: bool) -> Sequence[float]:
    """For every place in the text how many words lie before it; a break counts as one more."""
    counts = array("f", [0.0])
    for char in text:
        step = 1.0 / _CHARS_A_WORD if boundless and char != ";" else float(char in " ;")
        counts.append(counts[-1] + step)
    return counts


def _satisfied(
    rule: Rule, found: Mapping[str, list[tuple[int, int]]], words: Sequence[float]
) -> tuple[int, int] | None:
    """Where the concepts of a rule stand near each other, or None."""
    options = [sorted({place for name in some for place in found.get(name, ())}) for some in rule.needs]
    if not all(options):
        return None
    for first in options[0]:
        chosen = [first]
        for more in options[1:]:
            free = [p for p in more if all(p[1] <= c[0] or c[1] <= p[0] for c in chosen)]
            near = [p for p in free if all(_apart(p, c, words) <= rule.near for c in chosen)]
            if not near:
                break
            chosen.append(min(near, key=lambda p: _apart(p, first, words)))
        else:
            return min(a for a, _ in chosen), max(b for _, b in chosen)
    return None


def _apart(one: tuple[int, int], other: tuple[int, int], words: Sequence[float]) -> float:
    first, second = sorted((one, other))
    return words[second[0]] - words[first[1]]


@cache
def glossary(code: str) -> Glossary:
    """The shipped glossary of a language, built once."""
    return Glossary(code)


def reads(code: str) -> bool:
    """Whether a language has a word list."""
    return code in _codes()


@cache
def _codes() -> frozenset[str]:
    return frozenset(codes())
