"""From ticks to seconds."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, strategies as st

from media.clock import Clock


def clock(tick=Fraction(1, 24), *, by_decode_order=False, zero=None):
    return Clock(tick=tick, frame=Fraction(1, 24), by_decode_order=by_decode_order, zero=zero)


@given(st.lists(st.integers(-1000, 10_000), min_size=1, max_size=40, unique=True), st.integers(1, 100_000))
def test_seconds_are_the_exact_ticks_less_the_first(ticks, scale):
    """Pts = (ticks - earliest) / scale, rounded once."""
    own = clock(Fraction(1, scale))
    for time in ticks:
        own.submit(time, None)
    assert [own.shown(time) for time in sorted(ticks)] == [(t - min(ticks)) / scale for t in sorted(ticks)]


@given(st.permutations(range(30)))
def test_by_decode_order_pictures_get_the_times_in_order(guesses):
    """Where the container knows only the decode order, what is shown n-th gets the n-th time, whatever was guessed."""
    own = clock(by_decode_order=True)
    for dts, guess in enumerate(guesses):
        own.submit(guess, dts)
    shown = [own.shown(guess) for guess in guesses]
    assert shown == [n / 24 for n in range(30)]


def test_a_picture_without_a_time_follows_the_last_by_one_frame():
    """Raw streams have no times: the average rate counts on."""
    own = clock()
    assert [own.shown(None), own.shown(None), own.shown(12), own.shown(None)] == [0.0, 1 / 24, 0.5, 13 / 24]


def test_what_was_lost_has_a_time_only_where_the_container_says_so():
    """No time is invented for a frame that nobody saw."""
    own = clock()
    own.submit(6, None)
    assert own.lost(12) == 0.25
    assert own.lost(None) is None


def test_a_given_zero_is_kept():
    """Later streams keep the main stream's second 0, and what lies before it is negative."""
    own = clock(zero=Fraction(1))
    own.submit(12, None)
    assert own.shown(12) == -0.5
