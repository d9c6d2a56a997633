"""A film between its frames: things are drawn where they then are, and what lies over them goes with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from generator.draft import Shot
from generator.film import Film
from generator.layers import Layers
from generator.world.render import render_clip
from generator.world.scene import OWN, SceneSpec
from generator.world.sheet import sheet_of
from generator.world.track import track_of

SIZE = (128, 80)
FOX = SceneSpec("fox", OWN, "right", "snow", "static")


def film_of(scene: SceneSpec) -> Film:
    """The true clip of a scene, with its true track and sheet."""
    clip = render_clip(scene, SIZE).astype(np.float32)
    return Film(clip, [Shot(track_of(scene, 16), 0, SIZE)], [Layers.of(torch.from_numpy(sheet_of(scene)))])


def error(made: np.ndarray, truth: np.ndarray) -> float:
    return float(np.square(made - truth).mean())


def test_at_a_frame_the_film_is_that_frame() -> None:
    """Whole positions give the clip's own frames, whatever they show, and a picture may be changed without harm."""
    film = film_of(FOX).with_clip(np.random.default_rng(0).uniform(0, 255, (16, 80, 128, 3)).astype(np.float32))
    for frame in (0, 7, 15):
        picture = film.at(float(frame))
        assert np.array_equal(picture, film.clip[frame])
        picture[:] = 0
        assert film.clip[frame].any()


@pytest.mark.parametrize(
    "scene",
    [
        FOX,
        replace(FOX, motion="spin", camera="pan left"),
        replace(FOX, motion="bounce", camera="zoom in", weather="fog"),
        replace(FOX, motion="down", camera="tilt up", style="black and white"),
    ],
)
def test_between_frames_things_are_in_one_place(scene: SceneSpec) -> None:
    """Half-way between frames the film is nearer to the truth of that moment than a blend is, by three decibels."""
    film, twice = film_of(scene), render_clip(scene, SIZE, frames=32, fps=16.0).astype(float)
    made = blended = 0.0
    for frame in range(3, 12):
        made += error(film.at(frame + 0.5), twice[2 * frame + 1])
        blended += error((film.clip[frame] + film.clip[frame + 1]) / 2, twice[2 * frame + 1])
    assert 10 * np.log10(blended / made) > 3


def test_large_pixels_stay_where_they_are() -> None:
    """Between frames of a pixel picture every block is still of one colour."""
    picture = film_of(replace(FOX, style="pixel")).at(5.4)
    blocks = picture.reshape(20, 4, 32, 4, 3)
    assert np.abs(blocks - blocks[:, :1, :, :1]).max() < 1e-3


def test_at_a_cut_nothing_lies_between() -> None:
    """Between the last frame of one shot and the first of the next, the nearer one is shown."""
    first, second = film_of(FOX), film_of(replace(FOX, background="room", motion="left"))
    shots = [replace(first.shots[0], track=first.shots[0].track[:8]), replace(second.shots[0], first=8)]
    clip = np.concatenate([first.clip[:8], second.clip])
    film = Film(clip, shots, [*first.layers, *second.layers])
    assert np.array_equal(film.at(7.4), clip[7])
    assert np.array_equal(film.at(7.6), clip[8])
    assert not np.array_equal(film.at(6.6), clip[7])
