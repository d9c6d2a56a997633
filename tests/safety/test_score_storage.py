"""Scores and tracks: what they refuse to hold, and that they come back from storage exactly as they went."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from safety import Absence, CorruptRecord, Examination, Item, PostureEntry, Score, Stage, Track, Where
from tests.safety.worlds import missing, texts, track, tracks, values, video, wheres

PROMPT = Item.text(Stage.PROMPT, "p", "a fox")
any_track = st.integers(0, 9).flatmap(lambda count: tracks(video(count), "hate", "eye@1"))
any_score = st.one_of(
    st.builds(lambda value, where, note: Score(PROMPT, "hate", "eye@1", value, None, where, note),
              values, st.none() | wheres, st.none() | texts),
    st.builds(lambda kind, note: Score.absent(PROMPT, "hate", "eye@1", kind, note),
              missing | st.just(Absence.NOT_CONFIGURED), st.none() | texts),
)  # fmt: skip


@given(any_score)
def test_a_score_comes_back_from_json_as_it_was(score):
    """JSON text of a score gives back an equal score, spans, boxes and lone surrogates included."""
    assert Score.from_json(json.loads(json.dumps(score.to_json()))) == score


@settings(deadline=None)
@given(any_track)
def test_a_track_comes_back_from_bytes_as_it_was(one):
    """Bytes of a track give back its exact values, times, absences and evidence, and the same bytes again."""
    back = Track.from_bytes(one.to_bytes())
    assert back == one
    assert hash(back) == hash(one)
    assert back.to_bytes() == one.to_bytes()
    assert back.values.dtype == np.float16
    np.testing.assert_array_equal(back.values, one.values)
    np.testing.assert_array_equal(back.pts, one.pts)
    assert (back.absences, back.where, back.note, back.item) == (one.absences, one.where, one.note, one.item)


@settings(deadline=None)
@given(any_track, st.data())
def test_bytes_that_were_cut_or_changed_raise_nothing_but_corrupt_record(one, draw):
    """Any shorter prefix is refused; a changed byte is refused too, or leaves a track that is whole."""
    stored = one.to_bytes()
    with pytest.raises(CorruptRecord):
        Track.from_bytes(stored[: draw.draw(st.integers(0, len(stored) - 1))])
    at, flip = draw.draw(st.integers(0, len(stored) - 1)), draw.draw(st.integers(1, 255))
    try:
        other = Track.from_bytes(stored[:at] + bytes([stored[at] ^ flip]) + stored[at + 1 :])
    except CorruptRecord:
        return
    assert len(other.values) == len(one.values)


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"ATRK",
        b"not a track at all",
        b"ATRK\x02\x00\x00\x00\x00",
        b"ATRK\x01\xff\xff\xff\xff",
        b"ATRK\x01\x02\x00\x00\x00[]",
        b"ATRK\x01\x0c\x00\x00\x00" + b'{"frames":0}',
        b"ATRK\x01\x04\x00\x00\x00\xff\xff\xff\xff",
    ],
)
def test_bytes_that_are_no_track_are_refused(stored):
    """Foreign bytes raise CorruptRecord, whatever they are."""
    with pytest.raises(CorruptRecord):
        Track.from_bytes(stored)


@pytest.mark.parametrize("lost", ["item", "category", "source", "value", "absence", "where", "note"])
def test_a_stored_score_without_a_field_is_corrupt(lost):
    """No field of a stored score has a default."""
    stored = Score(PROMPT, "hate", "eye@1", 0.5).to_json()
    del stored[lost]
    with pytest.raises(CorruptRecord):
        Score.from_json(stored)


@pytest.mark.parametrize(
    "change",
    [
        {"value": 2.0},
        {"value": None},
        {"absence": "asleep"},
        {"where": {"nose": 1}},
        {"where": 3},
        {"item": {}},
        {"item": 3},
    ],
)
def test_a_stored_score_with_a_wrong_field_is_corrupt(change):
    """A stored value out of range, an unknown absence or unknown evidence is refused, not repaired."""
    with pytest.raises(CorruptRecord):
        Score.from_json(Score(PROMPT, "hate", "eye@1", 0.5).to_json() | change)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int64, float, int])
def test_numbers_of_models_become_plain_numbers(kind):
    """Whatever number type a model answers with, the score can be stored as JSON."""
    for score in (Score(PROMPT, "hate", "eye@1", kind(1)), Score.measured(PROMPT, "hate", "eye@1", kind(1))):
        assert type(score.value) is float
        assert json.loads(json.dumps(score.to_json()))["value"] == 1.0


@pytest.mark.parametrize("value", [float("nan"), 1.5, -0.1, "0.5", True])
def test_a_score_holds_no_value_outside_0_1(value):
    """The constructor refuses what `measured` would turn into a failure."""
    with pytest.raises(ValueError, match="outside"):
        Score(PROMPT, "hate", "eye@1", value)


def test_a_score_is_a_value_or_an_absence():
    """Neither both nor none."""
    with pytest.raises(ValueError, match="either"):
        Score(PROMPT, "hate", "eye@1", None)
    with pytest.raises(ValueError, match="either"):
        Score(PROMPT, "hate", "eye@1", 0.5, Absence.FAILED)


def test_zero_has_one_spelling():
    """Minus zero is stored as zero, so that equal scores have equal bytes."""
    assert json.dumps(Score(PROMPT, "hate", "eye@1", -0.0).to_json()["value"]) == "0.0"
    assert track(video(1), "hate", [-0.0]).to_bytes() == track(video(1), "hate", [0.0]).to_bytes()


def _track(**changes):
    parts = {
        "values": np.array([0.5, np.nan]), "pts": np.array([0.0, 0.1]), "absences": {1: Absence.FAILED}, "where": {},
    } | changes  # fmt: skip
    return Track(video(2), "hate", "eye@1", **parts)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pts": np.zeros(3)}, r"must be \(N,\)"),
        ({"values": np.zeros((2, 1)), "pts": np.zeros((2, 1))}, r"must be \(N,\)"),
        ({"absences": {}}, "needs an absence"),
        ({"absences": {0: Absence.FAILED, 1: Absence.FAILED}}, "needs an absence"),
        ({"values": np.array([1.0001, np.nan])}, "0, 1"),
        ({"values": np.array([-0.1, np.nan])}, "0, 1"),
        ({"values": np.array([np.inf, np.nan])}, "0, 1"),
        ({"pts": np.array([0.0, np.inf])}, "seconds"),
        ({"absences": {1: Absence.NOT_CONFIGURED}}, "configured for all"),
        ({"where": {2: Where()}}, "does not hold"),
    ],
)
def test_a_track_refuses_what_does_not_fit_together(changes, words):
    """Wrong shapes, values out of range, unexplained gaps and evidence of no frame are refused."""
    with pytest.raises(ValueError, match=words):
        _track(**changes)


def test_a_track_is_quantised_and_cannot_be_written_to():
    """Values are float16 from the start, and neither the track's nor the caller's array reaches the other."""
    given_values = np.array([0.1, np.nan])
    one = _track(values=given_values)
    given_values[0] = 0.9
    assert one.values.dtype == np.float16
    assert one.values[0] == np.float16(0.1)
    with pytest.raises(ValueError, match="read-only"):
        one.values[0] = 0
    assert one.maximum == float(np.float16(0.1))
    assert track(video(1), "hate", [Absence.FAILED]).maximum is None


def test_a_track_of_a_model_that_is_not_configured_says_so_of_every_frame():
    """A model is configured or not before the first frame, so a whole track may say that it is not."""
    assert _track(values=np.full(2, np.nan), absences=dict.fromkeys((0, 1), Absence.NOT_CONFIGURED)).maximum is None


def test_tracks_differ_from_other_things():
    """Equality of tracks is by content, and a track equals nothing else."""
    assert _track() == _track()
    assert _track() != _track(where={0: Where(text="x")})
    assert _track() != "a track"


def test_evidence_comes_in_models_numbers_and_is_kept_in_plain_ones():
    """Spans and boxes of numpy integers become plain integers; a time that is no number is refused."""
    where = Where(span=np.array([1, 2]), box=np.array([1, 2, 3, 4]), frame=np.int64(3), start_s=np.float32(0.5))
    assert where == Where(span=(1, 2), box=(1, 2, 3, 4), frame=3, start_s=0.5)
    assert json.loads(json.dumps(where.to_json())) == {"span": [1, 2], "box": [1, 2, 3, 4], "frame": 3, "start_s": 0.5}
    with pytest.raises(ValueError, match="end_s"):
        Where(end_s=float("nan"))


def test_an_item_cannot_hold_fewer_than_no_frames():
    """A negative count is refused; texts with lone surrogates have an identity of their own."""
    with pytest.raises(ValueError, match="-1 frames"):
        video(-1)
    assert Item.text(Stage.PROMPT, "p", "\ud800").sha256 != Item.text(Stage.PROMPT, "p", "?").sha256


def test_posture_on_the_wire_and_examinations_added_up():
    """The JSON of a posture entry has the keys of the contract; two examinations add up to both."""
    entry = PostureEntry(Stage.FRAME, "eye", "1", None, "numpy", 3, 1)
    assert entry.to_json() == {
        "stage": "frame", "model": "eye", "version": "1", "weights_sha256": None, "runtime": "numpy", "items": 3,
        "failed": 1, "coverage": None,
    }  # fmt: skip
    both = Examination((PROMPT,), (), (entry,)) + Examination((video(),), (track(video(), "hate", [0, 0, 0]),))
    assert (len(both.items), len(both.scores), len(both.posture)) == (2, 1, 1)
