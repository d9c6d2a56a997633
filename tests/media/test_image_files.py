"""Still pictures."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays

from media import MediaError, probe, read_image, write_image


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_png_keeps_every_pixel(tmp_path_factory, pixels):
    """Any picture of any size comes back bit for bit."""
    path = tmp_path_factory.mktemp("png") / "a.png"
    write_image(path, pixels)
    assert np.array_equal(read_image(path).pixels, pixels)


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG"])
def test_jpeg_keeps_the_look(tmp_path, make_picture, name):
    """JPEG is lossy, but full range and the right matrix: nothing drifts by more than a few levels."""
    pixels = make_picture(3, 97, 63)
    write_image(tmp_path / name, pixels)
    difference = np.abs(read_image(tmp_path / name).pixels.astype(int) - pixels)
    assert difference.mean() < 2


def test_the_same_picture_makes_the_same_bytes(tmp_path, make_picture):
    """No comment, clock or version that changes between runs."""
    for name in ("a.png", "b.png", "a.jpg", "b.jpg"):
        write_image(tmp_path / name, make_picture(1))
    for suffix in ("png", "jpg"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_an_image_is_a_video_of_one_frame(tmp_path, make_picture):
    """A picture is walked like any file, and claims neither rate nor duration."""
    write_image(tmp_path / "a.png", make_picture(1))
    video = probe(tmp_path / "a.png")
    assert (len(list(video.frames())), video.rate, video.duration_s) == (1, None, None)


def test_an_animation_is_read_by_its_first_picture(build, make_picture):
    """Of a GIF, the first picture is the image."""
    frame = read_image(build.video("a.gif", 5, codec="gif", pixel_format="rgb8"))
    assert (frame.index, frame.pts) == (0, 0.0)
    assert np.abs(frame.pixels.astype(int) - make_picture(0)).mean() < 24


def exif(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF block that asks for this orientation, as cameras write it."""
    directory = struct.pack("<HHHIHHI", 1, 0x112, 3, 1, orientation, 0, 0)
    block = b"Exif\0\0II*\0\x08\0\0\0" + directory
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


@pytest.mark.parametrize(
    ("orientation", "stored_to_shown"),
    [
        (1, lambda p: p),
        (2, lambda p: p[:, ::-1]),
        (3, lambda p: p[::-1, ::-1]),
        (4, lambda p: p[::-1]),
        (5, lambda p: p.swapaxes(0, 1)),
        (6, lambda p: np.rot90(p, -1)),
        (7, lambda p: np.rot90(p, 2).swapaxes(0, 1)),
        (8, lambda p: np.rot90(p, 1)),
    ],
)
def test_a_photograph_is_upright(build, orientation, stored_to_shown):
    """All eight orientations of EXIF are applied, in the picture and in the size that probe tells."""
    stored = np.zeros((40, 64, 3), np.uint8)
    stored[:20, :32], stored[:20, 32:], stored[20:, :32] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    write_image(build.folder / "plain.jpg", stored)
    path = build.bytes("photo.jpg", exif((build.folder / "plain.jpg").read_bytes(), orientation))
    shown = stored_to_shown(stored)
    assert (probe(path).height, probe(path).width) == shown.shape[:2]
    assert np.abs(read_image(path).pixels.astype(int) - shown).mean() < 3


def test_webp_is_read(build, make_picture):
    """A still WebP is a picture; an animated one is refused, because this decoder cannot see it."""
    still = build.video("a.webp", [make_picture(0)], codec="libwebp", pixel_format="yuv420p")
    assert np.abs(read_image(still).pixels.astype(int) - make_picture(0)).mean() < 8
    moving = build.video("b.webp", 5, codec="libwebp_anim", pixel_format="yuv420p")
    with pytest.raises(MediaError, match=r"b\.webp.*animated WebP"):
        read_image(moving)


@pytest.mark.parametrize(
    ("name", "pixels", "words"),
    [
        ("a.gif", np.zeros((2, 2, 3), np.uint8), r"\.png or \.jpg"),
        ("a", np.zeros((2, 2, 3), np.uint8), "without a suffix"),
        ("a.png", np.zeros((2, 2), np.uint8), r"\(2, 2\)"),
        ("a.png", np.zeros((2, 2, 3)), "float64"),
        ("a.png", np.zeros((0, 2, 3), np.uint8), r"\(0, 2, 3\)"),
        ("absent/a.png", np.zeros((2, 2, 3), np.uint8), "folder"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path, name, pixels, words):
    """Other suffixes, other shapes and absent folders are errors that name the file."""
    with pytest.raises(MediaError, match=words):
        write_image(tmp_path / name, pixels)
    assert list(tmp_path.iterdir()) == []
