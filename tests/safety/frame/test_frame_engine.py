from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from media import Frame, Undecodable
from safety import Absence, FrameCounts, Item, Stage, Track
from safety.frame import Bound, FrameExamination, ScanOptions, examine_image, examine_video
from tests.safety.frame.reels import UNSUPPORTED, Brightness, Reader, Reel, Scripted, flat, reel

SHA = "ab" * 32


def examine(
    video: Reel, *classifiers: Brightness, wanted: tuple[str, ...] = ("canary",), batch: int = 16, **how: object
) -> FrameExamination:
    """The examination of a reel at the frame stage."""
    options = how.pop("options", None) or ScanOptions(batch=batch)
    return examine_video(video, SHA, Stage.FRAME, classifiers, wanted, options=options, **how)  # type: ignore[arg-type]


def tracks(seen: FrameExamination) -> dict[tuple[str, str], Track]:
    """The tracks by category and source."""
    return {(s.category, s.source): s for s in seen.examination.scores if isinstance(s, Track)}


def test_every_frame_is_shown_once_in_order_to_every_classifier() -> None:
    """Each classifier sees each decoded frame exactly once, whatever the batch."""
    for batch in (1, 3, 16):
        first, second = Scripted((0.5, None), "a"), Scripted((0.25, None), "b")
        seen = examine(reel([flat(i, i) for i in range(7)]), first, second, batch=batch)
        assert first.saw == second.saw == list(range(7))
        assert seen.counts == FrameCounts(7, 7, 0, 7, 0, 0)
        assert tracks(seen)["hate", "a@1"].values.tolist() == [0.5] * 7


def test_the_examination_names_the_file_and_counts_its_frames() -> None:
    """One item of the stage with the file's hash and the number of frames; one posture entry a classifier."""
    seen = examine(reel([flat(9, i) for i in range(5)]), Brightness()).examination
    assert seen.items == (Item(Stage.FRAME, "frames", SHA, 5),)
    assert [(e.model, e.stage, e.items, e.failed) for e in seen.posture] == [("brightness", Stage.FRAME, 5, 0)]


def test_a_single_bright_frame_is_found_at_its_second() -> None:
    """One inserted frame stands in the track at its own index and pts."""
    track = tracks(examine(reel([flat(255 if i == 37 else 0, i) for i in range(60)]), Brightness()))[
        "canary", "brightness@1"
    ]
    assert np.flatnonzero(track.values > 0.5).tolist() == [37]
    assert track.pts[37] == pytest.approx(37 / 25)


def test_an_undecodable_frame_is_a_failure_in_every_track() -> None:
    """A frame that did not decode is Absence.FAILED with its reason, in its place, and is counted."""
    video = reel([flat(0, 0), Undecodable(1, None, "broken slice"), flat(9, 2)])
    seen = examine(video, Brightness(), Scripted((0.1, None)))
    assert seen.counts == FrameCounts(3, 2, 1, 2, 0, 0)
    for track in tracks(seen).values():
        assert track.absences == {1: Absence.FAILED}
        assert math.isnan(track.pts[1])
        assert "frame 1 did not decode: broken slice" in (track.note or "")
    assert [entry.failed for entry in seen.examination.posture] == [1, 1]


def test_a_video_without_frames_can_only_fail() -> None:
    """No frames: an item of count 0, empty tracks, and categories that nobody judges have failed, not been waived."""
    seen = examine(reel([]), Brightness(), wanted=("canary", "sexual"))
    assert seen.examination.items[0].count == 0
    assert tracks(seen)["canary", "brightness@1"].values.shape == (0,)
    assert [s.absence for s in seen.examination.scores if s.category == "sexual"] == [Absence.FAILED]  # type: ignore[union-attr]


FAULTS = {
    "raises": (RuntimeError("out of paint"), "out of paint"),
    "nan": ((math.nan, None), "nan"),
    "above one": ((1.5, None), "1.5"),
    "below zero": ((-0.1, None), "-0.1"),
    "a boolean": ((True, None), "True"),
    "a string": (("0.5", None), "0.5"),
    "no evidence field": (0.5, "not (value or absence, evidence)"),
    "strange evidence": ((0.5, "there"), "no Where"),
    "not configured": ((Absence.NOT_CONFIGURED, None), "not configured"),
    "says it failed": ((Absence.FAILED, None), "it failed"),
    "missing": (lambda frame: {}, "no score"),
    "undeclared": (lambda frame: {"hate": (0.0, None), "sexual": (1.0, None)}, "sexual"),
    "no mapping": (lambda frame: 0.3, "not a mapping"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_a_classifier_does_wrong_is_a_failure_by_name(fault: str) -> None:
    """A faulty answer is FAILED for its frames with a note that names classifier and fault; the scan goes on."""
    answer, words = FAULTS[fault]
    seen = examine(reel([flat(i, i) for i in range(4)]), Scripted(answer), Brightness())
    track = tracks(seen)["hate", "scripted@1"]
    assert set(track.absences.values()) == {Absence.FAILED}
    assert len(track.absences) == 4
    assert "scripted@1" in (track.note or "")
    assert words in (track.note or "")
    assert not tracks(seen)["canary", "brightness@1"].absences
    assert seen.counts == FrameCounts(4, 4, 0, 0, 0, 4)


@pytest.mark.parametrize("length", [0, 3, 5])
def test_a_wrong_number_of_answers_fails_the_whole_batch(length: int) -> None:
    """Answers that cannot be matched to frames are answers to none of them."""

    class Miscounting(Brightness):
        def score(self, frames):  # type: ignore[no-untyped-def]
            return [{"canary": (0.0, None)}] * length

    seen = examine(reel([flat(i, i) for i in range(4)]), Miscounting())
    assert tracks(seen)["canary", "brightness@1"].absences == dict.fromkeys(range(4), Absence.FAILED)


def test_a_fault_on_one_frame_leaves_the_others_scored() -> None:
    """Only the frame with the faulty answer fails, and the note counts what it does not repeat."""
    faulty = Scripted(lambda frame: {"hate": (math.inf if frame.index % 2 else 0.5, None)})
    seen = examine(reel([flat(i, i) for i in range(10)]), faulty)
    track = tracks(seen)["hate", "scripted@1"]
    assert set(track.absences) == {1, 3, 5, 7, 9}
    assert (track.note or "").endswith("and 2 more faults")
    assert seen.counts == FrameCounts(10, 10, 0, 5, 0, 5)


def test_unsupported_is_an_answer() -> None:
    """A frame that a model says it does not support is scored, with that absence."""
    seen = examine(reel([flat(0, 0)]), Scripted(UNSUPPORTED))
    assert tracks(seen)["hate", "scripted@1"].absences == {0: Absence.UNSUPPORTED}
    assert seen.counts == FrameCounts(1, 1, 0, 1, 0, 0)


def test_a_decoder_that_gives_up_leaves_failures_for_the_rest() -> None:
    """MediaError half-way: what was read is scored, and every frame declared beyond it has failed."""
    for declared, total in ((10, 10), (None, 5), (3, 5)):
        video = reel([flat(i, i) for i in range(4)], declared=declared or 0, error="reel.mp4: the box ends early")
        seen = examine(video, Brightness(), batch=3)
        track = tracks(seen)["canary", "brightness@1"]
        assert seen.examination.items[0].count == total == len(track.values)
        assert track.absences == dict.fromkeys(range(4, total), Absence.FAILED)
        assert "the box ends early" in (track.note or "")
        assert "the box ends early" in (seen.stopped or "")
        assert seen.counts == FrameCounts(total, 4, total - 4, 4, 0, 0)


def test_a_declared_billion_frames_cost_no_memory() -> None:
    """A container may declare any number of frames; the padding that stands for them is bounded."""
    seen = examine(reel([flat(0, 0)], declared=10**12, error="cut"), Brightness())
    assert seen.counts.total == 100_001


def test_cancelling_fails_the_rest_and_closes_the_file() -> None:
    """A cancelled scan keeps what it saw, fails the rest, says so, and closes the video at once."""
    video, eye = reel([flat(i, i) for i in range(50)]), Scripted((0.0, None))
    done: list[int] = []
    seen = examine(video, eye, batch=10, progress=done.append, cancel=lambda: 20 in done)
    assert seen.stopped == "cancelled after 20 frames"
    assert (seen.counts.scored, seen.counts.undecodable) == (20, 30)
    assert video.closed == [True]


def test_progress_counts_frames_up_to_the_last() -> None:
    """Progress grows and ends at the number of frames."""
    told: list[int] = []
    examine(reel([flat(i, i) for i in range(7)]), Brightness(), batch=3, progress=told.append)
    assert told == [3, 6, 7]


def test_large_frames_are_shown_in_smaller_batches() -> None:
    """A batch is bounded in bytes as well, so that 4K does not cost a gigabyte."""
    sizes: list[int] = []

    class Counting(Brightness):
        def score(self, frames):  # type: ignore[no-untyped-def]
            sizes.append(len(frames))
            return super().score(frames)

    examine(reel([flat(i, i, (3840, 2160)) for i in range(4)]), Counting())
    assert sizes == [2, 2]


def test_a_category_that_nobody_judges_is_not_configured() -> None:
    """A wanted category without a model for the picture is NOT_CONFIGURED, also where its words were read."""
    seen = examine(reel([flat(0, 0)]), Reader((0.0, None)), wanted=("hate", "sexual"))
    absent = {s.category: s.absence for s in seen.examination.scores if not isinstance(s, Track)}
    assert absent == {"hate": Absence.NOT_CONFIGURED, "sexual": Absence.NOT_CONFIGURED}
    assert tracks(seen)["hate", "scripted@1"].values.tolist() == [0.0]


def test_with_no_classifier_no_frame_counts_as_scored() -> None:
    """Frames that nobody was there to look at are not scored frames."""
    assert examine(reel([flat(0, 0), flat(0, 1)])).counts == FrameCounts(2, 2, 0, 0, 0, 2)


def test_frames_out_of_order_are_a_fault_of_the_caller() -> None:
    """A walk that leaves a frame out is refused, not renumbered."""
    with pytest.raises(ValueError, match="frame 2 came where frame 1 was due"):
        examine(reel([flat(0, 0), flat(0, 2)]), Brightness())


def test_two_classifiers_of_one_name_are_refused() -> None:
    """Scores that could not be told apart are refused before the first frame."""
    with pytest.raises(ValueError, match="same name"):
        examine(reel([]), Brightness(), Brightness())


def test_only_videos_are_examined_at_video_stages() -> None:
    """A stage that holds no frames is a fault of the caller, as is a batch of none."""
    with pytest.raises(ValueError, match="stage"):
        examine_video(reel([]), SHA, Stage.PROMPT, (), ())
    for wrong in ({"batch": 0}, {"epsilon": 0.5}):
        with pytest.raises(ValueError, match="batch"):
            ScanOptions(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="count 1"):
        examine_image(flat(0), Item(Stage.FRAME, "x", SHA), (), ())


def test_counts_that_do_not_add_up_cannot_be_built() -> None:
    """Frames unaccounted for are refused when the counts are made."""
    with pytest.raises(ValueError, match="unaccounted"):
        FrameCounts(10, 9, 1, 4, 4, 0)


def test_a_picture_gets_one_score_a_category() -> None:
    """An input image is shown to every classifier; failures and categories nobody judges are absences."""
    item = Item(Stage.INPUT_IMAGE, "input-image", SHA)
    eyes = (Brightness(), Scripted(RuntimeError("no film")))
    seen = examine_image(flat(255), item, eyes, ("canary", "hate", "sexual"))
    said = {(s.category, s.source): (s.value, s.absence) for s in seen.scores if not isinstance(s, Track)}
    assert said == {
        ("canary", "brightness@1"): (1.0, None),
        ("hate", "scripted@1"): (None, Absence.FAILED),
        ("sexual", "none@0"): (None, Absence.NOT_CONFIGURED),
    }
    assert [(e.model, e.items, e.failed) for e in seen.posture] == [("brightness", 1, 0), ("scripted", 1, 1)]


class Dear(Scripted):
    """A classifier that need not be shown every frame."""

    bound = Bound(epsilon=6.0, cap_s=2.0)


def test_covered_frames_carry_the_value_of_the_frame_that_covers_them() -> None:
    """A still is shown once per cap; the rest is covered and counted, and the posture says by which bound."""
    eye = Dear(lambda frame: {"hate": (frame.index / 1000, None)})
    seen = examine(reel([flat(90, i) for i in range(120)]), eye, Brightness())
    assert eye.saw == [0, 51, 102]  # 2 s at 25 frames/s, and one beyond
    assert tracks(seen)["hate", "scripted@1"].values.tolist() == [
        float(np.float16(i // 51 * 51 / 1000)) for i in range(120)
    ]
    assert seen.counts == FrameCounts(120, 120, 0, 1, 119, 0)
    scripted, brightness = seen.coverage["scripted@1"], seen.coverage["brightness@1"]
    assert (scripted.scored, scripted.covered, scripted.failed) == (3, 117, 0)
    assert (brightness.scored, brightness.covered, brightness.bound) == (1, 119, "identical to a frame shown")
    assert [entry.coverage for entry in seen.examination.posture] == [scripted, brightness]
    assert "117 of 120 frames covered" in (seen.examination.posture[0].runtime or "")


def test_a_failure_is_not_spread_over_the_frames_that_it_would_cover() -> None:
    """Frames that a failed one would have covered are shown themselves, also those that are identical to it."""
    for kind in (Dear, Scripted):
        eye = kind(lambda frame: {"hate": (math.nan if frame.index == 0 else 0.5, None)})
        seen = examine(reel([flat(90, i) for i in range(8)]), eye, batch=4)
        assert set(tracks(seen)["hate", "scripted@1"].absences) == {0}
        assert seen.counts == FrameCounts(8, 8, 0, 7, 0, 1)


def test_streams_and_views_are_covered_apart() -> None:
    """Looks that come in turns are each compared with the last one of their own kind."""
    frames = [
        Frame(flat(200 * (i % 2)).pixels, i, i // 2 / 25, view="colours" if i % 2 else "over-black") for i in range(8)
    ]
    eye = Dear((0.1, None))
    examine(reel(frames), eye)
    assert eye.saw == [0, 1]


def test_a_bound_of_another_type_is_refused() -> None:
    """What a classifier declares about itself is read strictly, before the first frame."""
    eye = Scripted((0.0, None))
    eye.bound = 6.0  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="Bound"):
        examine(reel([]), eye)
    reader = Reader((0.0, None))
    reader.evidence = "smell"
    with pytest.raises(ValueError, match="evidence"):
        examine(reel([]), reader)


@given(st.lists(st.sampled_from(["ok", "nan", "gone", "unsupported"]), max_size=40), st.integers(1, 7), st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_frame_is_accounted_for(kinds: list[str], batch: int, bounded: bool) -> None:
    """The sums of the counts hold, overall and for the model, and each track has one entry a frame."""
    frames = [Undecodable(i, None, "x") if kind == "gone" else flat(i * 5, i) for i, kind in enumerate(kinds)]
    said = {"ok": (0.25, None), "nan": (math.nan, None), "unsupported": UNSUPPORTED}
    eye = (Dear if bounded else Scripted)(lambda frame: {"hate": said[kinds[frame.index]]})
    seen = examine(reel(frames), eye, batch=batch)
    counts, cover = seen.counts, seen.coverage["scripted@1"]
    assert counts.total == len(kinds) == len(tracks(seen)["hate", "scripted@1"].values)
    assert counts.undecodable == kinds.count("gone")
    assert (
        counts.decoded == cover.scored + cover.covered + cover.failed == counts.scored + counts.covered + counts.failed
    )
    if not bounded:
        assert counts.failed == kinds.count("nan")
