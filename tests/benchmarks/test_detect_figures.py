"""The arithmetic behind the detector's tables, by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from benchmarks.detect.scores import (
    Answered,
    auc,
    figure,
    flagged,
    margin,
    ranked_auc,
    recall_at,
    reliability,
    undecided,
)
from benchmarks.detect.wear import WEAR

numbers = itertools.count()


def clip(generated: bool, value: float | None, likely: bool | None = False, source: str = "s") -> Answered:
    return Answered(f"c{next(numbers)}", generated, source, source, False, 256, value, likely)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0]), st.booleans()), min_size=2, max_size=40))
@settings(deadline=None, max_examples=40)
def test_auc_counts_pairs(pairs: list[tuple[float, bool]]) -> None:
    """The AUC is the share of pairs in the right order, ties counting half; without one of the classes no number."""
    values, generated = (np.array(part) for part in zip(*pairs, strict=True))
    high, low = values[generated], values[~generated]
    if not len(high) or not len(low):
        assert math.isnan(ranked_auc(values, generated))
    else:
        right = [(a > b) + 0.5 * (a == b) for a in high for b in low]
        assert ranked_auc(values, generated) == pytest.approx(np.mean(right))


def test_silence_is_a_miss() -> None:
    """A generated clip without a value ranks below every real one, and is recalled at no rate."""
    rows = [clip(True, None, None), clip(False, 0.0), clip(True, 0.9, True), clip(False, 0.2)]
    assert auc(rows) == 0.5
    assert recall_at(rows, 0.05) == 0.5
    assert flagged(rows, True) == 0.5
    assert undecided(rows) == 0.25
    mute = [clip(True, None, None), clip(False, None, None)]
    assert recall_at(mute, 0.05) == 0.0


def test_recall_at_a_rate_by_hand() -> None:
    """At 5 % of 20 real clips, one may lie above the line; at 10 %, two."""
    real = [clip(False, n / 20) for n in range(20)]
    generated = [clip(True, value, True) for value in (0.82, 0.87, 0.92, 0.97)]
    assert recall_at([*real, *generated], 0.05) == 0.5  # the line is 0.90, which only 0.95 exceeds
    assert recall_at([*real, *generated], 0.10) == 0.75  # 0.85


def test_intervals_draw_whole_sources() -> None:
    """A class of one source has nothing to draw, so its interval is a point; more sources that differ widen it."""
    same = [clip(True, 0.9, True, "g") for _ in range(5)] + [clip(False, 0.1, False, "r") for _ in range(5)]
    one = figure(same, auc)
    assert (one.value, one.low, one.high) == (1.0, 1.0, 1.0)
    mixed = same + [clip(True, 0.05, False, "h") for _ in range(5)]
    found = figure(mixed, auc)
    assert (found.low, found.high) == (0.0, 1.0)
    assert found.value == 0.5


def test_margin_over_a_floor_is_paired() -> None:
    """The same clips and the same draws on both sides: a detector has no margin over itself."""
    rows = [clip(n % 2 == 0, n / 10, None, f"s{n}") for n in range(10)]
    own = margin(rows, rows)
    assert (own.value, own.low, own.high) == (0.0, 0.0, 0.0)


def test_reliability_by_bins() -> None:
    """Bins of equal size with their mean value and share of generated clips; silence is left out."""
    rows = [clip(False, 0.1), clip(False, 0.3), clip(True, 0.7), clip(True, 0.9), clip(True, None, None)]
    assert reliability(rows, 2) == [(0.2, 0.0, 2), (pytest.approx(0.8), 1.0, 2)]


@pytest.mark.parametrize("name", [name for name in WEAR if "AV1" not in name and "HEVC" not in name])
def test_wear_leaves_a_clip(name: str) -> None:
    """Each kind of wear gives pictures of one shape, changed, unless it is none or only drops and repeats them."""
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 256, (9, 64, 64, 3), np.uint8)
    made = WEAR[name](pictures)
    assert made.dtype == np.uint8
    assert made.ndim == 4
    assert min(made.shape[1:3]) >= 32
    if made.shape == pictures.shape and name != "as it is":
        assert not np.array_equal(made, pictures)
