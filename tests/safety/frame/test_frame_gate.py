from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from media import Frame
from safety.frame import Bound
from safety.frame.gate import Gate, difference
from tests.safety.frame.reels import scene


def frame(pixels: np.ndarray, index: int = 1) -> Frame:
    """The picture at its place in a video of 25 frames/s."""
    return Frame(pixels, index, index / 25)


def opened(bound: Bound | None, first: np.ndarray) -> Gate:
    """A gate that was shown one picture."""
    gate = Gate(bound)
    assert not gate.covers(frame(first, 0), False)
    return gate


@given(
    st.integers(0, 300), st.integers(0, 160), st.integers(16, 64), st.floats(0.3, 1.0), st.booleans(), st.integers(0, 5)
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_no_patch_of_16_pixels_hides_under_the_bound(
    x: int, y: int, size: int, blend: float, one_channel: bool, seed: int
) -> None:
    """A patch of 16 px or more that differs by 21 levels or more, anywhere, in one channel, uncovers the frame."""
    still = scene(seed, (320, 180)).astype(np.float64) * 0.5 + 60  # away from both ends, so that the patch cannot clip
    x, y = min(x, 320 - size), min(y, 180 - size)
    marked = still.copy()
    channels = slice(0, 1) if one_channel else slice(0, 3)
    marked[y : y + size, x : x + size, channels] += 70 * blend
    gate = opened(Bound(epsilon=6.0), still.astype(np.uint8))
    assert not gate.covers(frame(marked.astype(np.uint8)), False)


@given(st.integers(0, 5), st.integers(1, 3), st.sampled_from([(320, 180), (640, 360), (641, 359), (48, 30)]))
@settings(max_examples=30, deadline=None)
def test_a_covered_frame_is_within_the_bound(seed: int, noise: int, size: tuple[int, int]) -> None:
    """Grain below the bound is covered, whatever the size: the gate does not uncover everything."""
    still = scene(seed, size)
    grain = np.random.default_rng(seed).integers(-noise, noise + 1, still.shape)
    gate = opened(Bound(epsilon=6.0), still)
    assert gate.covers(frame(np.clip(still.astype(int) + grain, 0, 255).astype(np.uint8)))


def test_slow_drift_is_compared_with_the_last_frame_shown() -> None:
    """A fade of one level a frame is shown again as soon as it has drifted past the bound."""
    gate = Gate(Bound(epsilon=6.0))
    shown = [i for i in range(20) if not gate.covers(frame(np.full((90, 160, 3), 50 + i, np.uint8), i))]
    assert shown == [0, 7, 14]


def test_an_identical_picture_is_shown_again_after_the_cap() -> None:
    """However still the picture, no more than `cap_s` passes between two frames shown."""
    gate, still = Gate(Bound(epsilon=0.0, cap_s=1.0)), scene(1)
    assert [i for i in range(60) if not gate.covers(frame(still, i), False)] == [0, 26, 52]


def test_epsilon_zero_asks_for_identical_pixels() -> None:
    """With epsilon 0, one grey level in one pixel uncovers the frame."""
    still = scene(2, (640, 360))
    gate = opened(Bound(), still)
    assert gate.covers(frame(still.copy()), False)
    still = still.copy()
    still[200, 300, 1] ^= 1
    assert not gate.covers(frame(still), False)


def test_without_a_bound_only_identical_frames_are_covered() -> None:
    """A classifier that declares no bound is shown every frame that is not said to repeat the one before it."""
    gate = opened(None, scene(3))
    assert gate.covers(frame(scene(3)), True)
    assert not gate.covers(frame(scene(3)), False)
    assert not Gate(None).covers(frame(scene(3)), True)


def test_another_size_and_an_earlier_time_are_shown() -> None:
    """A picture of another size, or one that comes before the frame shown, is never covered."""
    gate = opened(Bound(epsilon=6.0), scene(4))
    assert not gate.covers(frame(scene(4)[:-4], 1), False)
    assert not gate.covers(Frame(scene(4)[:-4], 2, -1.0), False)


def test_a_change_cannot_hide_between_tiles() -> None:
    """The measured difference of a patch of one window is the same wherever the patch lies."""
    values = set()
    for x, y in ((0, 0), (3, 5), (24, 8), (40, 24)):
        marked = np.zeros((32, 48, 3), np.uint8)
        marked[y : y + 8, x : x + 8] = 40
        values.add(difference(np.zeros_like(marked), marked, 8))
    assert values == {40.0}


@pytest.mark.parametrize("wrong", [{"epsilon": -1.0}, {"epsilon": 256.0}, {"side": 4}, {"tile": 0}, {"cap_s": 0.0}])
def test_a_senseless_bound_is_refused(wrong: dict[str, float]) -> None:
    """A bound that bounds nothing cannot be built."""
    with pytest.raises(ValueError, match="epsilon"):
        Bound(**wrong)  # type: ignore[arg-type]


def test_bounds_say_what_they_promise() -> None:
    """The posture shows the bound in words."""
    assert "bit-identical" in str(Bound())
    assert "8x8 window of the 320-cell picture differs by more than 6/255" in str(Bound(epsilon=6.0))
