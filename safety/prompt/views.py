"""Canonical views of a text, each with a map back to the code points that the user wrote.

    raw       the text, case folded, every space a space
    plain     NFKC, invisible characters removed, Latin accents removed
    latin     characters drawn like ASCII letters folded to them, in words that mix scripts or fold as a whole
    decoded   base64 decoded, only where words come out
    turned    rot13 and text written backwards turned round, only where words come out
    spelled   emoji as words
    unmasked  leetspeak and masked letters folded, only where a lexicon has the word
    joined    spaced and dotted letters joined, only where a lexicon has the word
    mended    words split in two or three joined, only where a lexicon has the word

Each view is made from the one before it. A view that changes nothing is left out, so a plain ASCII prompt has one.
Time and memory are linear in the length of the text. What was undone is named: tampering is a fact of its own.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from safety.prompt import decoding, folds, unmask
from safety.prompt.words import Vocabulary

_MARKS_MAX = 8  # marks on one character; reordering marks costs their square, and no script stacks more


@dataclass(frozen=True)
class View:
    """A text in canonical form. Character i stands for code points starts[i]:ends[i] of the user's text."""

    name: str
    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The user's own code points [start, end) for characters [start, end) of this view, which are not none."""
        return self.starts[start], max(self.ends[end - 1], self.starts[start])


@dataclass(frozen=True)
class Views:
    """The views of one text that differ from each other, in order, and what had to be undone to make them."""

    all: tuple[View, ...]
    tampering: tuple[str, ...]  # of: zero-width, bidi, marks, homoglyph, leet, spaced, repeated, encoded

    @property
    def plain(self) -> View:
        """The view closest to the user's text that has no invisible characters."""
        return next((view for view in self.all if view.name == "plain"), self.all[0])

    @property
    def final(self) -> View:
        """The view with everything undone."""
        return self.all[-1]


def canonical_views(text: str, vocabulary: Vocabulary) -> Views:
    """The views of a text; `vocabulary` says what leetspeak and spaced letters may be folded into."""
    folded = _raw(text)
    views, tampering = [folded], list[str]()
    if not _is_ascii_text(text):
        plain, latin, found = _fold(text)
        views += [plain, latin]
        tampering += found
    text_now, pieces, found = decoding.decoded(text, vocabulary)
    if pieces:
        tampering += found
        views.append(
            _rebuilt(
                folded, "decoded", text_now.lower() if len(text_now.lower()) == len(text_now) else text_now, pieces
            )
        )
    for step in (decoding.turned, decoding.spelled, unmask.unmasked, unmask.joined, unmask.mended):
        text_now, pieces, found = step(views[-1].text, vocabulary)
        tampering += found
        if pieces:
            views.append(_rebuilt(views[-1], step.__name__, text_now, pieces))
    distinct = [view for index, view in enumerate(views) if index == 0 or view.text != views[index - 1].text]
    return Views(tuple(distinct), tuple(dict.fromkeys(tampering)))


def _is_ascii_text(text: str) -> bool:
    return text.isascii() and (text.isprintable() or all(c.isprintable() or c.isspace() for c in text))


def _raw(text: str) -> View:
    # lower(), not casefold(): one character stays one character, but for one capital that is two in lower case
    lowered = "".join(" " if c.isspace() else c for c in text.replace("İ", "i").lower())
    return View("raw", lowered, range(len(text)), range(1, len(text) + 1))


def _clusters(text: str) -> tuple[array[int], array[int]]:
    """Starts and ends of characters together with their marks."""
    starts, ends, marks = array("I"), array("I"), 0
    for index, char in enumerate(text):
        joins = char > "\u02ff" and (folds.is_mark(char) or "\u1160" <= char <= "\u11ff")
        if joins and starts and marks < _MARKS_MAX and not text[index - 1].isspace():
            ends[-1] = index + 1
            marks += 1
        else:
            starts.append(index)
            ends.append(index + 1)
            marks = 0
    return starts, ends


def _fold(text: str) -> tuple[View, View, list[str]]:
    """The views `plain` and `latin`, and the tampering met."""
    starts, ends = _clusters(text)
    clusters = [text[a:b] for a, b in zip(starts, ends, strict=True)]
    plains = [folds.plain(cluster) for cluster in clusters]
    latins, homoglyphs = _latin(clusters, plains)
    found = _invisible(clusters, plains)
    found += ["homoglyph"] if homoglyphs else []
    return _view("plain", plains, starts, ends), _view("latin", latins, starts, ends), found


def _view(name: str, pieces: list[str], starts: array[int], ends: array[int]) -> View:
    mapped_starts, mapped_ends = array("I"), array("I")
    for piece, start, end in zip(pieces, starts, ends, strict=True):
        for _ in piece:
            mapped_starts.append(start)
            mapped_ends.append(end)
    return View(name, "".join(pieces), mapped_starts, mapped_ends)


def _invisible(clusters: list[str], plains: list[str]) -> list[str]:
    """Names the invisible characters that stand inside Latin words; elsewhere they are part of scripts and emoji."""
    found, before = [], ""
    hidden = ""
    for cluster, folded in zip(clusters, plains, strict=True):
        if not folded:
            hidden = cluster[0]
            continue
        if len(cluster) > 4 and folded.isascii():
            found.append("marks")
        if hidden and before.isascii() and before.isalnum() and folded.isascii() and folded.isalnum():
            found.append("bidi" if "\u202a" <= hidden <= "\u202e" or "\u2066" <= hidden <= "\u2069" else "zero-width")
        before, hidden = folded[-1], ""
    return found


def _latin(clusters: list[str], plains: list[str]) -> tuple[list[str], bool]:
    """Folds look-alikes in words that mix scripts, and whole look-alike words where the text is Latin or all alike."""
    latins = [
        folds.latin(cluster) if not plain.isascii() else plain for cluster, plain in zip(clusters, plains, strict=True)
    ]
    words: list[tuple[int, int, int, int, int]] = []  # start, end, ASCII letters, look-alikes, other letters
    start, ascii_letters, alike, other = -1, 0, 0, 0
    for index, (plain, latin) in enumerate(zip([*plains, " "], [*latins, " "], strict=True)):
        if not plain:
            continue
        if not (plain.isalnum() or latin.isalpha()):
            if start >= 0:
                words.append((start, index, ascii_letters, alike, other))
            start, ascii_letters, alike, other = -1, 0, 0, 0
            continue
        start = index if start < 0 else start
        if plain.isascii():
            ascii_letters += plain.isalpha()
        elif latin.isascii():
            alike += 1
        else:
            other += 1
    latin_text = 2 * sum(word[2] for word in words) >= sum(sum(word[2:]) for word in words)
    whole_text_alike = all(word[4] == 0 for word in words)
    out, changed = list(plains), False
    for start, end, ascii_letters, alike, other in words:
        if alike and (ascii_letters or ((latin_text or whole_text_alike) and not other)):
            out[start:end] = latins[start:end]
            changed = True
    return out, changed


def _rebuilt(view: View, name: str, text: str, pieces: list[tuple[int, int, int]]) -> View:
    """A view whose characters come from pieces (start, end, length) of the view before it, in order."""
    starts, ends = array("I"), array("I")
    for start, end, length in pieces:
        if end - start == length:
            starts.extend(view.starts[start:end])
            ends.extend(view.ends[start:end])
        else:
            first, last = view.span(start, end)
            starts.extend([first] * length)
            ends.extend([last] * length)
    assert len(text) == len(starts)
    return View(name, text, starts, ends)
