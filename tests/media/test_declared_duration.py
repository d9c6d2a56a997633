"""What a stream says of its own length is held against what it holds."""

from __future__ import annotations

from fractions import Fraction

import pytest

from media import Frame, Undecodable, probe
from media.span import Span


def test_a_track_that_claims_to_last_longer_is_not_taken_for_whole(build):
    """A Matroska track that says 10 s over half a second of pictures leaves an undecodable frame that says so."""
    path = build.video("a.mkv", 12)
    content = path.read_bytes()
    assert b"00:00:00.5" in content
    path.write_bytes(content.replace(b"00:00:00.5", b"00:00:10.5"))
    *frames, last = probe(path).frames()
    assert len(frames) == 12
    assert all(isinstance(frame, Frame) for frame in frames)
    assert isinstance(last, Undecodable)
    assert "said to last 10.50 s, and its pictures fill 0.50 s" in last.reason


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_a_true_claim_adds_nothing(build, name):
    """Files as writers make them, also with a last picture that is held for long, are whole."""
    for pts in (None, [*range(11), 200]):
        items = list(probe(build.video(name, 12, pts=pts)).frames())
        assert [isinstance(item, Frame) for item in items] == [True] * 12


@pytest.mark.parametrize(("declared", "short"), [(None, False), (2, False), (3, True)])
def test_a_shortfall_is_what_exceeds_the_slack(declared, short):
    """Up to a second or a twentieth is no sign of missing pictures; packets without a time say nothing."""
    span = Span(declared and Fraction(declared), Fraction(1, 10), Fraction(1, 10))
    assert span.shortfall() == ""
    for pts in (0, None, 5, 9):
        span.add(pts, None)
    assert bool(span.shortfall()) is short
