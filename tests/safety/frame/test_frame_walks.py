"""Sessions, samplers, streams, opt-in covering, early stops and cancelling."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from media import Frame, Undecodable
from safety import Absence, Coverage, FrameScore, Stage, Track
from safety.frame import EPSILONS, Bound, FrameExamination, ScanOptions, Schedule, examine_video
from safety.frame.crew import Crew
from safety.frame.gate import Gate, difference
from safety.frame.shots import Shots
from safety.frame.traits import streams_of
from tests.safety.frame.reels import Brightness, Reel, Scripted, flat, reel, scene

SHA = "cd" * 32


def examine(video: Reel, *eyes: Brightness, options: ScanOptions | None = None, **how: object) -> FrameExamination:
    """The examination at the frame stage, for the categories of all eyes."""
    wanted = tuple({category for eye in eyes for category in eye.categories})
    return examine_video(video, SHA, Stage.FRAME, eyes, wanted, options=options, **how)  # type: ignore[arg-type]


def track(seen: FrameExamination, source: str) -> Track:
    """The one track of a source."""
    (found,) = [s for s in seen.examination.scores if isinstance(s, Track) and s.source == source]
    return found


class Counter(Scripted):
    """A model with a memory: the n-th frame of its stream is worth n / 100."""

    def __init__(self) -> None:
        super().__init__((0.0, None), "counter")
        self.sessions: list[Scripted] = []

    def session(self) -> Scripted:
        seen: list[int] = []

        def answer(frame: Frame) -> dict[str, FrameScore]:
            seen.append(frame.index)
            return {"hate": (len(seen) / 100, None)}

        self.sessions.append(Scripted(answer, "inner"))
        return self.sessions[-1]


def test_a_session_sees_every_frame_of_its_stream_once_and_in_order() -> None:
    """A model with a memory is given a fresh one for each stream of each video, and no frame is covered before it."""
    frames = [Frame(flat(50).pixels, i, i // 2 / 25, stream=i % 2) for i in range(12)]
    eye = Counter()
    for video in (1, 2):
        seen = examine(reel(frames), eye, options=ScanOptions(batch=5, epsilon=2.0))
        values = track(seen, "counter@1").values.astype(float).round(2).tolist()
        assert values == [0.01, 0.01, 0.02, 0.02, 0.03, 0.03, 0.04, 0.04, 0.05, 0.05, 0.06, 0.06]
        assert len(eye.sessions) == 2 * video
        assert [one.saw for one in eye.sessions[-2:]] == [[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]]
        assert seen.counts.scored == 12
    assert eye.saw == []


def test_a_session_that_cannot_begin_is_a_failure() -> None:
    """Where `session` raises, every frame has failed by name, and the others are scored."""

    class Broken(Counter):
        def session(self) -> Scripted:
            raise OSError("no memory left")

    seen = examine(reel([flat(i, i) for i in range(4)]), Broken(), Brightness())
    assert set(track(seen, "counter@1").absences.values()) == {Absence.FAILED}
    assert "counter@1 raised OSError: no memory left" in (track(seen, "counter@1").note or "")
    assert not track(seen, "brightness@1").absences


class Judge(Scripted):
    """A model too dear for every frame."""

    schedule = Schedule(every_s=1.0, escalate=0.5, escalated_s=0.2)


def test_a_sampler_looks_at_shots_and_every_second_and_says_what_it_did_not_see() -> None:
    """It is shown each shot's first frame and one a second; the rest is called sampled and never scored or covered."""
    pictures = [scene(1, (64, 36))] * 40 + [255 - scene(1, (64, 36))] * 40
    frames = [Frame(np.roll(pixels, i, axis=1), i, i / 25) for i, pixels in enumerate(pictures)]
    eye = Judge(lambda frame: {"hate": (frame.index / 100, None)})
    seen = examine(reel(frames), eye, Scripted((0.0, None), "each", ("canary",)))
    assert eye.saw == [0, 25, 40, 65]
    coverage = seen.coverage["scripted@1"]
    assert (coverage.scored, coverage.covered, coverage.sampled, coverage.failed) == (4, 0, 76, 0)
    held = track(seen, "scripted@1").values.astype(float).round(2)
    assert [held[i] for i in (0, 24, 25, 39, 40, 64, 65, 79)] == [0.0, 0.0, 0.25, 0.25, 0.4, 0.4, 0.65, 0.65]
    assert "76 of 80 frames sampled: each shot, every 1 s" in (seen.examination.posture[0].runtime or "")
    assert seen.counts.scored == 80  # the models that look at every frame


def test_a_category_that_is_only_sampled_is_not_configured_beside_its_scores() -> None:
    """A sampler alone cannot make its category look evaluated; with a model for every frame beside it, it is."""
    eye, frames = Judge((0.1, None)), [flat(i, i) for i in range(30)]
    alone = [s for s in examine(reel(frames), eye).examination.scores if s.category == "hate"]
    (nobody,) = [score for score in alone if not isinstance(score, Track)]
    assert nobody.absence is Absence.NOT_CONFIGURED
    assert "only sampled" in (nobody.note or "")
    both = examine(reel(frames), eye, Scripted((0.0, None), "each")).examination.scores
    assert all(isinstance(score, Track) for score in both)
    assert examine(reel(frames), eye).counts.failed == 30  # nobody was there for every frame


def test_a_sampler_looks_closer_where_another_model_found_something() -> None:
    """Frames that another model scores high are shown at the escalated pace."""
    frames = [flat(250 if 10 <= i < 20 else 120 + i % 3, i) for i in range(30)]
    eye = Judge((0.0, None))
    examine(reel(frames), eye, Brightness(), options=ScanOptions(batch=7))
    assert eye.saw[0] == 0
    assert [i for i in eye.saw if 10 <= i < 20] == [10, 15]


def test_a_sampler_that_fails_has_failed_until_it_looks_again() -> None:
    """The frames between are not given a value that nobody gave; an undecodable frame is nobody's."""
    frames: list[Frame | Undecodable] = [flat(i, i) for i in range(40)]
    frames[3] = Undecodable(3, None, "torn")
    eye = Judge(lambda frame: {"hate": (np.nan if frame.index == 0 else 0.5, None)})
    seen = examine(reel(frames), eye)
    assert set(track(seen, "scripted@1").absences) == set(range(25))
    assert seen.coverage["scripted@1"].failed == 24


def test_a_schedule_that_makes_no_sense_is_refused() -> None:
    """Times of no length and another type are refused before the first frame."""
    for wrong in ({"every_s": 0.0}, {"escalated_s": float("inf")}, {"escalate": 1.5}):
        with pytest.raises(ValueError, match="seconds"):
            Schedule(**wrong)
    eye = Scripted((0.0, None))
    for name, value, words in (
        ("schedule", 2, "Schedule"),
        ("look", "tiny", "look must be"),
        ("streams", 0, "streams"),
    ):
        setattr(eye, name, value)
        with pytest.raises((TypeError, ValueError), match=words):
            examine(reel([]), eye)
        delattr(eye, name)
    assert streams_of(eye) == 1


def test_streams_work_at_the_same_time_and_answers_keep_their_frames() -> None:
    """A model with two streams is asked by two threads at once; the track is as with one."""
    both = threading.Barrier(2, timeout=20)

    class Twice(Scripted):
        streams = 2

        def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
            both.wait()
            return [{"hate": (frame.index / 100, None)} for frame in frames]

    seen = examine(reel([flat(i, i) for i in range(32)]), Twice((0.0, None)), options=ScanOptions(batch=8))
    assert track(seen, "scripted@1").values.astype(float).round(2).tolist() == [i / 100 for i in range(32)]


def test_identical_frames_are_covered_and_their_value_is_the_models_own() -> None:
    """Covering by identity changes no value: a walk of repeated pictures equals one that shows each."""
    levels = [10, 10, 10, 200, 200, 10, 10]
    eye = Brightness()
    seen = examine(reel([flat(level, i) for i, level in enumerate(levels)]), eye, options=ScanOptions(batch=2))
    assert seen.coverage["brightness@1"] == Coverage(7, 7, 0, 3, 4, 0, 0, "identical to a frame shown")
    shown = [eye.score([flat(level)])[0]["canary"][0] for level in levels]
    assert track(seen, "brightness@1").values.tolist() == np.array(shown, np.float16).tolist()


@given(st.integers(0, 319), st.integers(0, 179), st.sampled_from([4, 6, 8, 16]), st.sampled_from(EPSILONS[1:]))
@settings(max_examples=60, deadline=None)
def test_no_patch_hides_at_any_epsilon_offered(x: int, y: int, size: int, epsilon: float) -> None:
    """A patch of 4 cells or more (16 px at 720p) that differs by 10 levels is shown at each epsilon, wherever it is."""
    still = (scene(3, (320, 180)) * 0.5 + 60).astype(np.uint8)
    x, y = min(x, 320 - size), min(y, 180 - size)
    marked = still.copy()
    marked[y : y + size, x : x + size, 1] += 10
    gate = Gate(Bound(epsilon=epsilon))
    assert not gate.covers(Frame(still, 0, 0.0))
    assert not gate.covers(Frame(marked, 1, 0.04))


@given(st.integers(0, 2**31), st.integers(1, 12), st.sampled_from(EPSILONS[1:]))
@settings(max_examples=60, deadline=None)
def test_the_bound_holds_whatever_is_covered(seed: int, noise: int, epsilon: float) -> None:
    """Every covered frame is within epsilon of the last frame shown in every 8x8 window, so in every 16x16 block."""
    rng = np.random.default_rng(seed)
    still = scene(5, (160, 90)).astype(int)
    moved = [still + rng.integers(-noise, noise + 1) + rng.integers(-1, 2, still.shape) for _ in range(8)]
    frames = [Frame(np.clip(pixels, 0, 255).astype(np.uint8), i, i / 25) for i, pixels in enumerate(moved)]
    gate = Gate(Bound(epsilon=epsilon))
    shown = frames[0]
    for frame in frames:
        if not gate.covers(frame):
            shown = frame
            continue
        assert difference(shown.pixels, frame.pixels, 8) <= epsilon
        blocks = np.abs(shown.pixels.astype(int) - frame.pixels)[:80].reshape(5, 16, 10, 16, 3).mean(axis=(1, 3))
        assert blocks.max() <= epsilon


def test_nothing_but_identical_frames_is_covered_near_a_threshold() -> None:
    """With a value within the margin of a threshold, frames that the bound would cover are shown after all."""
    frames = [flat(100 + i % 2, i) for i in range(20)]
    for value, saw in ((0.2, [0]), (0.45, list(range(20))), (0.58, list(range(20))), (0.65, [0])):
        eye = Scripted((value, None))
        options = ScanOptions(epsilon=2.0, alarms={"hate": (0.5,)})
        seen = examine(reel(frames), eye, options=options)
        assert sorted(eye.saw) == saw, value
        assert seen.coverage["scripted@1"].scored == len(saw)


def test_an_early_stop_ends_at_the_certain_frame_and_is_recorded_as_partial() -> None:
    """In decision mode the walk ends soon after the frame that decides; the posture says why and what was seen."""
    frames = [flat(255 if i == 21 else i, i) for i in range(200)]
    video = reel(frames)
    seen = examine(video, Brightness(), options=ScanOptions(batch=4, certain={"canary": 0.9}))
    assert seen.counts.total < 40
    assert seen.counts.undecodable == 0
    assert track(seen, "brightness@1").values[21] == 1.0
    assert "canary reached 1.00 in frame 21: a block is certain" in (seen.stopped or "")
    assert seen.examination.partial == seen.stopped
    assert video.closed == [True]
    whole = examine(reel(frames), Brightness(), options=ScanOptions(certain={"canary": 1.0, "hate": 0.1}))
    assert whole.stopped is not None
    assert (
        examine(reel(frames[:20]), Brightness(), options=ScanOptions(certain={"canary": 0.9})).examination.partial
        is None
    )


def test_cancelling_does_not_wait_for_a_model_that_hangs() -> None:
    """A scan in a model call that never returns ends as soon as it is cancelled; the frames it held have failed."""
    release = threading.Event()

    class Hanging(Scripted):
        def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
            release.wait(60)
            return super().score(frames)

    asked = time.monotonic() + 0.2
    seen = examine(reel([flat(i, i) for i in range(40)]), Hanging((0.0, None)), cancel=lambda: time.monotonic() > asked)
    took = time.monotonic() - asked
    release.set()
    assert seen.stopped == "cancelled after 0 frames"
    assert seen.examination.partial == seen.stopped
    assert set(track(seen, "scripted@1").absences.values()) == {Absence.FAILED}
    assert took < 10  # a minute, were it waited for; benchmarks/scan has the time


def test_decoding_stays_close_to_the_models() -> None:
    """A slow model holds the decoder back: no more than a few batches are ever decoded ahead of it."""
    ahead: list[int] = []
    decoded: list[int] = []

    class Slow(Scripted):
        def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
            time.sleep(0.02)
            ahead.append(len(decoded) - frames[-1].index)
            return super().score(frames)

    class Counted(Reel):
        def frames(self, **how: object):  # type: ignore[no-untyped-def, override]
            for frame in super().frames():
                decoded.append(frame.index)
                yield frame

    plain = reel([flat(i % 250, i) for i in range(200)])
    examine(Counted(**vars(plain)), Slow((0.0, None)), options=ScanOptions(batch=4))
    assert max(ahead) <= 4 * 6


def test_what_a_decoder_raises_besides_media_errors_reaches_the_caller() -> None:
    """A fault of the code is not taken for a fault of the file."""

    class Faulty(Reel):
        def frames(self, **how: object):  # type: ignore[no-untyped-def, override]
            yield flat(0, 0)
            raise ZeroDivisionError("a slip")

    with pytest.raises(ZeroDivisionError, match="a slip"):
        examine(Faulty(**vars(reel([]))), Brightness())


def test_a_crew_hands_back_errors_and_drops_what_nobody_wants() -> None:
    """What a job raises is raised where its answer is asked for; jobs not begun are dropped with the crew."""
    crew = Crew(1, "test")
    with pytest.raises(KeyError):
        crew.submit(lambda: {}["gone"]).result(10)
    begun, hold = threading.Event(), threading.Event()
    busy = crew.submit(lambda: (begun.set(), hold.wait(10)))
    begun.wait(10)
    waiting = crew.submit(lambda: 1)
    crew.dismiss()
    assert waiting.cancelled()
    hold.set()
    assert busy.result(10)


def test_shots_begin_at_cuts_and_not_in_a_pan() -> None:
    """A hard cut begins a shot; a slow pan and grain do not."""
    shots = Shots()
    pan = [np.roll(scene(2, (320, 180)), 2 * i, axis=1) for i in range(20)]
    cut = [255 - scene(4, (320, 180))] * 5
    begun = [i for i, pixels in enumerate(pan + cut) if shots.begins(Frame(pixels, i, i / 25))]
    assert begun == [0, 20]


def test_coverage_that_does_not_add_up_cannot_be_built() -> None:
    """Frames unaccounted for are refused; sums and stored forms keep the account."""
    with pytest.raises(ValueError, match="unaccounted"):
        Coverage(10, 9, 1, 4, 4, 0)
    one, two = Coverage(3, 3, 0, 1, 2, 0, 0, "x"), Coverage(2, 1, 1, 1, 0, 0, stopped="cut")
    assert one + two == Coverage(5, 4, 1, 2, 2, 0, 0, "x", "cut")
    assert Coverage.of(one.to_json()) == one
    assert Coverage.of(None) is None
