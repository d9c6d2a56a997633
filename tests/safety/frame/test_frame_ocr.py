from __future__ import annotations

import socket
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, strategies as st

from media import Frame
from safety import Absence, FrameClassifier, FrameScore, Item, ModelUnavailable, Score
from safety.frame import Line, OcrClassifier, TextReader, reader as reading
from safety.frame.ocr import LANGUAGE_LETTERS, in_a_language, in_order, legible, letters, on_screen
from tests.safety.frame.contract import FrameClassifierContract
from tests.safety.frame.reels import scene
from tests.safety.frame.words import Judge, written

STILL = scene(11, (640, 360))


@pytest.fixture(scope="module")
def reader() -> TextReader:
    """The real reader, loaded once: its models cost a second."""
    return TextReader()


class FixedReader(TextReader):
    """Reads what the test says."""

    def __init__(self, *lines: Line) -> None:
        self.weights_sha256, self.runtime, self.lines = "0" * 64, "fixed", list(lines)

    def read(self, pixels: np.ndarray, side: int = 640) -> list[Line]:
        return self.lines


def line(text: str, confidence: float = 0.95, row: int = 0) -> Line:
    """A line of text in its own row of the picture."""
    return Line(text, confidence, (10, 20 * row, 200, 20 * row + 18))


def said(*lines: Line, judge: Judge | None = None) -> dict[str, FrameScore]:
    """What the classifier says of a frame on which these lines are read."""
    return dict(OcrClassifier([judge or Judge()], FixedReader(*lines)).score([Frame(STILL, 0, 0.0)])[0])


class TestOcr(FrameClassifierContract):
    @pytest.fixture
    def classifier(self, reader: TextReader) -> FrameClassifier:
        return OcrClassifier([Judge()], reader)

    @pytest.fixture
    def frames(self) -> list[Frame]:
        return [Frame(scene(12, (320, 180)), 0, 0.0), Frame(written(scene(13, (320, 180)), "forbidden words"), 1, 0.04)]


@pytest.mark.parametrize(
    ("size", "at", "turn", "picture"),
    [(24, (20, 20), 0, (640, 360)), (24, (400, 320), 0, (640, 360)), (60, (40, 140), 0, (640, 360)),
     (24, (300, 60), 90, (640, 360)), (24, (200, 200), 180, (640, 360)), (24, (60, 40), 270, (640, 360)),
     (24, (40, 40), 12, (640, 360)), (48, (700, 600), 0, (1280, 720)), (24, (10, 500), 0, (360, 640))],
)  # fmt: skip
def test_words_are_read_wherever_they_stand(
    reader: TextReader, size: int, at: tuple[int, int], turn: int, picture: tuple[int, int]
) -> None:
    """Text of 24 px at 360p, anywhere, turned by right angles or slightly, is read; the box is where it stands."""
    frame = Frame(written(scene(11, picture), "forbidden words", size=size, at=at, turn=turn), 0, 0.0)
    value, where = OcrClassifier([Judge()], reader).score([frame])[0]["hate"]
    assert value == 0.9
    assert where is not None
    assert where.text is not None
    assert where.text.lower() == "forbidden"
    assert where.box is not None
    assert abs(where.box[0] - at[0]) <= 12
    assert abs(where.box[1] - at[1]) <= 12


def test_a_picture_without_words_scores_zero(reader: TextReader) -> None:
    """Benign pictures without text are 0 in every category, not unsupported, whatever specks the reader sees."""
    for seed in range(4):
        answer = OcrClassifier([Judge()], reader).score([Frame(scene(seed, (320, 180)), 0, 0.0)])[0]
        assert {value for value, _ in answer.values()} == {0.0}


def test_a_very_long_picture_is_read_in_pieces(reader: TextReader) -> None:
    """Text in a strip of 20:1 is read at its own size, not melted into a thumbnail."""
    strip = written(np.ascontiguousarray(scene(3, (2400, 120))), "forbidden words", size=30, at=(1900, 40))
    assert OcrClassifier([Judge()], reader).score([Frame(strip, 0, 0.0)])[0]["hate"][0] == 0.9


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading needs no network: with every socket refused, models load and text is read."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert [line.text for line in TextReader().read(written(STILL, "hello there"))] == ["hello there"]


@pytest.mark.parametrize("gone", ["det", "rec"])
def test_missing_models_are_named_with_the_remedy(gone: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """A wheel without its models is ModelUnavailable, never a download or a frame without text."""
    monkeypatch.setattr(reading, "MEASURED", {**reading.MEASURED, f"{gone}-that-is-gone": "x.onnx"})
    with pytest.raises(ModelUnavailable, match="downloads none"):
        TextReader()


def test_categories_of_faces_and_property_are_left_to_models_that_look() -> None:
    """A name on the screen is no likeness and no logo: those categories are not scored, and what is says so."""
    classifier = OcrClassifier([Judge()], FixedReader())
    assert classifier.categories == ("hate", "violence/graphic")
    assert classifier.evidence == "text"


def test_one_bad_line_among_many_is_found() -> None:
    """A violating line is judged by itself too, and the box is that line's."""
    lines = [line(f"a harmless sentence number {n}", row=n) for n in range(9)]
    lines[6] = line("this one is forbidden here", row=6)

    def drowned(item: Item, category: str, text: str) -> list[Score]:
        return [Score(item, category, "judge@1", 0.8 if "forbidden" in text and len(text) < 40 else 0.1)]

    value, where = said(*lines, judge=Judge(drowned))["hate"]
    assert value == 0.8
    assert where is not None
    assert (where.box, where.text) == (lines[6].box, "this one is forbidden here")


def test_a_sentence_across_lines_is_found() -> None:
    """Words split over two lines are judged together; the box holds those two."""

    def both(item: Item, category: str, text: str) -> list[Score]:
        return [Score(item, category, "judge@1", 0.8 if "strictly forbidden" in text else 0.1)]

    lines = [
        line("nothing here", row=0),
        line("this is strictly", row=1),
        line("forbidden", row=2),
        line("the end", row=3),
    ]
    value, where = said(*lines, judge=Judge(both))["hate"]
    assert value == 0.8
    assert where is not None
    assert where.box == (10, 20, 200, 58)


@pytest.mark.parametrize(("text", "confidence"), [("l1 |", 0.99), ("12:30:05", 1.0), ("日", 0.92), ("forbidden", 0.4)])
def test_specks_are_no_text(text: str, confidence: float) -> None:
    """A letter or two, figures, a lone sign and what was hardly read are not put to the judge."""
    judge = Judge()
    assert said(line(text, confidence), judge=judge)["hate"] == (0.0, None)
    assert judge.asked == []


UNKNOWN = "grzbl chrst wqrt pqrstv bcdfgh"


def test_enough_text_in_an_unsupported_language_is_unsupported() -> None:
    """A caption that the judge cannot judge is an absence in every category, never 0."""
    assert {value for value, _ in said(line(UNKNOWN)).values()} == {Absence.UNSUPPORTED}


@pytest.mark.parametrize(
    "noise", [line("grzbl"), line(UNKNOWN, 0.7), line("www.grzblchrstwqrtpqrstv.hr"), line("CH07 PLT-9 XR4")]
)
def test_noise_is_in_no_language(noise: Line) -> None:
    """A short, unsure or coded reading that the judge cannot judge leaves the frame at 0."""
    assert {value for value, _ in said(noise).values()} == {0.0}


def test_a_find_counts_beside_a_language_nobody_supports() -> None:
    """A line that reaches 0.5 is reported although the whole text is in no supported language."""

    def first_line_only(item: Item, category: str, text: str) -> list[Score]:
        if text == "forbidden":
            return [Score(item, category, "judge@1", 0.9)]
        return [Score.absent(item, category, "judge@1", Absence.UNSUPPORTED)]

    assert said(line("forbidden"), line(UNKNOWN, row=1), judge=Judge(first_line_only))["hate"][0] == 0.9


@pytest.mark.parametrize(
    "answer",
    [
        lambda item, category, text: [],
        lambda item, category, text: [Score.absent(item, category, "judge@1", Absence.FAILED)],
        lambda item, category, text: [Score.absent(item, category, "judge@1", Absence.NOT_CONFIGURED)],
        lambda item, category, text: [
            Score(item, category, "judge@1", 0.9),
            Score.absent(item, category, "judge@1", Absence.FAILED),
        ],
    ],
)
def test_a_judge_that_fails_fails_the_frame(answer: object) -> None:
    """Silence, failure and "not configured" of the judge are failures of the frame, and are not remembered."""
    judge = Judge(answer)  # type: ignore[arg-type]
    classifier = OcrClassifier([judge], FixedReader(line("some words")))
    frame = Frame(STILL, 0, 0.0)
    for _ in range(2):
        assert {value for value, _ in classifier.score([frame])[0].values()} == {Absence.FAILED}
    assert len(judge.asked) == 2


def test_a_text_is_judged_once() -> None:
    """A caption that stays is put to the judge once, and a film of captions does not grow the memory for ever."""
    judge = Judge()
    fixed = FixedReader(line("the same words"))
    classifier = OcrClassifier([judge], fixed)
    frames: Sequence[Frame] = [Frame(STILL, i, i / 25) for i in range(5)]
    classifier.score(frames)
    assert judge.asked == ["the same words"]
    for n in range(600):
        fixed.lines = [line(f"caption number {n}")]
        classifier.score(frames[:1])
    assert len(classifier._known) == 512


def test_the_weights_it_cites_are_the_readers_and_the_judges() -> None:
    """Another judge, or other weights of the same judge, is another hash."""
    other, fixed = Judge(), FixedReader()
    other.weights_sha256 = "1" * 64
    assert OcrClassifier([Judge()], fixed).weights_sha256 != OcrClassifier([other], fixed).weights_sha256


def test_letters_are_counted_by_what_they_carry() -> None:
    """Figures and strokes are no letters; four Chinese signs are a sentence, four Latin letters are not."""
    assert letters("l1 | 2#") == 1
    assert legible([line("ab"), line("abc"), line("出口")]) == [line("abc"), line("出口")]
    assert in_a_language([line("出口在左")])
    assert not in_a_language([line("exit")])
    assert in_a_language([line("a" * LANGUAGE_LETTERS)])


@given(one=st.floats(0, 1), other=st.floats(0, 1))
def test_a_screen_is_judged_more_strictly_than_a_prompt(one: float, other: float) -> None:
    """Review takes 0.7 of the judge, a block 0.8 as everywhere; order stays; of minors the judge's value counts."""
    assert (on_screen("hate", 0.0), on_screen("hate", 0.7), on_screen("hate", 1.0)) == (0.0, 0.5, 1.0)
    assert on_screen("hate", 0.8) == pytest.approx(0.8)
    low, high = sorted((one, other))
    assert on_screen("hate", low) <= on_screen("hate", high)
    assert on_screen("sexual/minors", one) == one


def test_every_configured_judge_is_asked() -> None:
    """With two judges, each category that either has is scored, by the graver of the two; a failure of one fails it."""

    def calm(item: Item, category: str, text: str) -> list[Score]:
        return [Score(item, category, "calm@1", 0.1)]

    def strict(item: Item, category: str, text: str) -> list[Score]:
        return [Score(item, category, "strict@1", 0.9)]

    second = Judge(strict)
    second.categories = ("hate", "illicit")  # type: ignore[assignment]
    frame = Frame(STILL, 0, 0.0)
    classifier = OcrClassifier([Judge(calm), second], FixedReader(line("some words")))
    answer = classifier.score([frame])[0]
    calmed = on_screen("violence/graphic", 0.1)
    assert {category: value for category, (value, _) in answer.items()} == {
        "hate": 0.9, "violence/graphic": calmed, "illicit": 0.9,
    }  # fmt: skip
    broken = Judge(lambda item, category, text: [Score.absent(item, category, "broken@1", Absence.FAILED)])
    answer = OcrClassifier([Judge(calm), broken], FixedReader(line("some words"))).score([frame])[0]
    assert answer["hate"][0] is Absence.FAILED
    with pytest.raises(ValueError, match="prompt classifier"):
        OcrClassifier([], FixedReader())


def test_words_of_one_row_are_one_line() -> None:
    """Words that stand side by side are joined in the order of reading; what stands far off, or below, is not."""
    words = [
        Line("world", 0.9, (80, 0, 140, 20)),
        Line("hello", 0.95, (10, 2, 70, 22)),
        Line("far away", 0.9, (400, 0, 500, 20)),
        Line("below", 0.9, (10, 30, 80, 50)),
    ]
    assert [line.text for line in in_order(words)] == ["hello world", "far away", "below"]
    assert in_order(words)[0] == Line("hello world", 0.9, (10, 0, 140, 22))
    assert in_order([]) == []


def test_slanting_lines_are_read_in_order(reader: TextReader) -> None:
    """Two long lines at ten degrees, whose upright boxes overlap, are read one after the other."""
    text = "the first line is rather long\nand the second one follows it"
    slanting = written(STILL, text, at=(60, 120), turn=10)
    joined = " ".join(line.text for line in in_order(legible(reader.read(slanting))))
    assert joined == text.replace("\n", " ")


def test_half_a_sentence_is_not_judged_alone() -> None:
    """Two lines of one sentence go to the judge together; a sentence that ended, and print far off, stand alone."""
    judge = Judge()
    said(line("untangling myself", row=0), line("from the hammock", row=1), judge=judge)
    assert judge.asked == ["untangling myself from the hammock"]
    judge = Judge()
    said(line("It is late.", row=0), line("we go home", row=1), line("far below", row=12), judge=judge)
    assert {"It is late.", "we go home", "far below"} <= set(judge.asked)
    assert "It is late. we go home far below" in judge.asked
