"""From values of frames to segments of seconds."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from safety import Absence, Item, Segment, Stage, Temporal, Track, segments
from safety.segment import maximal
from tests.safety.worlds import raised, temporals, track, tracks, values, video

ONE = Temporal()
any_track = st.integers(1, 12).flatmap(lambda count: tracks(video(count), "hate", "eye@1"))
any_temporal = temporals.map(Temporal.model_validate)


def found(values_of_frames: list[object], threshold: float = 0.8, temporal: Temporal = ONE) -> list[tuple[int, int]]:
    """Segments as (start, stop) in tenths of a second, of a track at ten frames a second."""
    one = track(video(len(values_of_frames)), "hate", values_of_frames)
    return [(round(s.start_s * 10), round(s.end_s * 10)) for s in segments(one, threshold, temporal)]


@given(st.integers(1, 400), st.data())
def test_one_inserted_frame_is_found(count, draw):
    """A single frame at the threshold, anywhere in a harmless video of any length, opens a segment with it as peak."""
    at = draw.draw(st.integers(0, count - 1))
    threshold = draw.draw(st.floats(0.01, 1.0))
    one = track(video(count), "hate", [threshold if index == at else 0.0 for index in range(count)])
    (segment,) = segments(one, threshold, ONE)
    assert segment.peak_frame == at


@given(values, st.floats(0.0, 1.0))
def test_storing_as_float16_never_loses_a_hit(value, threshold):
    """A value that reached the threshold as the model gave it reaches it as it was stored."""
    if value >= threshold:
        assert segments(track(video(1), "hate", [value]), threshold, ONE)


def test_a_value_just_below_stays_below():
    """Quantising thresholds does not make a rule fire on values that are clearly lower."""
    assert found([0.79]) == []
    assert found([0.5]) == []


@pytest.mark.parametrize(
    ("frames", "temporal", "expected"),
    [
        ([0.9, 0.0, 0.0], ONE, [(0, 1)]),
        ([0.0, 0.5, 0.9, 0.5, 0.4, 0.0], ONE, [(1, 4)]),  # holds while above 0.6 x 0.8, both ways
        ([0.5, 0.5, 0.5], ONE, []),  # what holds a segment does not open one
        ([0.9, 0.0, 0.9], Temporal(merge_s=0.0), [(0, 1), (2, 3)]),
        ([0.9, 0.0, 0.9], Temporal(merge_s=0.1), [(0, 3)]),
        ([0.9, 0.0, 0.0, 0.9], Temporal(merge_s=0.1), [(0, 1), (3, 4)]),
        ([0.9, 0.0, 0.0, 0.0, 0.0], Temporal(k=2, n=3), []),
        ([0.9, 0.0, 0.9, 0.0, 0.0], Temporal(k=2, n=3), [(0, 3)]),
        ([0.9, 0.0, 0.0, 0.9, 0.0], Temporal(k=2, n=3), []),
        ([0.0, 0.0, 0.0, 0.9, 0.9], Temporal(k=2, n=3, merge_s=0.0), [(3, 5)]),
        ([0.0, 0.99, 0.0, 0.0], Temporal(k=2, n=3, instant=0.95), [(1, 2)]),
        ([0.0, 0.9, 0.0, 0.0], Temporal(k=2, n=3, instant=0.95), []),
        ([0.9, 0.9], Temporal(k=3, n=3), [(0, 2)]),  # shorter than k: every frame there is was above
        ([0.9, 0.0], Temporal(k=3, n=3), []),
        ([0.9, Absence.FAILED, 0.9], Temporal(merge_s=0.0), [(0, 1), (2, 3)]),  # nobody saw it: it holds nothing
        ([Absence.FAILED] * 3, ONE, []),
        ([], ONE, []),
    ],
)  # fmt: skip
def test_the_temporal_rule(frames, temporal, expected):
    """K of n, instant, hysteresis and merging give these segments."""
    assert found(frames, 0.8, temporal) == expected


@settings(deadline=None)
@given(any_track, st.floats(0.01, 1.0), any_temporal)
def test_k_of_n_is_what_it_says(one, threshold, temporal):
    """A frame opens a segment exactly where a window of n frames around it holds k hits, or at `instant`."""
    level = np.float16(threshold)
    hits = [bool(value >= level) for value in one.values]  # NaN compares false
    k = min(temporal.k, len(hits))
    expected = any(
        hit and any(sum(hits[max(0, a) : a + temporal.n]) >= k for a in range(index - temporal.n + 1, index + 1))
        for index, hit in enumerate(hits)
    )
    if temporal.instant is not None:
        expected = expected or any(value >= np.float16(temporal.instant) for value in one.values)
    assert bool(segments(one, threshold, temporal)) is expected


@settings(deadline=None)
@given(any_track, st.integers(0, 99), values, st.floats(0.01, 1.0), any_temporal)
def test_raising_a_frame_never_loses_a_segment(one, frame, value, threshold, temporal):
    """Every stretch that was found is still covered after a frame's value rose."""
    higher = raised(one, frame, value)
    assert isinstance(higher, Track)
    after = segments(higher, threshold, temporal)
    for before in segments(one, threshold, temporal):
        assert any(new.start_s <= before.start_s and before.end_s <= new.end_s for new in after)


@settings(deadline=None)
@given(any_track, st.floats(0.01, 1.0), any_temporal)
def test_segments_are_in_order_and_finite(one, threshold, temporal):
    """Segments follow each other, begin before they end, and never carry NaN, whatever times are missing."""
    several = segments(one, threshold, temporal)
    for segment in several:
        assert all(math.isfinite(number) for number in (segment.start_s, segment.end_s, segment.peak, segment.peak_s))
        assert segment.start_s <= segment.peak_s <= segment.end_s
    for first, second in pairwise(several):
        assert first.end_s <= second.start_s


@pytest.mark.parametrize(
    ("pts", "expected"),
    [
        ([0.0, None, 0.2, 0.3], (0.2, 0.3)),
        ([0.0, 0.1, None, 0.3], (0.1, 0.3)),  # the frame before is the last that is known to be shown
        ([None, None, None, 0.3], (0.0, 0.3)),
        ([0.0, 0.1, None, None], (0.1, 0.2)),  # nothing follows: a median frame's duration
        ([None, None, None, None], (0.0, 0.0)),
        ([0.3, 0.2, 0.1, 0.0], (0.1, 0.1)),  # times that run backwards make no negative stretch
    ],
)
def test_times_that_are_missing_or_odd(pts, expected):
    """A frame without a time is placed by its neighbours; the segment of frame 2 begins and ends here."""
    one = Track.of(video(4), "hate", "eye@1", [(at, 0.9 if i == 2 else 0.0, None) for i, at in enumerate(pts)])
    (segment,) = segments(one, 0.8, ONE)
    assert (segment.start_s, segment.end_s) == pytest.approx(expected)


def test_a_segment_on_the_wire():
    """The JSON of a segment has the keys of the contract."""
    (segment,) = segments(track(Item(Stage.FRAME, "clip", "ab" * 32, 2), "hate", [0.0, 1.0]), 0.8, ONE)
    assert segment == Segment("hate", 0.1, 0.2, 1.0, 0.1, 1, "clip", "eye@1")
    assert segment.to_json() == {
        "category": "hate", "start_s": 0.1, "end_s": 0.2, "peak": 1.0, "peak_s": 0.1, "peak_frame": 1,
        "item": "clip", "source": "eye@1",
    }  # fmt: skip


some_segments = st.builds(
    lambda start, length, peak, item, source: Segment("hate", start, start + length, peak, start, 0, item, source),
    st.integers(0, 9).map(float),
    st.integers(0, 9).map(float),
    values,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["eye@1", "ear@2"]),
)


@given(st.lists(some_segments, max_size=12), st.randoms(use_true_random=False))
def test_what_several_rules_found_is_told_once(several, random):
    """No kept segment covers another, each dropped one is covered by a kept one, and order is irrelevant."""
    kept = maximal(several)
    assert not any(one.covers(other) for one in kept for other in kept if one is not other)
    assert all(any(one.covers(other) for one in kept) for other in several)
    random.shuffle(several)
    assert maximal(several) == kept
