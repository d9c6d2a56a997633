"""The canonical small picture: one size for all cheap models, developed without the whole picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from media import SMALL_SIDE, Frame, MediaError, probe
from media.frame import small_size


@given(st.integers(1, 9000), st.integers(1, 9000))
@settings(max_examples=200, deadline=None)
def test_small_sizes_fit_and_keep_the_shape(width, height):
    """The longer side is at most SMALL_SIDE, nothing grows or vanishes, and the shape is kept to half a pixel."""
    small = small_size(width, height)
    assert min(small) >= 1
    assert max(small) <= SMALL_SIDE
    assert small[0] <= width
    assert small[1] <= height
    if max(width, height) > SMALL_SIDE:
        scale = SMALL_SIDE / max(width, height)
        assert small == (max(1, round(width * scale)), max(1, round(height * scale)))
    else:
        assert small == (width, height)


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (1280, 722), (322, 18), (2000, 2)])
def test_a_small_picture_shows_what_the_whole_one_shows(build, make_picture, size):
    """Small pixels are the areas' means of the whole picture, within rounding and chroma placement."""
    width, height = size
    path = build.video("a.mkv", [make_picture(3, width, height)], codec="ffv1")
    frame = next(probe(path).frames(looks=("small",)))
    assert frame.small.shape == (*small_size(*size)[::-1], 3)
    means = np.array(
        [
            [cell.mean(axis=(0, 1)) for cell in np.array_split(row, frame.small.shape[1], axis=1)]
            for row in np.array_split(frame.pixels.astype(float), frame.small.shape[0], axis=0)
        ]
    )
    assert np.abs(means - frame.small).mean() < 4


def test_a_picture_that_is_small_is_its_own(build):
    """No copy and no other picture where the frame fits already."""
    frame = next(probe(build.video("a.mp4", 2)).frames())
    assert np.array_equal(frame.small, frame.pixels)
    made = Frame(np.zeros((10, 20, 3), np.uint8), 0, 0.0)
    assert made.small is made.pixels


def test_decoded_and_given_pictures_shrink_alike(build, make_picture):
    """A frame made from whole pixels has the small picture that the decoder's own frame has, within chroma rounding."""
    frame = next(probe(build.video("a.mkv", [make_picture(1, 960, 540)], codec="ffv1")).frames())
    again = Frame(frame.pixels, 0, 0.0)
    assert np.abs(frame.small.astype(int) - again.small.astype(int)).mean() < 1.5


def test_small_pictures_stand_upright(build, make_picture):
    """A rotated video's small picture is turned like its whole one."""
    import av

    path = build.video("a.mp4", [make_picture(i, 960, 540) for i in range(2)])
    turned = path.with_name("turned.mp4")
    with av.open(str(path)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    content = turned.read_bytes()
    identity = b"".join(n.to_bytes(4, "big") for n in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
    quarter = b"".join((n & 0xFFFFFFFF).to_bytes(4, "big") for n in (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30))
    at = content.rindex(identity)
    turned.write_bytes(content[:at] + quarter + content[at + 36 :])
    frame = next(probe(turned).frames(looks=("small",)))
    assert frame.size == (540, 960)
    assert frame.small.shape == (320, 180, 3)
    assert np.abs(Frame(frame.pixels, 0, 0.0).small.astype(int) - frame.small.astype(int)).mean() < 3


def test_what_was_not_developed_is_developed_when_asked(build, make_picture):
    """A walk for small pictures still gives the whole one afterwards, also when the file is closed."""
    path = build.video("a.mp4", [make_picture(i, 640, 360) for i in range(5)])
    lazy = list(probe(path).frames(looks=("small",)))
    whole = list(probe(path).frames())
    assert [np.array_equal(a.pixels, b.pixels) for a, b in zip(lazy, whole, strict=True)] == [True] * 5


def test_identical_pictures_are_told_from_all_others(build, make_picture):
    """`same_picture` holds for the same content decoded twice, and not for one changed pixel."""
    still, other = make_picture(1, 640, 360), make_picture(1, 640, 360).copy()
    other[200, 300] ^= 1
    a, b, c = probe(build.video("a.mkv", [still, still, other], codec="ffv1", pixel_format="bgr0")).frames()
    assert a.same_picture(b)
    assert not a.same_picture(c)
    assert Frame(still, 0, 0.0).same_picture(Frame(still.copy(), 1, 0.0))
    assert not Frame(still, 0, 0.0).same_picture(Frame(other, 1, 0.0))
    assert not Frame(still, 0, 0.0).same_picture(Frame(still[:-2], 1, 0.0))
    assert a.same_picture(Frame(a.pixels, 1, 0.0))


def test_held_bytes_grow_with_what_was_developed(build, make_picture):
    """A frame that was asked for its pixels counts them."""
    frame = next(probe(build.video("a.mp4", [make_picture(0, 640, 360)])).frames(looks=("small",)))
    before = frame.held_bytes
    assert frame.pixels.nbytes == 640 * 360 * 3
    assert frame.held_bytes > before


class Broken:
    """An exposure that cannot be developed."""

    size = (640, 360)

    def full(self):
        raise MediaError("no such format")

    small = full

    def same(self, other):
        return False


def test_pixels_that_cannot_be_had_are_an_error():
    """Asking for what cannot be developed raises; nothing stands in for it."""
    frame = Frame(Broken(), 0, 0.0)
    for look in ("pixels", "small"):
        with pytest.raises(MediaError, match="no such format"):
            getattr(frame, look)
