"""The Frame type."""

from __future__ import annotations

import numpy as np
import pytest

from media import Frame


def test_a_frame_cannot_be_written_and_leaves_the_callers_array_alone():
    """A frame's pixels are read-only; the array it was made from stays writable."""
    own = np.zeros((4, 6, 3), np.uint8)
    frame = Frame(own, 0, 0.0)
    with pytest.raises(ValueError, match="read-only"):
        frame.pixels[0, 0, 0] = 1
    own[0, 0, 0] = 1


def test_pixels_are_contiguous_whatever_they_came_as():
    """A turned or sliced array becomes C-contiguous in the frame."""
    frame = Frame(np.zeros((6, 4, 3), np.uint8).swapaxes(0, 1)[::-1], 0, 0.0)
    assert frame.pixels.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 6), np.uint8), np.zeros((4, 6, 4), np.uint8), np.zeros((4, 6, 3)), np.zeros((0, 6, 3), np.uint8)],
)
def test_anything_but_rgb_bytes_is_refused_with_its_shape(pixels):
    """Grey, RGBA, floats and empty pictures are no frame, and the error shows what came."""
    with pytest.raises(ValueError, match=r"uint8 \(H, W, 3\) RGB, not .*\(") as error:
        Frame(pixels, 0, 0.0)
    assert str(pixels.shape) in str(error.value)


def test_only_the_main_streams_colours_are_principal():
    """A second track and the looks at transparency are for the eyes, not for a player."""
    pixels = np.zeros((2, 2, 3), np.uint8)
    assert Frame(pixels, 0, 0.0).principal
    assert not Frame(pixels, 0, 0.0, stream=1).principal
    assert not Frame(pixels, 0, 0.0, view="over-white").principal


def test_its_repr_shows_the_size_and_not_the_pixels():
    """A frame in a log is one short line."""
    assert repr(Frame(np.zeros((2, 3, 3), np.uint8), 7, 0.25)) == "Frame(3x2, index=7, pts=0.250, stream=0, colours)"
