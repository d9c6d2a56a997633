"""What the screen says: every line of text in a frame, judged by the prompt text classifiers.

It judges words, not pictures (`evidence = "text"`). That a screen names a person or a brand shows neither their face
nor their logo: the categories of likeness and of other people's property are left to models that look.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from media import Frame
from safety.frame.captions import Captions
from safety.frame.gate import TEXT
from safety.frame.reader import Line, TextReader
from safety.score import Absence, Item, Score, Stage, Where
from safety.stages import FrameScore, PromptClassifier, source

NOT_IN_WORDS = ("likeness/", "ip/")

# Readings below this are no text. Measured on benign footage, see the model card.
MIN_CONFIDENCE = 0.6
MIN_LETTERS = 3  # in a line
# A text shorter than this, or read less surely, is in no language that anybody could name: its "unsupported" is none.
LANGUAGE_CONFIDENCE = 0.85
LANGUAGE_LETTERS = 20

# What a judge of prompts must say of words on a screen for review (0.5) and for a block (0.8). A screen shows slogans,
# titles and halves of sentences, of which judges are less sure: at 0.5 3.5 % of ordinary sentences were flagged, at 0.7
# 1.5 %, and 96.5 % of the violating ones that reach 0.5 reach 0.7 too. See the model card.
STRICTER = ((0.0, 0.7, 0.8, 1.0), (0.0, 0.5, 0.8, 1.0))
_CODE = re.compile(r"[\d./@\\]")
_STRONG = 0.5  # a line that reaches this is reported although the text around it is in a language nobody supports
_REMEMBERED = 512  # texts; a caption stays for seconds
_PARAGRAPH = 3  # lines that are judged only together
_EVIDENCE = 200  # characters of a text kept as evidence

_Box = tuple[float, float, float, float]
Judgement = dict[str, tuple[float | Absence, str | None]]


class OcrClassifier:
    """The categories of the prompt classifiers, scored on what the frame says.

    Along a video, lines of text are looked for in every frame and read where they are new or changed (see
    `safety.frame.captions`); a single picture is looked at thoroughly. The value of a category is the largest that any
    of the judges gives to the whole text, to a paragraph, or to lines of a long one.
    """

    name, version, licence = "ocr", "3", "Apache-2.0"
    evidence = TEXT
    look = "small"
    cost_ms = 25.0  # over natural clips at 360p: 15 to look for text, 10 a line that must be read

    def __init__(self, judges: Sequence[PromptClassifier], reader: TextReader | None = None) -> None:
        self._judges = tuple(judges)
        if not self._judges:
            raise ValueError("words on the screen need a prompt classifier to judge them")
        self._reader = reader or TextReader()
        every = dict.fromkeys(category for judge in self._judges for category in judge.categories)
        self.categories = tuple(c for c in every if not c.startswith(NOT_IN_WORDS))
        parts = [self._reader.weights_sha256]
        parts += [part for judge in self._judges for part in (source(judge), judge.weights_sha256 or "")]
        self.weights_sha256: str | None = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        judged_by = ", ".join(source(judge) for judge in self._judges)
        self.runtime: str | None = f"{self._reader.runtime}; judged by {judged_by}"
        self._known: OrderedDict[str, Judgement] = OrderedDict()

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """One mapping a frame, each read by itself; a frame without text scores 0."""
        return [self._score(self._reader.read(frame.pixels)) for frame in frames]

    def session(self) -> OcrClassifier:
        """For one stream of one video: lines that stand still are read once."""
        return OcrSession(self)

    def _score(self, read: Sequence[Line]) -> dict[str, FrameScore]:
        lines = in_order(legible(read))
        best: dict[str, FrameScore] = dict.fromkeys(self.categories, (0.0, None))
        for group in self._judged(lines):
            text = " ".join(line.text for line in group)
            whole = len(group) == len(lines)
            for category, (value, fragment) in self._ask(text).items():
                where = Where(text=(fragment or text)[:_EVIDENCE], box=_around(group))
                best[category] = _graver(best[category], (value, where), heed=whole and in_a_language(group))
        return best

    def _judged(self, lines: Sequence[Line]) -> list[tuple[Line, ...]]:
        """What is judged together, and each line of a group that is in no language that anybody judges.

        The smallest come first, so that of equal values the one with the tightest box is kept.
        """
        groups = _groups(lines)
        for group in [group for group in groups if len(group) > 1]:
            said = self._ask(" ".join(line.text for line in group))
            if any(value is Absence.UNSUPPORTED for value, _ in said.values()):
                groups += [(line,) for line in group]
        return sorted(dict.fromkeys(groups), key=len)

    def _ask(self, text: str) -> Judgement:
        """What the prompt classifiers say of one text; remembered unless one failed."""
        if text not in self._known:
            item = Item.text(Stage.FRAME, "on-screen-text", text)
            scores = [score for judge in self._judges for score in judge.score(item, text)]
            judgement = _judgement(scores, text, self.categories)
            if any(value is Absence.FAILED for value, _ in judgement.values()):
                return judgement
            self._known[text] = judgement
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(text)
        return self._known[text]


class OcrSession(OcrClassifier):
    """The classifier along one stream of one video, whose frames it is shown in order."""

    def __init__(self, whole: OcrClassifier) -> None:
        vars(self).update(vars(whole))  # what was loaded is shared, and so is what was judged
        self._captions = Captions(self._reader)

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """One mapping for each of the next frames."""
        return [self._score(self._captions.lines(frame)) for frame in frames]


def on_screen(category: str, value: float) -> float:
    """What a judge's value of a text counts for on a screen, see `STRICTER`; of minors any suspicion counts in full."""
    return value if category == "sexual/minors" else float(np.interp(value, *STRICTER))


def legible(lines: Sequence[Line]) -> list[Line]:
    """The lines that are text; the rest are edges and textures that the reader took for a letter or two."""
    return [line for line in lines if line.confidence >= MIN_CONFIDENCE and letters(line.text) >= MIN_LETTERS]


def letters(text: str, sign: int = 2) -> int:
    """Letters in a text; a Chinese, Japanese or Korean sign says more than a letter, and counts as `sign` of them."""
    dense = sum("\u3040" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7a3" for c in text)
    return sum(c.isalpha() for c in text) + (sign - 1) * dense


def in_a_language(lines: Sequence[Line]) -> bool:
    """True where enough was read surely enough for "a language that nobody supports" to mean something.

    Addresses and codes (a word with a digit, a full stop, a slash or an @ in it) are in no language.
    """
    words = [word for line in lines if line.confidence >= LANGUAGE_CONFIDENCE for word in line.text.split()]
    return sum(letters(word, sign=5) for word in words if not _CODE.search(word.rstrip(".,!?:"))) >= LANGUAGE_LETTERS


def in_order(lines: Sequence[Line]) -> list[Line]:
    """The lines as one reads them: from above, and from the left what stands at one height, along the text's slant.

    Words of one row that stand no further apart than three times their height are one line: the finder parts a line at
    wide gaps.
    """
    slant = _slant(lines)
    placed = sorted(((_level_box(line, slant), line) for line in lines), key=lambda pair: pair[0][1] + pair[0][3])
    rows: list[list[tuple[_Box, Line]]] = []
    for one in placed:
        if rows and _side_by_side(rows[-1][-1][0], one[0]):
            rows[-1].append(one)
        else:
            rows.append([one])
    ordered: list[Line] = []
    for row in rows:
        pieces: list[list[tuple[_Box, Line]]] = []
        for one in sorted(row, key=lambda pair: pair[0][0]):
            if pieces and one[0][0] - pieces[-1][-1][0][2] <= 3 * (one[0][3] - one[0][1]):
                pieces[-1].append(one)
            else:
                pieces.append([one])
        ordered += [_joined([line for _, line in piece]) for piece in pieces]
    return ordered


def _slant(lines: Sequence[Line]) -> float:
    """The angle of the longest line in radians; long lines know theirs, short ones guess."""
    quads = [line.quad for line in lines if line.quad is not None]
    if not quads:
        return 0.0
    x, y = max(quads, key=lambda quad: float(np.hypot(*quad.along))).along
    return float(np.arctan2(y, x))


def _level_box(line: Line, slant: float) -> _Box:
    """Left, top, right and bottom of the line in a picture that was turned until the slant is level."""
    if line.quad is None:
        return line.box
    cos, sin = np.cos(slant), np.sin(slant)
    level = np.array([[cos, sin], [-sin, cos]])
    corners = line.quad.corners @ level.T  # (4, 2)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _side_by_side(one: _Box, other: _Box) -> bool:
    """True where they share half of the lower one's height."""
    shared = min(one[3], other[3]) - max(one[1], other[1])
    return 2 * shared >= min(one[3] - one[1], other[3] - other[1])


def _joined(piece: Sequence[Line]) -> Line:
    """Words of one row as one line, as sure as the least sure of them."""
    if len(piece) == 1:
        return piece[0]
    return Line(" ".join(line.text for line in piece), min(line.confidence for line in piece), _around(piece))


def _groups(lines: Sequence[Line]) -> list[tuple[Line, ...]]:
    """What is judged together: each paragraph, each two neighbouring ones, the whole text.

    Half a sentence is no text of its own ("untangling myself" alone is), so a paragraph of up to three lines is judged
    whole; of a longer one each line and each two and three neighbouring lines too, for a line in much small print must
    not drown.
    """
    paragraphs = _paragraphs(lines)
    groups: list[tuple[Line, ...]] = []
    for one in paragraphs:
        windows = (1, 2, 3) if len(one) > _PARAGRAPH else ()
        groups += [*(one[i : i + n] for n in windows for i in range(len(one) - n + 1)), one]
    groups += [one + other for one, other in pairwise(paragraphs)]
    if lines:
        groups.append(tuple(lines))
    return list(dict.fromkeys(groups))


def _paragraphs(lines: Sequence[Line]) -> list[tuple[Line, ...]]:
    """Lines of one height that follow each other closely, up to the end of a sentence."""
    paragraphs: list[list[Line]] = []
    for line in lines:
        if paragraphs and _continues(paragraphs[-1][-1], line):
            paragraphs[-1].append(line)
        else:
            paragraphs.append([line])
    return [tuple(one) for one in paragraphs]


def _continues(one: Line, other: Line) -> bool:
    heights = [line.box[3] - line.box[1] for line in (one, other)]
    close = other.box[1] - one.box[3] <= min(heights) and other.box[3] > one.box[1]
    beside = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0]) > 0
    return close and beside and max(heights) <= 1.8 * min(heights) and not one.text.rstrip().endswith((".", "!", "?"))


def _around(lines: Sequence[Line]) -> tuple[int, int, int, int]:
    lefts, tops, rights, bottoms = zip(*(line.box for line in lines), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _judgement(scores: Sequence[Score], text: str, categories: Sequence[str]) -> Judgement:
    """Per category the largest value with the words it rests on, or why there is none; silence is a failure."""
    judgement: Judgement = {}
    for category in categories:
        heard = [score for score in scores if score.category == category]
        valued = max((s for s in heard if s.value is not None), key=lambda s: s.value or 0.0, default=None)
        missing = {score.absence for score in heard if score.absence is not None}
        value = None if valued is None else on_screen(category, valued.value or 0.0)
        if not heard or missing - {Absence.UNSUPPORTED}:
            judgement[category] = (Absence.FAILED, None)
        elif valued is not None and value is not None and (not missing or value >= _STRONG):
            span = valued.where.span if valued.where else None
            judgement[category] = (value, text[span[0] : span[1]] if span else None)
        else:
            judgement[category] = (Absence.UNSUPPORTED, None)
    return judgement


def _graver(known: FrameScore, new: FrameScore, heed: bool) -> FrameScore:
    """The answer that weighs more: failed, a value of 0.5 or more, a heeded "unsupported", a smaller value."""
    if new[0] is Absence.UNSUPPORTED and not heed:
        return known
    return max(known, new, key=_weight)


def _weight(score: FrameScore) -> tuple[int, float]:
    value = score[0]
    if isinstance(value, Absence):
        return (3, 0.0) if value is Absence.FAILED else (1, 0.0)
    return (2 if value >= _STRONG else 0, value)
