from __future__ import annotations

import numpy as np
from hypothesis import given, settings, strategies as st

from safety import Absence, Item, Stage, Temporal, Where, segments
from safety.frame.recorder import EVIDENCE_FLOOR, Recorder

ITEM = "ab" * 32
VALUES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.3, 0.5, 0.9, Absence.FAILED, Absence.UNSUPPORTED]))


def recorded(values: list[float | Absence]) -> Recorder:
    """The values recorded, each with evidence that names its frame."""
    recorder = Recorder(["hate"])
    for index, value in enumerate(values):
        recorder.add({"hate": (value, Where(text=f"seen at {index}"))})
    return recorder


@given(
    st.lists(VALUES, max_size=60),
    st.floats(EVIDENCE_FLOOR * 2, 1),
    st.builds(
        Temporal, k=st.just(1), n=st.integers(1, 3), instant=st.none() | st.floats(0.1, 1), close=st.floats(0.5, 1)
    ),
)
@settings(max_examples=200, deadline=None)
def test_every_segment_can_cite_its_evidence(
    values: list[float | Absence], threshold: float, temporal: Temporal
) -> None:
    """Whatever the threshold and the temporal rule, the peak frame of each segment has kept the evidence seen on it."""
    pts = np.arange(len(values), dtype=np.float64)
    (track,) = recorded(values).tracks(Item(Stage.FRAME, "v", ITEM, len(values)), "m@1", pts, None)
    for segment in segments(track, threshold, temporal):
        assert track.where[segment.peak_frame].text == f"seen at {segment.peak_frame}"


def test_evidence_stays_sparse() -> None:
    """A constant value keeps one piece of evidence, and noise below the floor none, however long the film."""
    pts = np.arange(1000, dtype=np.float64)
    item = Item(Stage.FRAME, "v", ITEM, 1000)
    (constant,) = recorded([0.7] * 1000).tracks(item, "m@1", pts, None)
    (noise,) = recorded([0.01 * (i % 4) for i in range(1000)]).tracks(item, "m@1", pts, None)
    assert list(constant.where) == [0]
    assert noise.where == {}


def test_values_are_quantised_as_decisions_read_them() -> None:
    """What is stored is the float16 of what the model said, and absences keep their kind."""
    (track,) = recorded([0.1, Absence.UNSUPPORTED, 1 / 3]).tracks(
        Item(Stage.FRAME, "v", ITEM, 3), "m@1", np.zeros(3), "a remark"
    )
    assert track.values[[0, 2]].tolist() == [np.float16(0.1), np.float16(1 / 3)]
    assert track.absences == {1: Absence.UNSUPPORTED}
    assert track.note == "a remark"
