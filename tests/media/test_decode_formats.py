"""Every ordinary and odd kind of file, made here and walked to its last frame."""

from __future__ import annotations

import struct

import av
import numpy as np
import pytest

from media import Frame, Undecodable, probe

# name, codec, pixel format, options, bit depth
KINDS = [
    ("h264.mp4", "libx264", "yuv420p", {}, 8),
    ("h264-10bit-422.mkv", "libx264", "yuv422p10le", {}, 10),
    ("h264-444.mov", "libx264", "yuv444p", {}, 8),
    ("hevc-10bit.mp4", "libx265", "yuv420p10le", {"x265-params": "log-level=none:pools=none"}, 10),
    ("av1.mp4", "libsvtav1", "yuv420p", {"preset": "12", "svtav1-params": "lp=1"}, 8),
    ("vp9.webm", "libvpx-vp9", "yuv420p", {"cpu-used": "8"}, 8),
    ("vp8-hidden-references.webm", "libvpx", "yuv420p", {"auto-alt-ref": "1", "lag-in-frames": "8"}, 8),
    ("mpeg4-b-frames.avi", "mpeg4", "yuv420p", {"bf": "2"}, 8),
    ("h264.avi", "libx264", "yuv420p", {}, 8),
    ("mjpeg.avi", "mjpeg", "yuvj444p", {}, 8),
    ("raw.avi", "rawvideo", "bgr24", {}, 8),
    ("mpeg2.ts", "mpeg2video", "yuv420p", {"bf": "2"}, 8),
    ("mpeg2.mpg", "mpeg2video", "yuv420p", {}, 8),
    ("h264.ts", "libx264", "yuv420p", {}, 8),
    ("prores.mov", "prores_ks", "yuv422p10le", {}, 10),
    ("grey16.mkv", "ffv1", "gray16le", {}, 16),
    ("animation.gif", "gif", "rgb8", {}, 8),
    ("animation.apng", "apng", "rgb24", {}, 8),
    ("raw.h264", "libx264", "yuv420p", {}, 8),
    ("raw.mjpeg", "mjpeg", "yuvj420p", {}, 8),
    ("sorenson.flv", "flv", "yuv420p", {}, 8),
    ("windows.wmv", "wmv2", "yuv420p", {}, 8),
    ("vp9.ivf", "libvpx-vp9", "yuv420p", {"cpu-used": "8"}, 8),
]


@pytest.mark.parametrize(("name", "codec", "pixel_format", "options", "depth"), KINDS, ids=[kind[0] for kind in KINDS])
def test_every_frame_of_every_kind_is_seen_in_order(build, make_picture, name, codec, pixel_format, options, depth):
    """12 frames go in, 12 come out, in order, evenly timed from 0, and they look like what went in."""
    video = probe(build.video(name, 12, codec=codec, pixel_format=pixel_format, options=options))
    frames = list(video.frames())
    assert all(isinstance(frame, Frame) for frame in frames), frames
    assert [frame.index for frame in frames] == list(range(12))
    rate = 25 if name in {"raw.h264", "raw.mjpeg"} else 24  # raw streams have no times: FFmpeg's own default
    assert np.allclose([frame.pts for frame in frames], np.arange(12) / rate, atol=0.006)  # gif and mkv round ticks
    assert (video.width, video.height) == (96, 64)
    assert (video.bit_depth, video.video_streams, video.unseen_streams, video.rotation) == (depth, 1, (), 0)
    for number, frame in enumerate(frames):
        expected = make_picture(number).astype(int)
        if pixel_format == "gray16le":
            expected = np.repeat(expected @ np.array([[0.299], [0.587], [0.114]]), 3, axis=2)
        assert np.abs(frame.pixels - expected).mean() < (24 if codec == "gif" else 8)  # gif: 256 fixed colours


def test_a_variable_frame_rate_keeps_each_frames_own_time(build):
    """Frames at 0, 1, 2, 12 and 60 ticks are shown at exactly those."""
    video = probe(build.video("vfr.mp4", 5, pts=[0, 1, 2, 12, 60]))
    assert [frame.pts for frame in video.frames()] == [tick / 24 for tick in (0, 1, 2, 12, 60)]


def test_repeated_pictures_of_an_avi_are_not_missing_frames(build):
    """AVI writes an empty chunk where a picture stays: of 15 frames 5 are pictures, and nothing is undecodable."""
    video = probe(build.video("repeats.avi", 5, codec="mpeg4", pts=[0, 1, 2, 13, 14]))
    assert video.declared_frames == 5
    assert [(type(frame), frame.pts) for frame in video.frames()] == [(Frame, tick / 24) for tick in (0, 1, 2, 13, 14)]


def test_time_starts_at_the_first_picture(build):
    """A stream whose clock starts at 100 s is shown from 0 s: MPEG-TS and phones do that."""
    for name, codec in (("late.ts", "mpeg2video"), ("late.mkv", "libx264")):
        video = probe(build.video(name, 4, codec=codec, pts=[2400 + n for n in range(4)]))
        assert np.allclose([frame.pts for frame in video.frames()], np.arange(4) / 24, atol=0.001)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_video_is_seen_as_shown(build, make_picture, degrees):
    """The display matrix is applied: pixels, width and height are those on the screen."""
    path = build.video("turned.mp4", 2, prepare=lambda stream: stream.set_display_rotation(degrees))
    video = probe(path)
    first = next(video.frames())
    expected = np.rot90(make_picture(0), degrees // 90)
    assert video.rotation == degrees
    assert (video.height, video.width) == first.pixels.shape[:2] == expected.shape[:2]
    assert np.abs(first.pixels.astype(int) - expected).mean() < 6


@pytest.mark.parametrize(("hflip", "vflip", "axis"), [(True, False, 1), (False, True, 0)])
def test_a_mirrored_video_is_seen_as_shown(build, make_picture, hflip, vflip, axis):
    """Mirror images are undone too, not only turns."""
    path = build.video("mirrored.mp4", 2, prepare=lambda stream: stream.set_display_rotation(0, hflip, vflip))
    first = next(probe(path).frames())
    assert np.abs(first.pixels.astype(int) - np.flip(make_picture(0), axis)).mean() < 6


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (17, 31), (97, 63), (255, 2)])
def test_odd_sizes_come_out_whole(build, make_picture, size):
    """No row or column is lost or invented at sizes that chroma subsampling does not divide."""
    width, height = size
    pictures = [make_picture(n, width, height) for n in range(2)]
    path = build.video("odd.nut", pictures, codec="rawvideo", pixel_format="yuv420p")
    frames = list(probe(path).frames())
    assert [frame.pixels.shape for frame in frames] == [(height, width, 3)] * 2
    grey = [picture.astype(float).mean() for picture in pictures]
    assert np.allclose([frame.pixels.mean() for frame in frames], grey, atol=12)


def test_interlaced_frames_are_delivered_and_flagged(build):
    """Both fields are in the picture, and the frame says that they are two moments."""
    path = build.video("fields.mp4", 6, options={"x264-params": "interlaced=1:tff=1"})
    assert probe(path).interlaced
    assert [frame.interlaced for frame in probe(path).frames()] == [True] * 6


def test_a_change_of_size_in_mid_stream_is_followed(build, make_picture):
    """Frames after the change come at their own size; none is scaled, cropped or lost."""
    small = build.video("small.h264", 3).read_bytes()
    large = build.video("large.h264", [make_picture(n, 128, 96) for n in range(3)]).read_bytes()
    frames = list(probe(build.bytes("both.h264", small + large)).frames())
    assert [frame.pixels.shape[:2] for frame in frames] == [(64, 96)] * 3 + [(96, 128)] * 3


def test_every_track_is_walked_after_the_main_one(build):
    """Three video tracks: all are seen, told apart by their number, and only the first is the player's."""
    for name in ("tracks.mp4", "tracks.mkv"):
        video = probe(build.video(name, 3, tracks=3))
        frames = list(video.frames())
        assert video.video_streams == 3
        assert [frame.stream for frame in frames] == [0] * 3 + [1] * 3 + [2] * 3
        assert [frame.index for frame in frames] == list(range(9))
        assert sum(frame.principal for frame in frames) == 3


def test_frames_that_an_edit_list_hides_are_seen(build):
    """An edit list that starts the film at frame 7 hides nothing: the 7 before it come at negative times."""
    path = build.video("edited.mp4", 12)
    content = bytearray(path.read_bytes())
    at = content.index(b"elst") + 12  # after version, flags and count: duration, media time
    _, media_time = struct.unpack(">Ii", content[at : at + 8])
    content[at : at + 8] = struct.pack(">Ii", 5 * 1000 // 24, media_time + 7 * 512)
    frames = list(probe(build.bytes("edited.mp4", bytes(content))).frames())
    assert np.allclose([frame.pts for frame in frames], (np.arange(12) - 7) / 24)


def test_frames_that_an_edit_list_cuts_out_of_the_middle_are_seen(build):
    """Two edits that leave frames 6 to 14 of 24 out of the film: all 24 are seen."""
    content = bytearray(build.video("cut.mp4", 24).read_bytes())
    at = content.index(b"elst") - 4
    _, media_time = struct.unpack(">Ii", content[at + 16 : at + 24])
    edits = struct.pack(">iiIiiI", 250, media_time, 65536, 375, media_time + 15 * 512, 65536)
    content[at : at + 28] = struct.pack(">I4sII", 16 + len(edits), b"elst", 0, 2) + edits
    for parent in (b"edts", b"trak", b"moov"):  # each 12 bytes longer
        size = content.rindex(parent, 0, at) - 4
        content[size : size + 4] = struct.pack(">I", struct.unpack(">I", content[size : size + 4])[0] + 12)
    path = build.bytes("cut.mp4", bytes(content))
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 15  # what a player shows
    assert np.allclose([frame.pts for frame in probe(path).frames()], np.arange(24) / 24)


def test_closing_the_walk_early_closes_the_file(build):
    """One frame taken and the rest left: the file can be removed and no warning is raised."""
    video = probe(build.video("left.mp4", 12))
    frames = video.frames()
    next(frames)
    frames.close()
    assert list(frames) == []
    assert len(list(video.frames())) == 12  # and walked again from the start


def test_more_threads_see_the_same(build):
    """Frame threads change neither pixels nor order."""
    video = probe(build.video("threads.mp4", 12))
    one, four = list(video.frames()), list(video.frames(threads=4))
    assert all(np.array_equal(a.pixels, b.pixels) and a.pts == b.pts for a, b in zip(one, four, strict=True))


def test_a_subtitle_track_is_named_as_unseen(build):
    """What nobody looks at is said to be there."""
    titles = build.bytes("titles.srt", b"1\n00:00:00,000 --> 00:00:01,000\na line\n")
    path = build.folder / "titled.mkv"
    with (
        av.open(str(build.video("plain.mkv", 3))) as film,
        av.open(str(titles)) as lines,
        av.open(str(path), "w") as output,
    ):
        sources = [film.streams[0], lines.streams[0]]
        tracks = [output.add_stream_from_template(source) for source in sources]
        for source, track in zip(sources, tracks, strict=True):
            for packet in source.container.demux(source):
                if packet.size:
                    packet.stream = track
                    output.mux(packet)
    assert probe(path).unseen_streams == ("subtitle",)


def test_the_walk_never_yields_anything_else(build):
    """Frame or Undecodable: nothing else comes out, whatever goes in."""
    items = list(probe(build.video("kinds.mp4", 3)).frames())
    assert {type(item) for item in items} <= {Frame, Undecodable}
