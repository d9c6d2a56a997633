"""What the screen says: every line of text in a frame, judged by the prompt text classifier.

It judges words, not pictures (`evidence = "text"`). That a screen names a person or a brand shows neither their face
nor their logo: the categories of likeness and of other people's property are left to models that look.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from media import Frame
from safety.frame.gate import TEXT, Bound
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

_CODE = re.compile(r"[\d./@\\]")
_STRONG = 0.5  # a line that reaches this is reported although the text around it is in a language nobody supports
_REMEMBERED = 512  # texts; a caption stays for seconds
_EVIDENCE = 200  # characters of a text kept as evidence

Judgement = dict[str, tuple[float | Absence, str | None]]


class OcrClassifier:
    """The categories of a prompt classifier, scored on what the frame says.

    Shown every frame that its bound does not prove to be all but equal to the last one read. The value of a category
    is the largest over the whole text, each line, and each three neighbouring lines.
    """

    name, version, licence = "ocr", "1", "Apache-2.0"
    evidence = TEXT
    bound = Bound(epsilon=6.0, side=320, tile=8, cap_s=2.0)
    cost_ms = 130.0  # over natural clips at 360p: 80 without text, 300 and more with

    def __init__(self, prompt_classifier: PromptClassifier, reader: TextReader | None = None) -> None:
        self._judge = prompt_classifier
        self._reader = reader or TextReader()
        self.categories = tuple(c for c in prompt_classifier.categories if not c.startswith(NOT_IN_WORDS))
        parts = (self._reader.weights_sha256, source(prompt_classifier), prompt_classifier.weights_sha256 or "")
        self.weights_sha256: str | None = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        self.runtime: str | None = f"{self._reader.runtime}; judged by {source(prompt_classifier)}"
        self._known: OrderedDict[str, Judgement] = OrderedDict()

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """One mapping a frame; a frame without text scores 0."""
        return [self._score(legible(self._reader.read(frame.pixels))) for frame in frames]

    def _score(self, lines: Sequence[Line]) -> dict[str, FrameScore]:
        best: dict[str, FrameScore] = dict.fromkeys(self.categories, (0.0, None))
        for group in _groups(lines):
            text = " ".join(line.text for line in group)
            whole = len(group) == len(lines)
            for category, (value, fragment) in self._ask(text).items():
                where = Where(text=(fragment or text)[:_EVIDENCE], box=_around(group))
                best[category] = _graver(best[category], (value, where), heed=whole and in_a_language(group))
        return best

    def _ask(self, text: str) -> Judgement:
        """The prompt classifier's answer about one text; remembered unless it failed."""
        if text not in self._known:
            item = Item.text(Stage.FRAME, "on-screen-text", text)
            judgement = _judgement(self._judge.score(item, text), text, self.categories)
            if any(value is Absence.FAILED for value, _ in judgement.values()):
                return judgement
            self._known[text] = judgement
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(text)
        return self._known[text]


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


def _groups(lines: Sequence[Line]) -> list[tuple[Line, ...]]:
    """Each line, each three neighbouring lines, the whole text: a line in much small print must not drown in it.

    The smallest come first, so that of equal values the one with the tightest box is kept.
    """
    spans = [*((i, i + n) for n in (1, 3) for i in range(len(lines) - n + 1)), (0, len(lines))] if lines else []
    return [tuple(lines[start:stop]) for start, stop in dict.fromkeys(spans)]


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
        if not heard or missing - {Absence.UNSUPPORTED}:
            judgement[category] = (Absence.FAILED, None)
        elif valued is not None and valued.value is not None and (not missing or valued.value >= _STRONG):
            span = valued.where.span if valued.where else None
            judgement[category] = (valued.value, text[span[0] : span[1]] if span else None)
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
