"""False alarms an hour: the exact bounds, and what is counted as an alarm."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from benchmarks.scan import alarms
from benchmarks.scan.intervals import clopper_pearson, events_upper, proportion
from media import UsageError, encode
from safety import Policy, Temporal
from tests.safety.frame.reels import Brightness
from tests.safety.worlds import document, rule, track, video


@pytest.mark.parametrize(
    ("events", "bound"),
    [(0, 2.9957), (1, 4.7439), (2, 6.2958), (3, 7.7537), (4, 9.1535), (5, 10.5130), (10, 16.9622)],
)
def test_the_upper_bound_of_a_count_is_that_of_the_tables(events, bound):
    """One-sided 95 % bounds of a Poisson mean are half the chi-square quantiles at 2 (n + 1) degrees, as published."""
    assert events_upper(events) == pytest.approx(bound, abs=1e-4)


def test_no_alarm_bounds_at_minus_log_of_the_risk():
    """With no event the bound is -ln 0.05: about three an hour, from an hour."""
    assert events_upper(0) == pytest.approx(-math.log(0.05), abs=1e-9)


@given(st.integers(0, 300))
def test_at_the_bound_so_few_events_have_a_chance_of_5_percent(events):
    """The bound is the mean at which this many events or fewer are seen once in twenty times."""
    mean = events_upper(events)
    term = chance = math.exp(-mean)
    for k in range(1, events + 1):
        term *= mean / k
        chance += term
    assert chance == pytest.approx(0.05, abs=1e-6)
    assert events < mean < events_upper(events + 1)


@pytest.mark.parametrize(
    ("hits", "of", "interval"),
    [
        (0, 10, (0.0, 0.30850)),
        (1, 20, (0.00127, 0.24873)),
        (5, 10, (0.18709, 0.81291)),
        (10, 10, (0.69150, 1.0)),
    ],
)
def test_intervals_of_shares_are_those_of_the_tables(hits, of, interval):
    """Two-sided 95 % Clopper-Pearson intervals, as published."""
    assert clopper_pearson(hits, of) == pytest.approx(interval, abs=1e-5)


@given(st.integers(1, 60), st.data())
def test_intervals_of_shares_hold_the_share_and_mirror(of, draw):
    """The share lies within, and counting misses for hits mirrors the interval."""
    hits = draw.draw(st.integers(0, of))
    low, high = clopper_pearson(hits, of)
    assert 0.0 <= low <= hits / of <= high <= 1.0
    assert clopper_pearson(of - hits, of) == pytest.approx((1 - high, 1 - low), abs=1e-8)


def test_shares_in_words():
    """A share carries its interval, and a share of nothing is none."""
    assert proportion(5, 10) == "50.0 % [18.7, 81.3]"
    assert proportion(0, 0) == "none"


def test_an_alarm_is_a_segment_or_a_file():
    """A rule of frames alarms as often as it opens a segment, one of files once, and not where the share is missed."""
    one = track(video(20), "hate", [0.9] + [0.0] * 9 + [0.9] + [0.0] * 9)
    assert alarms.alarms(one, 0.8, Temporal()) == 2
    assert alarms.alarms(one, 0.8, Temporal(scope="file")) == 1
    assert alarms.alarms(one, 0.8, Temporal(scope="file", share=0.1)) == 1
    assert alarms.alarms(one, 0.8, Temporal(scope="file", share=0.2)) == 0


def test_alarms_an_hour_with_their_bound():
    """A row counts the alarms of a rule over all videos, an hour of them, the bound and the videos it spoke of."""
    loud = track(video(20), "hate", [0.9] + [0.0] * 9 + [0.9] + [0.0] * 9)
    footage = alarms.Footage((loud, track(video(20), "hate", [0.0] * 20)), 0.5, 2)
    lines = [rule("acts", "frame", "hate"), rule("told", "frame", "hate", action="allow")]
    policy = Policy.model_validate(document() | {"rules": [*document()["rules"], *lines]})
    rules = [one for one in policy.rules if one.id in ("acts", "told")]
    assert alarms.by_rule(footage, rules)[2:] == ["| acts | eye@1 | 2 | 4.0 | 12.6 | 1 of 2 |"]
    rows = alarms.by_threshold(footage)[2:]
    assert "| hate | eye@1 | one frame | 4 | 4 | 4 | 4 | 4 | 4 | 4 |" in rows
    assert not any("2 of 3" in row for row in rows)  # no row where nothing alarms


def test_the_hours_are_those_of_frames_with_a_time():
    """The last frame is shown as long as the others, and a track without times lasts nothing."""
    one = track(video(11), "hate", [0.0] * 11)
    assert alarms.duration_s(one) == pytest.approx(1.1)
    assert alarms.duration_s(replace(one, pts=np.full(11, np.nan))) == 0.0


def test_footage_is_scanned_from_files(tmp_path: Path):
    """Every video of a folder is scanned; what cannot be read is no part of the hours."""
    frames = [np.full((36, 64, 3), 10 * i, np.uint8) for i in range(10)]
    encode(tmp_path / "good.mp4", frames, Fraction(10))
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    footage = alarms.watched([tmp_path], [Brightness()])
    assert footage.videos == 1
    assert footage.hours * 3600 == pytest.approx(1.0)
    assert [one.category for one in footage.tracks] == ["canary"]


def test_what_is_asked_wrongly_is_said(tmp_path: Path):
    """No folder, no footage and an unknown model are told in words."""
    for arguments, words in (([], "which folder"), ([str(tmp_path), "canary"], "no video"), ([".", "nose"], "'nose'")):
        with pytest.raises(UsageError, match=words):
            alarms.main(arguments)
