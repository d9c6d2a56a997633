"""Undoes disguised words, only where a lexicon has the word: k1ll, n*de, kiiill, k i l l, k.i.l.l, ki ll.

Each step takes a text and returns the new text, the pieces (start, end, length) it is made of, in order and covering
it whole, and the names of what was undone. No piece at all: nothing changed. Time is linear in the text.
"""

from __future__ import annotations

import re
import string
from itertools import pairwise, product

from safety.prompt.folds import LEET
from safety.prompt.words import WORD_MAX, Vocabulary

Step = tuple[str, list[tuple[int, int, int]], list[str]]

_CANDIDATES_MAX = 32  # readings tried of one word
_EDGES = ".,;:?!\"'()[]{}<>*-_#~`"
_LEET_CHARS = frozenset(LEET)
# Words of two letters are unmasked, and others of three than the lexicon has, only beside longer ones.
_SHORT = frozenset(
    ("am", "an", "as", "at", "be", "by", "do", "go", "he", "if", "in", "is", "it", "me", "my", "no", "of")
)
_SHORT |= frozenset(("a", "i", "on", "or", "so", "to", "up", "us", "we"))
_UNITS = re.compile(r"\d+(?:s|st|nd|rd|th|am|pm|k|d|p|m|mm|cm|km|px|x|fps|g|kg|oz|ml|ft|in|hz|mb|gb|am|h)\Z")
_TOKEN = re.compile(r"\S+")
_REPEATED = re.compile(r"([a-z])\1{2,}")
# One character at a time, with up to three separators between: s p a c e d, d.o.t.t.e.d
_SPACED = re.compile(r"(?<![^\W_])[^\W_](?:[\s._\-*,/|+~]{1,3}[^\W_](?![^\W_])){2,}")
_PART = re.compile(r"[a-z]+")
_CLITICS = frozenset(("s", "t", "d", "m", "re", "ve", "ll"))  # dog's, don't
_JOINTS = frozenset(" .-_*'’,|/~")


def unmasked(text: str, vocabulary: Vocabulary) -> Step:
    """Folds leetspeak, masked letters and repeated letters of single words."""
    if not (_REPEATED.search(text) or any(c in _LEET_CHARS or c in "*#" for c in text)):
        return text, [], []
    edits: list[tuple[int, int, str]] = []
    short: list[tuple[int, int, str]] = []
    found: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        if len(token) > 4 * WORD_MAX or (token.isalpha() and not _REPEATED.search(token)):
            continue
        core = token.rstrip(_EDGES).lstrip(_EDGES.replace("!", ""))
        at = match.start() + token.find(core)
        for part, offset in _parts(core):
            word, kind = _read(part, vocabulary)
            if word:
                edits.append((at + offset, at + offset + len(part), word))
                found.append(kind)
            elif word := _short(part, vocabulary):
                short.append((at + offset, at + offset + len(part), word))
    if edits:  # digits alone, as in 10 and 47, only where much is disguised
        edits = sorted([*edits, *(each for each in short if not text[each[0] : each[1]].isdigit() or len(edits) > 2)])
    return edited(text, edits, found)


def _short(part: str, vocabulary: Vocabulary) -> str:
    """The short common word that a part may stand for; empty where it is none."""
    if len(part) > 3 or not any(c in _LEET_CHARS for c in part):
        return ""
    for letters in product(*(LEET.get(char, char) for char in part)):
        word = "".join(letters)
        if word in _SHORT or (len(word) == 3 and word in vocabulary.dictionary and not part.isdigit()):
            return word
    return ""


def _parts(core: str) -> list[tuple[str, int]]:
    """The whole token, or its parts where hyphens, slashes or commas join several."""
    parts = [(match.group(), match.start()) for match in re.finditer(r"[^\-/,._:;'’()]+", core)]
    return parts if len(parts) > 1 else [(core, 0)]


def _read(core: str, vocabulary: Vocabulary) -> tuple[str, str]:
    """The word that a disguised token stands for, and the disguise; empty where it is none."""
    if len(core) < 3 or len(core) > 2 * WORD_MAX or not any(c.isalpha() for c in core):
        return "", ""
    if any(c in _LEET_CHARS for c in core) and not _UNITS.match(core):
        options, spelled = [LEET.get(char, char) for char in core], ""
        for index, letters in enumerate(product(*options)):
            word = "".join(letters)
            if index >= _CANDIDATES_MAX or not word.isalpha():
                break
            if vocabulary.knows(word):
                return word, "leet"
            if not spelled and len(word) > 3 and word in vocabulary.dictionary:
                spelled = word
        if spelled:
            return spelled, "leet"
    if "*" in core or "#" in core:
        return _masked(core, vocabulary), "leet"
    if _REPEATED.search(core):
        for kept in (r"\1", r"\1\1"):
            word = _REPEATED.sub(kept, core)
            if word in vocabulary.listed:
                return word, "repeated"
    return "", ""


def _masked(core: str, vocabulary: Vocabulary) -> str:
    """n*de: at most two letters stand under a mask, and only listed words are tried."""
    masks = [index for index, char in enumerate(core) if char in "*#"]
    if len(masks) > 2 or len(core) - len(masks) < 2:
        return ""
    for letters in product(string.ascii_lowercase, repeat=len(masks)):
        chars = list(core)
        for index, letter in zip(masks, letters, strict=True):
            chars[index] = letter
        word = "".join(chars)
        if word in vocabulary.listed:
            return word
    return ""


def joined(text: str, vocabulary: Vocabulary) -> Step:
    """Joins words whose letters were set apart, without gluing their neighbours."""
    edits: list[tuple[int, int, str]] = []
    for match in _SPACED.finditer(text):
        edits += _spaced(match.group(), match.start(), vocabulary)
    return edited(text, edits, ["spaced"] * len(edits))


def mended(text: str, vocabulary: Vocabulary) -> Step:
    """Joins two or three neighbouring parts into a listed word, unless each part is a word of its own."""
    edits = _split(text, vocabulary)
    return edited(text, edits, ["spaced"] * len(edits))


def _spaced(run: str, at: int, vocabulary: Vocabulary) -> list[tuple[int, int, str]]:
    """The edits of one run of single characters; wider gaps than the narrowest part words."""
    letters = list(re.finditer(r"[^\W_]", run))
    between = [run[a.end() : b.start()] for a, b in pairwise(letters)]
    signs = any(not gap.isspace() for gap in between)  # d.o.t.s part letters, so a space parts words
    gaps = [len(gap) + (signs and gap.isspace()) for gap in between]
    narrow = min(gaps)
    chunks, chunk = [], [letters[0]]
    for gap, letter in zip(gaps, letters[1:], strict=True):
        if gap > narrow:
            chunks.append(chunk)
            chunk = []
        chunk.append(letter)
    chunks.append(chunk)
    words = ["".join((LEET.get(m.group(), m.group()))[0] for m in chunk) for chunk in chunks]
    long = [word for word in words if len(word) > 2]
    if len(long) > 1 and 2 * sum(map(vocabulary.knows, long)) >= len(long):  # the whole run is words set apart
        some = zip(chunks, words, strict=True)
        return [(at + c[0].start(), at + c[-1].end(), word) for c, word in some if len(word) > 1]
    edits = []
    for chunk, word in zip(chunks, words, strict=True):
        for first, last in _segments(word, vocabulary):
            edits.append((at + chunk[first].start(), at + chunk[last - 1].end(), word[first:last]))
    return edits


def _segments(word: str, vocabulary: Vocabulary) -> list[tuple[int, int]]:
    """Where listed words stand in a run of letters: all of it split into words, or else long listed words alone."""
    cuts = _split_whole(word, vocabulary)
    if cuts:
        listed = any(word[a:b] in vocabulary.listed for a, b in cuts)
        return [(a, b) for a, b in cuts if b - a > 1] if listed else []
    found, start = [], 0
    while start < len(word):
        ends = range(min(len(word), start + WORD_MAX), start + 3, -1)
        end = next((end for end in ends if word[start:end] in vocabulary.listed), 0)
        if end:
            found.append((start, end))
        start = end or start + 1
    return found


def _split_whole(word: str, vocabulary: Vocabulary) -> list[tuple[int, int]]:
    """The fewest known words that make up a run of letters, or none where it cannot be made up."""
    never = len(word) + 1
    counts, befores = [0] + [never] * len(word), [0] * (len(word) + 1)
    for end in range(1, len(word) + 1):
        for start in range(max(0, end - WORD_MAX), end):
            piece = word[start:end]
            if counts[start] + 1 < counts[end] and (piece in ("a", "i") or vocabulary.knows(piece)):
                counts[end], befores[end] = counts[start] + 1, start
    cuts, end = [], len(word)
    while end and counts[end] < never:
        cuts.append((befores[end], end))
        end = befores[end]
    return cuts[::-1]


def _split(text: str, vocabulary: Vocabulary) -> list[tuple[int, int, str]]:
    parts = list(_PART.finditer(text))
    edits: list[tuple[int, int, str]] = []
    index = 0
    while index < len(parts):
        taken = 1
        for count in (3, 2):
            some = parts[index : index + count]
            if len(some) < count or some[-1].end() - some[0].start() > WORD_MAX + 3:
                continue
            if any(b.start() - a.end() != 1 or text[a.end()] not in _JOINTS for a, b in pairwise(some)):
                continue
            if any(part.group() in _CLITICS and text[part.start() - 1] in "'’" for part in some if part.start()):
                continue
            word = "".join(part.group() for part in some)
            words = [part.group() in vocabulary.common or part.group() in vocabulary.listed for part in some]
            # a space parts words in honest text as well, so there one word that stands for itself is enough
            spaces = any(text[part.end()] == " " for part in some[:-1])
            standing = any(words) if spaces else all(words)
            if len(word) >= 4 and word in vocabulary.listed and not standing:
                edits.append((some[0].start(), some[-1].end(), word))
                taken = count
                break
        index += taken
    return edits


def edited(text: str, edits: list[tuple[int, int, str]], found: list[str]) -> Step:
    """The step that puts words in the place of stretches (start, end), which are in order and do not overlap."""
    if not edits:
        return text, [], []
    out, pieces, at = [], [], 0
    for start, end, word in edits:
        if start > at:
            out.append(text[at:start])
            pieces.append((at, start, start - at))
        out.append(word)
        pieces.append((start, end, len(word)))
        at = end
    if at < len(text):
        out.append(text[at:])
        pieces.append((at, len(text), len(text) - at))
    return "".join(out), pieces, list(dict.fromkeys(found))
