"""Writing MP4 files."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import media.mp4
from media import Encoder, MediaError, encode, probe

RATE = Fraction(24)
SOLID = [
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
    (0, 0, 0),
    (128, 128, 128),
    (255, 221, 0),
    (0, 30, 200),
]


def solid(colour, width=64, height=48):
    return np.full((height, width, 3), colour, np.uint8)


def boxes(content: bytes) -> list[bytes]:
    """The kinds of the top-level boxes, in order."""
    kinds, at = [], 0
    while at < len(content):
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        kinds.append(kind)
        at += size
    return kinds


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(1, 80).map(lambda n: 2 * n),
    height=st.integers(1, 60).map(lambda n: 2 * n),
    count=st.integers(1, 20),
    rate=st.sampled_from(
        [Fraction(8), Fraction(24), Fraction(30000, 1001), Fraction(1, 3), Fraction(25, 2), Fraction(240)]
    ),
)
def test_a_round_trip_keeps_count_size_rate_and_times(tmp_path_factory, width, height, count, rate):
    """What is written is what is read: n frames of this size, the k-th at exactly k / rate."""
    path = tmp_path_factory.mktemp("round") / "trip.mp4"
    encode(path, (solid((9 * n, 90, 200 - n), width, height) for n in range(count)), rate)
    video = probe(path)
    frames = list(video.frames())
    assert (video.width, video.height, video.declared_frames, len(frames)) == (width, height, count, count)
    assert count == 1 or video.rate == rate
    assert [frame.pts for frame in frames] == [float(n / rate) for n in range(count)]
    assert all(
        np.abs(f.pixels.astype(int) - solid((9 * n, 90, 200 - n), width, height)).max() <= 6
        for n, f in enumerate(frames)
    )


@given(rate=st.fractions(Fraction(1, 100), 1000, max_denominator=100_000))
@settings(max_examples=25, deadline=None)
def test_any_rate_is_kept_to_the_frame(tmp_path_factory, rate):
    """Times stay exact at rates that no camera has."""
    path = tmp_path_factory.mktemp("rates") / "rate.mp4"
    encode(path, [solid((n, n, n), 16, 16) for n in range(5)], rate)
    assert [frame.pts for frame in probe(path).frames()] == [float(n / rate) for n in range(5)]


def test_colours_are_converted_to_bt709_and_tagged(tmp_path):
    """Pure red is Y 63, Cb 102, Cr 240 in the stream, the tags say so, and every colour comes back within 3 levels."""
    path = tmp_path / "colours.mp4"
    encode(path, map(solid, SOLID), RATE)
    with av.open(str(path)) as container:
        first = next(container.decode(video=0))
        planes = first.to_ndarray()
        assert (first.color_range, first.colorspace, first.color_primaries, first.color_trc) == (1, 1, 1, 1)
    assert (first.format.name, planes[10, 10], planes[50, 10], planes[65, 10]) == ("yuv420p", 63, 102, 240)
    assert b"colrnclx" in path.read_bytes()
    for frame, colour in zip(probe(path).frames(), SOLID, strict=True):
        assert np.abs(frame.pixels.astype(int) - colour).max() <= 3


def test_the_index_comes_before_the_pictures(tmp_path):
    """Faststart: a player can begin before the file has arrived."""
    path = tmp_path / "fast.mp4"
    encode(path, [solid((1, 2, 3))] * 3, RATE)
    kinds = boxes(path.read_bytes())
    assert kinds[0] == b"ftyp"
    assert kinds.index(b"moov") < kinds.index(b"mdat")


def test_the_same_pictures_make_the_same_bytes(tmp_path, make_picture):
    """No clock, no machine, no thread count in the file."""
    for name in ("a.mp4", "b.mp4"):
        encode(tmp_path / name, [make_picture(n) for n in range(12)], RATE)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_a_second_between_keyframes_at_most_two(tmp_path):
    """A seek decodes at most two seconds."""
    path = tmp_path / "seek.mp4"
    encode(path, [solid((50, 50, 50))] * 50, Fraction(8))
    with av.open(str(path)) as container:
        keys = [n for n, packet in enumerate(p for p in container.demux(video=0) if p.size) if packet.is_keyframe]
    assert keys == [0, 16, 32, 48]


def test_pictures_go_to_disk_as_they_come(tmp_path, make_picture):
    """Encoding streams: while it runs there is a partial file that grows, and no file under the final name."""
    path = tmp_path / "stream.mp4"
    rng = np.random.default_rng(0)
    with Encoder(path, size=(96, 64), rate=RATE) as encoder:
        for _ in range(200):
            encoder.write(rng.integers(0, 255, (64, 96, 3), dtype=np.uint8))
        (partial,) = tmp_path.iterdir()
        assert partial.stat().st_size > 100_000
        assert not path.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["stream.mp4"]
    assert encoder.frames == 200


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_the_block_leaves_nothing_new(tmp_path, error):
    """Neither a partial file nor a changed old one stays behind, and the error itself comes through."""
    path = tmp_path / "old.mp4"
    path.write_bytes(b"old")
    with pytest.raises(error), Encoder(path, size=(64, 48), rate=RATE) as encoder:
        encoder.write(solid((1, 2, 3)))
        raise error
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["old.mp4"]


def test_no_picture_is_no_file(tmp_path):
    """A block without pictures, and an empty iterable, are errors and leave nothing."""
    with pytest.raises(MediaError, match="no picture"), Encoder(tmp_path / "a.mp4", size=(64, 48), rate=RATE):
        pass
    with pytest.raises(MediaError, match="no picture"):
        encode(tmp_path / "a.mp4", [], RATE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [(63, 48), (64, 47), (0, 48), (-2, 4), (20_000, 2), (16_384, 16_384)])
def test_impossible_sizes_are_refused_before_anything_is_written(tmp_path, size):
    """Odd, empty and huge sizes are errors that say what to do."""
    with pytest.raises(MediaError, match=r"a\.mp4.*(pad or crop|scale it down)"):
        Encoder(tmp_path / "a.mp4", size=size, rate=RATE)


@pytest.mark.parametrize(
    "rate", [Fraction(0), Fraction(-1), Fraction(2000), Fraction(2**31 + 1, 2**31), Fraction(1, 2**32)]
)
def test_impossible_rates_are_refused(tmp_path, rate):
    """Rates that MP4 cannot keep exactly are errors."""
    with pytest.raises(MediaError, match="frames a second"):
        Encoder(tmp_path / "a.mp4", size=(64, 48), rate=rate)


def test_an_impossible_crf_is_refused(tmp_path):
    """Crf runs from 0 to 51."""
    with pytest.raises(MediaError, match="crf"):
        Encoder(tmp_path / "a.mp4", size=(64, 48), rate=RATE, crf=52)


def test_a_picture_of_another_shape_stops_the_file(tmp_path):
    """A picture of another size, type or dimension is an error that shows what came, and no file remains."""
    for wrong in (solid((1, 2, 3), 32, 48), solid((1, 2, 3)).astype(float), solid((1, 2, 3))[..., 0]):
        with pytest.raises(MediaError, match=r"\(48, 64, 3\)"):
            encode(tmp_path / "a.mp4", [solid((0, 0, 0)), wrong], RATE)
    with pytest.raises(MediaError, match=r"\(H, W, 3\)"):
        encode(tmp_path / "a.mp4", [solid((0, 0, 0))[..., 0]], RATE)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    """Where the file cannot be made, the error names it and says where to look."""
    with pytest.raises(MediaError, match=r"absent.*folder"):
        encode(tmp_path / "absent" / "a.mp4", [solid((1, 2, 3))] * 2, RATE)


def test_a_swallowed_failure_still_makes_no_file(tmp_path, monkeypatch):
    """A caller that ignores a failed picture gets an error at the end, not a file with a hole in it."""
    path = tmp_path / "hole.mp4"

    def fail(*_, **__):
        raise ValueError("broken converter")

    with pytest.raises(MediaError, match="earlier picture failed"), Encoder(path, size=(64, 48), rate=RATE) as encoder:
        encoder.write(solid((1, 2, 3)))
        monkeypatch.setattr(media.mp4, "VideoFrame", type("Broken", (), {"from_ndarray": staticmethod(fail)}))
        with pytest.raises(MediaError, match="broken converter"):
            encoder.write(solid((1, 2, 3)))
    assert list(tmp_path.iterdir()) == []


def test_a_failure_at_the_very_end_leaves_nothing(tmp_path, monkeypatch):
    """A disk that fails while the file is put in place is a MediaError, and the partial file is removed."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(media.mp4, "publish", full)
    with pytest.raises(MediaError, match="No space left"):
        encode(tmp_path / "a.mp4", [solid((1, 2, 3))] * 2, RATE)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_to_start_is_a_media_error(tmp_path, monkeypatch):
    """An encoder that this build lacks is an error that names the file."""

    def absent(*_, **__):
        raise av.FFmpegError(1, "no such encoder")

    monkeypatch.setattr(media.mp4.av, "open", absent)
    with pytest.raises(MediaError, match=r"a\.mp4"), Encoder(tmp_path / "a.mp4", size=(64, 48), rate=RATE):
        pass


def test_writing_outside_the_block_is_refused(tmp_path):
    """An encoder that was not entered, or was left, takes no picture."""
    encoder = Encoder(tmp_path / "a.mp4", size=(64, 48), rate=RATE)
    with pytest.raises(MediaError, match="with block"):
        encoder.write(solid((1, 2, 3)))


def test_a_picture_that_is_not_contiguous_is_written_as_it_looks(tmp_path):
    """Slices and mirrored views are taken for what they show."""
    wide = np.zeros((48, 128, 3), np.uint8)
    wide[:, ::2] = (250, 250, 250)
    path = tmp_path / "slice.mp4"
    encode(path, [wide[::-1, ::2]] * 2, RATE)
    assert next(probe(path).frames()).pixels.min() > 240
