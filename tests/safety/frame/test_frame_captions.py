"""Lines of text along a video: found in every frame, read where they are new or changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from media import Frame
from safety.frame import OcrClassifier, TextReader
from safety.frame.captions import EPSILON, THOROUGH_S, Captions
from safety.frame.reader import Line
from safety.frame.textnet import Quad
from tests.safety.frame.reels import scene
from tests.safety.frame.words import Judge, written


@pytest.fixture(scope="module")
def reader() -> TextReader:
    """The real reader, loaded once."""
    return TextReader()


class Bars:
    """Finds bright bars; reads the grey level of each. It counts its looks and readings."""

    weights_sha256, runtime = "0" * 64, "bars"

    def __init__(self) -> None:
        self.sides: list[int] = []
        self.readings = 0

    def find(self, pixels: np.ndarray, side: int) -> list[Quad]:
        self.sides.append(side)
        rows = np.flatnonzero(pixels[:, pixels.shape[1] // 2, 0] > 100)
        runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1) if rows.size else []
        width = pixels.shape[1]
        return [
            Quad(np.array([width / 2, run.mean() + 0.5]), np.array([width / 2, 0.0]), np.array([0.0, len(run) / 2]))
            for run in runs
        ]

    def spell(self, pixels: np.ndarray, quad: Quad) -> Line:
        self.readings += 1
        level = int(pixels[int(quad.centre[1]), pixels.shape[1] // 2, 0])
        top, bottom = (int(quad.centre[1] + sign * quad.across[1]) for sign in (-1, 1))
        return Line(str(level), 1.0, (0, top, pixels.shape[1], bottom))


def barred(index: int, bars: Sequence[tuple[int, int]], at: float | None = None, width: int = 160) -> Frame:
    """A dark frame with bars of 12 rows: (row, grey level) each."""
    pixels = np.full((90, width, 3), 20, np.uint8)
    for row, level in bars:
        pixels[row : row + 12] = level
    return Frame(pixels, index, index / 25 if at is None else at)


def texts(captions: Captions, frame: Frame) -> list[str]:
    return sorted(line.text for line in captions.lines(frame))


bars_of_a_frame = st.sets(st.sampled_from([5, 25, 45, 65]), max_size=4).flatmap(
    lambda rows: st.tuples(*[st.tuples(st.just(row), st.sampled_from([120, 160, 200, 240])) for row in sorted(rows)])
)


@settings(deadline=None, max_examples=60)
@given(st.lists(bars_of_a_frame, min_size=1, max_size=12))
def test_what_is_remembered_is_what_would_be_read(several: list[tuple[tuple[int, int], ...]]) -> None:
    """Whatever appears, changes or goes, in any order, each frame's lines are those that stand in that very frame."""
    captions = Captions(Bars())
    for index, bars in enumerate(several):
        assert texts(captions, barred(index, bars)) == sorted(str(level) for _, level in bars)


def test_a_line_that_stands_is_read_once_in_two_seconds() -> None:
    """A standing line beside one that changes in every frame is read again only when the time is up."""
    bars, captions = Bars(), None
    captions = Captions(bars)
    for index in range(100):
        assert texts(captions, barred(index, [(5, 200), (45, 120 + 40 * (index % 3))])) == sorted(
            ["200", str(120 + 40 * (index % 3))]
        )
    assert bars.readings == 100 + 2
    assert bars.sides.count(640) == 2
    assert len(bars.sides) == 100


def test_a_still_picture_is_looked_at_once_in_two_seconds() -> None:
    """Frames within the bound of the last one looked at hold its lines, until the time is up."""
    bars = Bars()
    captions = Captions(bars)
    for index in range(101):
        assert texts(captions, barred(index, [(5, 200 + index % 2)])) == [str(200 + (index // 50 * 50) % 2)]
    assert bars.sides == [640, 640, 640]
    assert captions.looks == 3


@pytest.mark.parametrize("frames", [(0.0, 5.0), (1.0, 0.5), (0.0, float(THOROUGH_S))])
def test_time_that_jumps_is_a_new_look(frames: tuple[float, float]) -> None:
    """After a gap, after the time is up, and where time runs backwards, what was read before counts no more."""
    bars = Bars()
    captions = Captions(bars)
    for at in frames:
        captions.lines(barred(0, [(5, 200)], at))
    assert bars.readings == 2
    assert bars.sides == [640, 640]


def test_a_cut_and_another_size_are_looked_at_thoroughly() -> None:
    """The first frame after a cut is looked at as the first frame of the video is, and so is one of another size."""
    bars = Bars()
    captions = Captions(bars)
    bright = Frame(np.full((90, 160, 3), 90, np.uint8), 1, 0.04)
    captions.lines(barred(0, []))
    captions.lines(bright)
    captions.lines(barred(2, [(5, 200)]))
    captions.lines(barred(3, [(5, 240)]))
    captions.lines(barred(4, [(5, 200)], width=120))
    assert bars.sides == [640, 640, 640, 320, 640]


def test_a_long_strip_is_always_looked_at_whole() -> None:
    """A picture much longer than high would be too small in its small picture, so that is not what is looked at."""
    bars = Bars()
    captions = Captions(bars)
    for index in range(3):
        captions.lines(barred(index, [(5, 120 + 40 * index)], width=400))
    assert bars.sides == [640, 640, 640]


@pytest.mark.parametrize(("change", "readings"), [(EPSILON - 2, 1), (EPSILON + 2, 2)])
def test_the_bound_of_a_line(change: float, readings: int) -> None:
    """A change within the bound leaves a line unread, one beyond it does not; another bar forces the look."""
    bars = Bars()
    captions = Captions(bars)
    captions.lines(barred(0, [(5, 200)]))
    captions.lines(barred(1, [(5, 200 + int(change)), (45, 160)]))
    assert bars.readings - 1 == readings


def test_half_a_second_of_text_is_found_at_its_frames(reader: TextReader) -> None:
    """In two seconds at 25 frames/s, text on twelve frames over a moving picture is found on exactly those."""
    wide = scene(5, (420, 180))
    small = [np.ascontiguousarray(wide[:, 2 * i : 2 * i + 320]) for i in range(50)]
    frames = [
        Frame(written(p, "forbidden words", at=(60, 120)) if 20 <= i < 32 else p, i, i / 25)
        for i, p in enumerate(small)
    ]
    session = OcrClassifier([Judge()], reader).session()
    answers = session.score(frames)
    assert [i for i, answer in enumerate(answers) if answer["hate"][0] == 0.9] == list(range(20, 32))
    assert {answer["hate"][0] for answer in answers} == {0.0, 0.9}


def test_one_frame_of_other_words_in_the_same_place_is_found(reader: TextReader) -> None:
    """A caption replaced for a single frame by another in the same place and style is read in that frame."""
    still = scene(5, (640, 360))
    words = ["harmless phrase" if i != 5 else "forbidden words" for i in range(10)]
    frames = [Frame(written(still, text, at=(200, 300)), i, i / 25) for i, text in enumerate(words)]
    answers = OcrClassifier([Judge()], reader).session().score(frames)
    assert [i for i, answer in enumerate(answers) if answer["hate"][0] == 0.9] == [5]


def test_a_session_remembers_and_the_classifier_does_not(reader: TextReader) -> None:
    """Two sessions and the classifier itself share models, not memories; batches of any size say the same."""
    classifier = OcrClassifier([Judge()], reader)
    still = scene(6, (320, 180))
    frames = [Frame(written(still, "forbidden", at=(20 + 30 * i, 60)), i, i / 25) for i in range(4)]
    at_once = classifier.session().score(frames)
    session = classifier.session()
    assert [session.score([frame])[0] for frame in frames] == at_once
    assert (session.name, session.weights_sha256) == (classifier.name, classifier.weights_sha256)
    assert {answer["hate"][0] for answer in classifier.score(frames)} == {0.9}


def test_a_space_that_the_speller_thought_of_is_there() -> None:
    """Words that the speller ran together are parted where it gave a space a tenth, and nowhere else."""
    from safety.frame.textnet import spelled

    signs = ["", "A", "B", " "]
    output = np.full((6, 4), 0.001, np.float32)
    for step, sign in enumerate((1, 0, 0, 2, 0, 2)):
        output[step, sign] = 0.9
    assert spelled(output, signs)[0] == "ABB"
    output[2, 3] = 0.2
    assert spelled(output, signs)[0] == "A BB"
