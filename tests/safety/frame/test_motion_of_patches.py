from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from safety.frame.motion import CUBOID_NUMBERS, MIRROR, Motion, cuboids
from tests.safety.frame.reels import scene


def seen(pictures: list[np.ndarray], rate: float = 25.0, pts: list[float] | None = None) -> list[np.ndarray]:
    """What a fresh Motion tells of the pictures, the None left out."""
    motion = Motion()
    times = pts or [i / rate for i in range(len(pictures))]
    told = [motion.see(picture, time) for picture, time in zip(pictures, times, strict=True)]
    return [one for one in told if one is not None]


def walk(count: int = 50, step: float = 3.0) -> list[np.ndarray]:
    """A textured square that crosses a still scene."""
    back, square = scene(1, (320, 180)), scene(2, (60, 60))
    pictures = []
    for i in range(count):
        picture = back.copy()
        left = 20 + round(step * i) % 220
        picture[60:120, left : left + 60] = square
        pictures.append(picture)
    return pictures


def test_where_nothing_moves_there_are_no_cuboids() -> None:
    """A still clip is told in stretches, and each of them is empty."""
    told = seen([scene(1, (320, 180))] * 50)
    assert len(told) >= 5
    assert all(one.shape == (0, CUBOID_NUMBERS) for one in told)


def test_what_moves_is_described() -> None:
    """A square that crosses the scene gives cuboids of finite numbers, and only a part of the picture moves."""
    told = seen(walk())
    assert len(told) >= 5
    assert all(0 < len(one) < 180 for one in told)
    assert all(one.shape[1] == CUBOID_NUMBERS and np.isfinite(one).all() for one in told)


def test_faster_motion_has_larger_numbers() -> None:
    """The speed of the same square grows with its steps."""
    slow, fast = (np.concatenate(seen(walk(step=step)))[:, 38].mean() for step in (1.0, 3.0))
    assert fast > slow


def test_what_the_whole_picture_does_is_the_camera() -> None:
    """A pan over a detailed still scene, 0.16 widths a second, leaves less than a third of its speed to the patches."""
    noise = np.random.default_rng(0).integers(0, 256, (180, 640, 3)).astype(np.uint8)
    wide = cv2.GaussianBlur(noise, (0, 0), 3)
    wide = cv2.normalize(wide, None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    pan = [np.ascontiguousarray(wide[:, 2 * i : 2 * i + 320]) for i in range(50)]
    speeds = [np.exp(one[:, 38]) for one in seen(pan)]
    assert np.median(np.concatenate([*speeds, [0.0]])) < 0.16 / 3


def test_a_cut_is_no_motion() -> None:
    """Two still scenes after one another: nothing moves, also across the cut."""
    bright = np.clip(scene(4, (320, 180)).astype(int) + 90, 0, 255).astype(np.uint8)
    dark = (scene(5, (320, 180)) // 3).astype(np.uint8)
    told = seen([bright] * 25 + [dark] * 25)
    assert told
    assert all(len(one) == 0 for one in told)


@pytest.mark.parametrize(
    "pts", [[0.0] * 50, [-float(i) for i in range(50)], [10.0 * i for i in range(50)], [i * 1e-9 for i in range(50)]]
)
def test_a_broken_clock_hides_no_motion(pts: list[float]) -> None:
    """Times that stand still, run backwards or jump do not stop the measuring; impossibly short ones slow it only."""
    pictures = walk()
    if pts[1] == 1e-9:  # 240 frames a second are believed at most: 50 of them are a fifth of a second
        pictures, pts = walk(300), [i * 1e-9 for i in range(300)]
    assert any(len(one) for one in seen(pictures, pts=pts))


def test_the_pace_is_that_of_the_clock_not_of_the_frames() -> None:
    """Twice the frames a second of the same two seconds give as many stretches."""
    slow = walk(50, 3.0)
    fast = [picture for picture in slow for _ in range(2)]
    assert abs(len(seen(slow, 25.0)) - len(seen(fast, 50.0))) <= 1


def test_a_change_of_size_starts_afresh() -> None:
    """Pictures of another size, however thin or small, are taken as they come."""
    odd = [np.zeros((1, 1, 3), np.uint8), np.full((3, 200, 3), 255, np.uint8), np.zeros((320, 2, 3), np.uint8)]
    pictures = [picture for picture in odd for _ in range(8)] + walk(40)
    assert any(len(one) for one in seen(pictures))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31))
def test_a_mirror_changes_right_and_left_only(seed: int) -> None:
    """The cuboids of mirrored maps are those of the maps with their numbers exchanged by MIRROR, and twice is once."""
    maps = np.random.default_rng(seed).uniform(0, 0.2, (6, 10, 18, 14)).astype(np.float32)
    mirrored = maps[:, :, ::-1].copy()
    mirrored[..., [0, 1]] = mirrored[..., [1, 0]]
    ours, theirs = cuboids(maps)[:, list(MIRROR)], cuboids(mirrored)
    assert np.allclose(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)], atol=1e-5)
    assert [MIRROR[i] for i in MIRROR] == list(range(CUBOID_NUMBERS))


def test_pixels_are_left_as_they_were() -> None:
    """Measuring does not draw into the pictures, nor into those it remembers."""
    pictures = walk(20)
    before = [picture.copy() for picture in pictures]
    seen(pictures)
    assert all(np.array_equal(a, b) for a, b in zip(pictures, before, strict=True))
    assert cv2.countNonZero(pictures[0][..., 0]) > 0
