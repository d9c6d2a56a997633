"""Deciding again by maxima first: the same decision as by everything, for every rule, and not one track too many."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from safety import (
    Absence,
    Circumstances,
    CorruptRecord,
    Gist,
    Item,
    Policy,
    Redecider,
    Score,
    Stage,
    Temporal,
    Track,
    applicable,
    decide,
    segments,
)
from safety.deciding import canonical
from tests.safety.worlds import policies, policy, quiet, rule, scorings, temporals, track, tracks, video

UNDER = Circumstances("toy", date(2026, 1, 1))


class Shelf:
    """Where the scores of one record stand; it counts what was taken from it."""

    def __init__(self, items: Sequence[Item], scores: Sequence[Score | Track]) -> None:
        self.scores, self.taken = applicable(items, scores), list[int]()

    def __call__(self, numbers: Sequence[int]) -> list[Score | Track]:
        self.taken += numbers
        return [self.scores[number] for number in numbers]


def again(chosen: Policy, items: Sequence[Item], scores: Sequence[Score | Track], under: Circumstances = UNDER) -> Any:
    """The decision by the gist, and the numbers of the scores it asked for."""
    shelf = Shelf(items, scores)
    return Redecider(chosen).decide(Gist.of(items, scores), shelf, under), shelf.taken


@settings(max_examples=100, deadline=None)
@given(st.data(), policies(), st.booleans())
def test_maxima_first_is_the_whole_decision(data: st.DataObject, chosen: Policy, complete: bool) -> None:
    """Id, action, reasons, segments, waivers: all that `decide` says of the whole scores, the gist says too."""
    items, scores = data.draw(scorings(chosen))
    under = Circumstances(data.draw(st.sampled_from(["toy", None])), date(2026, 1, 1), require_complete=complete)
    assert again(chosen, items, scores, under)[0] == decide(chosen, items, scores, under)


@st.composite
def loud_tracks(draw: st.DrawFn) -> Track:
    """A track with shots, absences and frames without a time."""
    count = draw(st.integers(1, 14))
    borders = draw(st.sets(st.integers(1, count - 1), max_size=4)) if count > 1 else set()
    return replace(draw(tracks(video(count), "hate", "eye@1")), borders=tuple(sorted(borders)))


any_temporal = st.one_of(
    temporals.map(Temporal.model_validate),
    temporals.map(lambda written: Temporal.model_validate({**written, "scope": "shot"})),
    temporals.map(lambda written: Temporal.model_validate({**written, "scope": "file"})),
    st.builds(
        lambda share, instant: Temporal(scope="file", share=share, instant=instant),
        st.floats(0.01, 1.0), st.none() | st.just(1.0),
    ),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(loud_tracks(), st.floats(0.0, 1.0), any_temporal)
def test_below_the_threshold_no_rule_finds_anything(one: Track, threshold: float, temporal: Temporal) -> None:
    """A track whose maximum is under the threshold has no segment, whatever k of n, share, scope or instant ask."""
    if one.maximum is None or one.maximum < float(np.float16(threshold)):
        assert segments(one, threshold, temporal) == []


@settings(max_examples=100, deadline=None)
@given(st.data(), any_temporal, st.floats(0.01, 1.0), st.sampled_from(["review", "block", "allow"]))
def test_every_temporal_rule_is_decided_alike(
    data: st.DataObject, temporal: Temporal, threshold: float, action: str
) -> None:
    """For all temporal rules, over tracks with shots and gaps, the gist leads to the very same decision."""
    one = data.draw(loud_tracks())
    written = {"temporal": temporal.model_dump(exclude_defaults=True), "action": action}
    if temporal.instant is not None and temporal.instant < threshold:
        threshold = temporal.instant
    chosen = policy(rule("more", "frame", "hate", threshold, **written))
    scores = [*quiet(one.item, but=("hate",)), one]
    assert again(chosen, [one.item], scores)[0] == decide(chosen, [one.item], scores, UNDER)


def test_only_what_reaches_a_threshold_is_unpacked() -> None:
    """Of five tracks with one above its threshold, one is unpacked; of five below, none."""
    item = video(4)
    scores = [*quiet(item, but=("hate",), value=0.4), track(item, "hate", [0.1, 0.9, 0.1, 0.1])]
    assert again(policy(), [item], scores)[1] == [4]
    assert again(policy(rule("low", "frame", "sexual", 0.4)), [item], scores)[1] == [1, 4]
    assert again(policy(), [item], quiet(item, value=0.79))[1] == []


def test_thresholds_are_quantised_as_values_are() -> None:
    """0.1 is stored as the float16 next to it, and a rule at 0.1 still hears it."""
    item = video(2)
    scores = [*quiet(item, but=("hate",)), track(item, "hate", [0.1, 0.0])]
    chosen = policy(rule("low", "frame", "hate", 0.1, "review"))
    decision, taken = again(chosen, [item], scores)
    assert taken == [4]
    assert decision == decide(chosen, [item], scores, UNDER)
    assert decision.reasons[0].rule == "low"


def test_a_score_that_changed_is_refused() -> None:
    """What the gist was made of and what is stored must be the same."""
    item = video(2)
    scores = [*quiet(item, but=("hate",)), track(item, "hate", [0.9, 0.0])]
    shelf = Shelf([item], [*scores[:-1], track(item, "hate", [0.95, 0.0])])
    with pytest.raises(CorruptRecord, match="not the one that was recorded"):
        Redecider(policy()).decide(Gist.of([item], scores), shelf, UNDER)


@pytest.mark.parametrize("facts", ["", "{}", "[[]]", "[[], []]", '[[["ab", 2]], []]'])
def test_a_broken_gist_is_refused(facts: str) -> None:
    """A gist that was cut short is no quiet gist."""
    item = video(2)
    gist = replace(Gist.of([item], quiet(item)), facts=facts)
    with pytest.raises(CorruptRecord, match="score the file again"):
        Redecider(policy()).decide(gist, Shelf([item], []), UNDER)


def test_files_of_one_kind_share_their_shape() -> None:
    """Other hashes, lengths and values, the same shape: it is walked once."""
    texts = {Gist.of([one], quiet(one, value=0.1 * n)).shape for n, one in enumerate([video(3), video(7)])}
    assert len(texts) == 1


def test_shapes_without_number_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes may differ in every file: only so many shapes are kept, and decisions stay the same."""
    monkeypatch.setattr("safety.redeciding._SHAPES", 3)
    told, item = Redecider(policy()), video(1)
    for n in range(10):
        note = Score.absent(item, "hate", "eye@1", Absence.FAILED, f"error {n}")
        scores = [*quiet(item, but=("hate",)), note]
        gist = Gist.of([item], scores)
        assert told.decide(gist, Shelf([item], scores), UNDER) == decide(policy(), [item], scores, UNDER)
    assert len(told._known) <= 3


def test_a_gist_is_of_one_stage() -> None:
    """Items of two stages are decided one by one, and so are their gists."""
    with pytest.raises(ValueError, match="exactly one stage"):
        Gist.of([video(), Item.text(Stage.PROMPT, "p", "words")], [])


@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=20), value=st.floats(0, 1), count=st.integers(0, 9)
)
def test_a_bare_number_is_written_as_json_writes_it(text: str, value: float, count: int) -> None:
    """The quick way to write a score for a decision's identity is byte for byte the one over dictionaries."""
    score = Score(Item(Stage.PROMPT, text, text, count), text, text, value)
    assert canonical(score) == json.dumps(score.to_json(), sort_keys=True)
