"""The ledger: nothing that went into a decoder is forgotten."""

from __future__ import annotations

from hypothesis import given, strategies as st

from media.ledger import PATIENCE, Ledger

EVENTS = st.lists(st.sampled_from(["answered", "refused", "silent", "late"]), max_size=200)


@given(EVENTS)
def test_every_packet_is_answered_or_owed_exactly_once(events):
    """Answers + owed = packets, whatever the decoder does with each."""
    ledger, owed, later = Ledger(), [], []
    for pts, event in enumerate(events):
        ledger.submit(pts)
        if event == "refused":
            ledger.refuse("broken")
        elif event == "answered":
            ledger.answer(pts, interlaced=False)
            owed += ledger.passed(pts)
        elif event == "late":
            later.append(pts)
        if later and pts - later[0] >= 8:
            ledger.answer(later.pop(0), interlaced=False)
        owed += ledger.overdue()
    for pts in later:
        ledger.answer(pts, interlaced=False)
    owed += ledger.rest()
    expected = {pts for pts, event in enumerate(events) if event in {"refused", "silent"}}
    assert sorted(o.pts for o in owed) == sorted(expected)
    assert all(bool(o.reason) == (events[o.pts] == "refused") for o in owed)


@given(st.integers(1, 400))
def test_a_decoder_that_never_answers_fills_no_memory(packets):
    """The ledger holds no more packets than it has patience for."""
    ledger, owed = Ledger(), 0
    for pts in range(packets):
        ledger.submit(pts)
        owed += len(list(ledger.overdue()))
        assert ledger.submitted - owed <= PATIENCE
    assert owed + len(list(ledger.rest())) == packets


def test_pictures_without_times_answer_the_oldest_packet():
    """A raw stream has no pts: order decides."""
    ledger = Ledger()
    for _ in range(3):
        ledger.submit(None)
    ledger.answer(None, interlaced=False)
    ledger.answer(5, interlaced=False)  # a decoder's own guess at a time that the packet lacks
    assert [o.number for o in ledger.rest()] == [2]


def test_a_picture_that_no_packet_asked_for_answers_nobody():
    """An extra picture does not excuse a packet that is still owed."""
    ledger = Ledger()
    ledger.answer(None, interlaced=False)
    ledger.submit(1)
    ledger.answer(7, interlaced=False)
    assert [o.pts for o in ledger.rest()] == [1]


def test_the_second_field_of_an_interlaced_picture_is_not_owed():
    """Two packets, one picture of two fields: complete. The same with a codec that does not do so: one is owed."""
    for field_packets, owed in ((True, 0), (False, 1)):
        ledger = Ledger(field_packets=field_packets)
        ledger.submit(0)
        ledger.submit(1)
        ledger.answer(0, interlaced=True)
        assert len(list(ledger.rest())) == owed


def test_a_refused_second_field_is_owed():
    """Half a picture that the decoder refused is reported."""
    ledger = Ledger(field_packets=True)
    ledger.submit(0)
    ledger.answer(0, interlaced=True)
    ledger.submit(1)
    ledger.refuse("broken")
    assert [o.reason for o in ledger.rest()] == ["broken"]


def test_refused_packets_come_out_in_the_order_of_presentation():
    """A packet refused early is owed when a picture later than it is shown, not before one that is earlier."""
    ledger = Ledger()
    ledger.submit(3)
    ledger.refuse("broken")
    ledger.submit(2)
    ledger.answer(2, interlaced=False)
    assert [o.pts for o in ledger.passed(2)] == []
    ledger.submit(4)
    ledger.answer(4, interlaced=False)
    assert [o.pts for o in ledger.passed(4)] == [3]
