"""Rules by shot and by file: where segments end, what a file amounts to, and that both come back from storage."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

from assay.looking import scan_options
from media import Frame, MediaError, Undecodable
from safety import (
    Absence,
    Action,
    Circumstances,
    CorruptRecord,
    Item,
    Policy,
    Recording,
    Stage,
    Temporal,
    Track,
    Where,
    decide,
    replay,
    segments,
)
from safety.frame import ScanOptions, Schedule, examine_video
from safety.frame.recorder import EVIDENCE_FLOOR, Recorder
from safety.frame.shots import Borders
from safety.segment import told
from tests.safety.frame.reels import Brightness, Scripted, flat, reel, scene
from tests.safety.worlds import policy, quiet, raised, rule, temporals, track, tracks, video

SHOT, FILE = Temporal(scope="shot"), Temporal(scope="file")
DIGEST = "d" * 64


@st.composite
def shots(draw: st.DrawFn) -> Track:
    """A track of up to 14 frames at ten a second, cut into shots anywhere."""
    count = draw(st.integers(1, 14))
    borders = draw(st.sets(st.integers(1, count - 1), max_size=4)) if count > 1 else set()
    one = draw(tracks(video(count), "hate", "eye@1"))
    return replace(one, pts=np.arange(count) / 10, borders=tuple(sorted(borders)))


def scoped(scope: str) -> st.SearchStrategy[Temporal]:
    """Any temporal rule of a scope, without a share."""
    return temporals.map(lambda written: Temporal.model_validate({**written, "scope": scope}))


shares = st.builds(
    lambda share, instant: Temporal(scope="file", share=share, instant=instant),
    st.floats(0.01, 1.0) | st.sampled_from([0.1, 0.2, 0.5, 1.0]),
    st.none() | st.just(1.0),
)
any_scope = scoped("shot") | scoped("file") | shares


def parts(one: Track) -> list[Track]:
    """Each shot as a track of its own."""
    return [
        track(video(stop - start), "hate", [one.absences.get(i, float(one.values[i])) for i in range(start, stop)])
        for start, stop in one.shots
    ]


@settings(deadline=None)
@given(shots(), st.floats(0.01, 1.0), any_scope)
def test_no_segment_crosses_a_border(one, threshold, temporal):
    """Whatever is merged and held, a segment lies within one shot."""
    for segment in segments(one, threshold, temporal):
        within = [(a, b) for a, b in one.shots if a <= segment.peak_frame < b]
        assert len(within) == 1
        start, stop = within[0]
        end_s = one.pts[stop] if stop < len(one.pts) else np.inf
        assert one.pts[start] <= segment.start_s <= segment.end_s <= end_s


@pytest.mark.parametrize("first", range(12))
def test_a_gap_as_long_as_merge_s_joins_wherever_it_lies(first):
    """Two frames with one between them are one segment at a tenth of a second's grace, at any place of the video."""
    values = [float(i in (first, first + 2)) for i in range(14)]
    one = replace(track(video(14), "hate", values), pts=np.arange(14) / 10)
    temporal = Temporal(k=1, n=1, close=1.0, merge_s=0.1)
    assert [segment.peak_frame for segment in segments(one, 1.0, temporal)] == [first]


@settings(deadline=None)
@given(shots(), st.floats(0.01, 1.0), scoped("shot"))
def test_a_shot_is_judged_as_a_video_of_its_own(one, threshold, temporal):
    """The segments of a track are those of its shots, each taken as if nothing else had been there."""
    alone = temporal.model_copy(update={"scope": "frames"})
    expected = [
        (start + segment.peak_frame, segment.peak)
        for (start, _), part in zip(one.shots, parts(one), strict=True)
        for segment in segments(part, threshold, alone)
    ]
    assert [(segment.peak_frame, segment.peak) for segment in segments(one, threshold, temporal)] == expected


@settings(deadline=None)
@given(shots(), st.floats(0.01, 1.0), scoped("file"))
def test_a_file_is_the_maximum_over_its_shots(one, threshold, temporal):
    """One number a file: the largest that any shot's segments hold, and none where no shot has one."""
    alone = temporal.model_copy(update={"scope": "frames"})
    peaks = [segment.peak for part in parts(one) for segment in segments(part, threshold, alone)]
    found = told(segments(one, threshold, temporal), temporal)
    assert [segment.peak for segment in found] == ([max(peaks)] if peaks else [])


@settings(deadline=None)
@given(shots(), st.floats(0.01, 1.0), shares)
def test_a_share_is_counted_over_the_frames_that_were_scored(one, threshold, temporal):
    """A file is found exactly where enough of its scored frames reach the threshold, or one of them `instant`."""
    scored = [value for value in one.values.tolist() if value == value]
    hits = [value for value in scored if value >= float(np.float16(threshold))]
    expected = bool(hits) and len(hits) / len(scored) >= temporal.share
    if temporal.instant is not None:
        expected = expected or any(value >= temporal.instant for value in scored)
    assert bool(segments(one, threshold, temporal)) is expected


@pytest.mark.parametrize(("hits", "found"), [(1, False), (2, True), (3, True)])
def test_a_share_is_reached_exactly(hits, found):
    """Two of ten frames reach a share of 0.2, and frames that failed do not stand in the way."""
    lost = [Absence.FAILED] * 40
    for values in ([0.9] * hits + [0.1] * (10 - hits), lost + [0.1] * (10 - hits) + [0.9] * hits):
        one = track(video(len(values)), "hate", values)
        assert bool(segments(one, 0.8, Temporal(scope="file", share=0.2))) is found


@settings(deadline=None)
@given(shots(), st.integers(0, 99), st.floats(0.0, 1.0), st.floats(0.01, 1.0), any_scope)
def test_raising_a_frame_loses_nothing_in_any_scope(one, frame, value, threshold, temporal):
    """Each stretch that was found is still covered after a value rose."""
    assume(temporal.share is None or frame % len(one.values) not in one.absences)  # one more scored frame dilutes
    higher = replace(raised(one, frame, value), borders=one.borders)
    after = segments(higher, threshold, temporal)
    for before in segments(one, threshold, temporal):
        assert any(new.start_s <= before.start_s and before.end_s <= new.end_s for new in after)


def test_a_border_keeps_two_hits_apart():
    """Two frames on either side of a cut are two of three in a video, and not in a shot."""
    one = replace(track(video(6), "hate", [0, 0, 0.9, 0.9, 0, 0]), borders=(3,))
    assert [(s.start_s, s.end_s) for s in segments(one, 0.8, Temporal(k=2, n=3))] == [(0.2, 0.4)]
    assert segments(one, 0.8, Temporal(k=2, n=3, scope="shot")) == []
    assert [s.start_s for s in segments(one, 0.8, SHOT)] == [0.2, 0.3]
    (whole,) = told(segments(one, 0.8, FILE), FILE)
    assert (whole.start_s, whole.end_s, whole.peak_frame) == (0.2, 0.4, 2)


@settings(deadline=None)
@given(shots())
def test_borders_come_back_from_storage(one):
    """Bytes give back the shots, and a track of one shot has the bytes that it had before there were borders."""
    assert Track.from_bytes(one.to_bytes()).borders == one.borders
    assert (b'"borders"' in one.to_bytes()) is bool(one.borders)
    assert [stop for _, stop in one.shots][-1] == len(one.values)


@pytest.mark.parametrize("borders", [(0,), (3,), (2, 1), (1, 1), (-1,), (1.0,), (True, 2)])
def test_borders_that_cannot_be_are_refused(borders):
    """Shots begin in order, after the first frame, at frames that exist; a stored track is refused likewise."""
    one = track(video(3), "hate", [0, 0, 0])
    with pytest.raises(ValueError, match="shots begin"):
        replace(one, borders=borders)


def test_a_stored_track_with_broken_borders_is_corrupt():
    """Bytes whose borders lie outside the track are refused."""
    stored = replace(track(video(3), "hate", [0, 0, 0]), borders=(2,)).to_bytes()
    with pytest.raises(CorruptRecord):
        Track.from_bytes(stored.replace(b'"borders":[2]', b'"borders":[7]'))


@given(
    st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.9, Absence.FAILED]), st.booleans()), min_size=1, max_size=30),
    st.floats(EVIDENCE_FLOOR * 2, 1),
    scoped("shot"),
)
@settings(deadline=None)
def test_every_segment_of_a_shot_can_cite_its_evidence(frames, threshold, temporal):
    """The peak frame of each segment has kept the evidence seen on it, also where a border cuts a rise or a fall."""
    recorder = Recorder(["hate"])
    for index, (value, begins) in enumerate(frames):
        recorder.add({"hate": (value, Where(text=f"seen at {index}"))}, begins)
    borders = tuple(index for index, (_, begins) in enumerate(frames) if begins and index)
    item = Item(Stage.FRAME, "v", "ab" * 32, len(frames))
    (one,) = recorder.tracks(item, "m@1", np.arange(len(frames)) / 10, None, borders)
    for segment in segments(one, threshold, temporal):
        assert one.where[segment.peak_frame].text == f"seen at {segment.peak_frame}"


# -- decisions ---------------------------------------------------------------------------------------------------------


def judged(one: Track, **temporal: object) -> tuple[Policy, list[Track]]:
    """A policy with one rule about violence in frames, and scores with this track for it."""
    chosen = policy(rule("v", "frame", "violence", 0.8, "review", temporal=temporal))
    return chosen, [*quiet(one.item), replace(one, category="violence")]


@settings(deadline=None, max_examples=50)
@given(shots(), any_scope)
def test_a_replay_from_storage_is_the_same_decision(one, temporal):
    """Whatever the scope, scores that were stored and read back decide as they did, bit for bit."""
    chosen, scores = judged(one, **temporal.model_dump())
    before = decide(chosen, [one.item], scores, Circumstances())
    stored = tuple(Track.from_bytes(score.to_bytes()) for score in scores)
    again = Policy.from_document(chosen.document(), "stored")
    after = replay(again, Recording((one.item,), stored, before.circumstances, DIGEST), DIGEST)
    assert after == before


def test_a_file_is_one_reason_and_its_stretches_stay_segments():
    """A rule of files gives one reason that says the share; the timeline still shows where."""
    one = replace(track(video(6), "hate", [0.9, 0.1, 0.1, 0.1, 1.0, 0.1]), borders=(2,))
    chosen, scores = judged(one, scope="file", share=0.3)
    decision = decide(chosen, [one.item], scores, Circumstances())
    (reason,) = [reason for reason in decision.reasons if reason.rule == "v"]
    assert reason.note == "2 of 6 scored frames reach 0.8 (33.3%)"
    assert (reason.action, reason.value) == (Action.REVIEW, 1.0)
    assert (reason.where.frame, reason.where.start_s, reason.where.end_s) == (4, 0.0, 0.5)
    assert [segment.peak_frame for segment in decision.segments] == [0, 4]


def test_a_policy_without_scopes_keeps_its_digest():
    """What is not used is not written, so that records of older policies still cite what they are."""
    written = policy(rule("v", "frame", "violence")).document()["rules"]
    assert {key for line in written for key in line["temporal"]} == {"k", "n", "instant", "close", "merge_s"}
    assert Temporal(scope="file", share=0.5).model_dump()["share"] == 0.5


def test_a_share_outside_a_file_is_refused():
    """A share of frames or of a shot has no meaning, nor has an unknown scope."""
    with pytest.raises(ValueError, match="scope: file"):
        Temporal(share=0.2)
    for wrong in ({"scope": "reel"}, {"scope": "file", "share": 0.0}, {"scope": "file", "share": 1.1}):
        with pytest.raises(ValueError, match=r"scope|share"):
            Temporal.model_validate(wrong)


def test_no_early_stop_where_one_frame_is_not_enough():
    """A walk ends early at the threshold of a shot's rule of one frame, and never at that of a share."""
    lines = [
        rule("s", "frame", "violence", 0.6, temporal={"scope": "file", "share": 0.2}),
        rule("i", "frame", "self-harm", 0.6, temporal={"scope": "file", "share": 0.2, "instant": 0.9}),
        rule("o", "frame", "illicit", 0.6, temporal={"scope": "shot"}),
    ]
    certain = scan_options(policy(*lines), Stage.FRAME, epsilon=0.0, early_stop=True).certain
    assert "violence" not in certain
    assert (certain["self-harm"], certain["illicit"]) == (0.9, 0.6)


# -- the walk ----------------------------------------------------------------------------------------------------------


class Sampled(Brightness):
    """Looks now and then."""

    schedule = Schedule()


def film() -> list[Frame | Undecodable]:
    """Three shots of ten frames at 25 a second; a frame in the second does not decode."""
    pictures = [scene(2), 255 - scene(4), scene(3) // 4]
    frames: list[Frame | Undecodable] = [Frame(pictures[i // 10], i, i / 25) for i in range(30)]
    frames[15] = Undecodable(15, 0.6, "torn")
    return frames


@pytest.mark.parametrize("batch", [1, 3, 16])
@pytest.mark.parametrize("epsilon", [0.0, 2.0])
def test_the_walk_records_where_shots_begin(batch, epsilon):
    """Borders are the cuts, whatever the batches, the models and what is covered."""
    for eyes in ([Brightness()], [Brightness(), Scripted((0.5, None))], [Sampled()]):
        options = ScanOptions(batch=batch, epsilon=epsilon)
        seen = examine_video(reel(film()), "cd" * 32, Stage.FRAME, eyes, ("hate",), options=options)
        found = [score for score in seen.examination.scores if isinstance(score, Track)]
        assert found
        assert all(one.borders == (10, 20) for one in found)


def test_streams_and_views_have_one_account_of_shots():
    """Views of one picture do not cut each other, and a further stream begins a shot."""
    views = ("colours", "over-black", "over-white")
    borders = Borders()
    frames = [Frame(flat(40 * i).pixels, i, i // 3 / 25, view=views[i % 3]) for i in range(6)]
    assert [borders.begins(frame) for frame in frames] == [True, *[False] * 5]
    assert borders.begins(Frame(flat(9).pixels, 6, 0.0, stream=1))


def test_a_frame_whose_picture_cannot_be_had_begins_nothing():
    """A picture that cannot be developed stops no walk and cuts no shot."""

    class Torn:
        size = (64, 36)

        def small(self) -> None:
            raise MediaError("torn")

    assert not Borders().begins(Frame(Torn(), 0, 0.0))
    assert not Borders().begins(Undecodable(0, 0.0, "torn"))


def test_shots_of_a_track_hold_every_frame():
    """The shots of any track follow each other without a gap."""
    one = replace(track(video(5), "hate", [0] * 5), borders=(1, 4))
    assert one.shots == [(0, 1), (1, 4), (4, 5)]
    assert all(a[1] == b[0] for a, b in pairwise(one.shots))
