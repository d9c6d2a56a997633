"""A picture cannot hide in transparency: neither under it nor in its shape."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from media import probe, read_image

ALPHA_KINDS = [
    ("colours.mov", "qtrle", "argb", {}),
    ("colours.mkv", "ffv1", "yuva444p", {}),
    ("colours.webm", "libvpx-vp9", "yuva420p", {"cpu-used": "8", "crf": "10", "b": "0"}),
    ("colours8.webm", "libvpx", "yuva420p", {"auto-alt-ref": "0", "crf": "10", "b": "2M"}),
    ("colours.apng", "apng", "rgba", {}),
    ("deep.mov", "prores_ks", "yuva444p10le", {}),
]


def layered(make_picture, colour: int | None, *, shape: bool):
    """RGBA: a picture or one flat colour, transparent everywhere or in a square's shape."""
    rgba = np.zeros((64, 96, 4), np.uint8)
    rgba[..., :3] = make_picture(0) if colour is None else colour
    if shape:
        rgba[16:48, 32:64, 3] = 255
    return rgba


def views(build, rgba, kind):
    name, codec, pixel_format, options = kind
    path = build.video(name, [rgba] * 2, codec=codec, pixel_format=pixel_format, options=options)
    video = probe(path)
    assert video.has_alpha
    frames = list(video.frames())
    assert len({frame.index for frame in frames}) == len(frames)
    assert len({frame.pts for frame in frames}) == 2
    return {frame.view: frame.pixels.astype(int) for frame in frames if frame.pts == 0}


@pytest.mark.parametrize("kind", ALPHA_KINDS, ids=[kind[0] for kind in ALPHA_KINDS])
def test_a_picture_under_full_transparency_is_seen(build, make_picture, kind):
    """Colours below alpha 0, which players that ignore alpha show, reach the eyes."""
    seen = views(build, layered(make_picture, None, shape=False), kind)
    assert np.abs(seen["colours"] - make_picture(0)).mean() < 8


@pytest.mark.parametrize("kind", ALPHA_KINDS, ids=[kind[0] for kind in ALPHA_KINDS])
@pytest.mark.parametrize(("colour", "view"), [(0, "over-white"), (255, "over-black")])
def test_a_picture_drawn_in_the_alpha_channel_is_seen(build, make_picture, kind, colour, view):
    """One flat colour with a shape in alpha: on the page of the other colour it stands out, and so for the eyes."""
    seen = views(build, layered(make_picture, colour, shape=True), kind)[view]
    inside, outside = seen[24:40, 40:56].mean(), seen[:8].mean()
    assert abs(inside - outside) > 230


def test_an_opaque_picture_is_looked_at_once(build, make_picture):
    """A format with alpha that is not used costs nothing and doubles nothing."""
    rgba = np.dstack([make_picture(0), np.full((64, 96), 255, np.uint8)])
    path = build.video("opaque.mov", [rgba] * 3, codec="qtrle", pixel_format="argb")
    assert [(frame.view, frame.principal) for frame in probe(path).frames()] == [("colours", True)] * 3


def test_half_transparency_is_laid_over_exactly(build):
    """Over black c a, over white c a + 1 - a, rounded to the nearest level."""
    rgba = np.zeros((64, 96, 4), np.uint8)
    rgba[..., :3], rgba[..., 3] = (200, 100, 0), 128
    path = build.video("half.mov", [rgba], codec="qtrle", pixel_format="argb")
    seen = {frame.view: tuple(int(level) for level in frame.pixels[0, 0]) for frame in probe(path).frames()}
    assert seen == {"colours": (200, 100, 0), "over-black": (100, 50, 0), "over-white": (227, 177, 127)}


def test_a_picture_in_a_palettes_alpha_is_seen(build):
    """An indexed PNG of two blacks, one transparent: the shape between them stands out over white."""
    rows = b"".join(b"\0" + bytes(1 if 2 <= x < 6 and 2 <= y < 6 else 0 for x in range(8)) for y in range(8))
    header = struct.pack(">IIBBBBB", 8, 8, 8, 3, 0, 0, 0)
    parts = [
        (b"IHDR", header),
        (b"PLTE", bytes(6)),
        (b"tRNS", b"\x00\xff"),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    path = build.bytes("indexed.png", b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    seen = {frame.view: frame.pixels for frame in probe(path).frames()}
    assert set(seen) == {"colours", "over-white"}
    assert (seen["over-white"][4, 4, 0], seen["over-white"][0, 0, 0]) == (0, 255)


def test_a_transparent_image_is_read_as_a_page_shows_it(build, make_picture):
    """`read_image` lays over white: who uses those pixels uses what was judged."""
    rgba = layered(make_picture, 0, shape=True)
    path = build.video("logo.apng", [rgba], codec="apng", pixel_format="rgba")
    frame = read_image(path)
    assert (frame.view, int(frame.pixels[0, 0, 0]), int(frame.pixels[30, 50, 0])) == ("over-white", 255, 0)
