"""Broken files: what exists is seen or reported, never dropped in silence, never a crash."""

from __future__ import annotations

import struct
import zlib

import av
import numpy as np
import pytest

import media.decode
import media.describe
import media.source
from media import Frame, MediaError, Undecodable, probe, read_image

FASTSTART = {"movflags": "+faststart"}


def walked(path):
    """(frames, undecodables) of a walk."""
    items = list(probe(path).frames())
    assert [item.index for item in items] == list(range(len(items)))
    frames = [item for item in items if isinstance(item, Frame)]
    return frames, [item for item in items if isinstance(item, Undecodable)]


def cut(build, path, share):
    """The file's first bytes, under a new name."""
    content = path.read_bytes()
    return build.bytes(f"cut-{path.name}", content[: int(len(content) * share)])


@pytest.mark.parametrize(
    ("name", "codec", "container"),
    [("a.mp4", "libx264", FASTSTART), ("a.mov", "mjpeg", FASTSTART), ("a.avi", "mjpeg", {}), ("a.ivf", "libvpx", {})],
)
@pytest.mark.parametrize("share", [0.7, 0.95])
def test_declared_frames_that_a_cut_file_lost_are_reported(build, name, codec, container, share):
    """Decoded and undecodable together are what the header declared; none is made up, none forgotten."""
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    whole = build.video(name, 24, codec=codec, pixel_format=pixel_format, container=container)
    path = cut(build, whole, share)
    frames, undecodable = walked(path)
    assert probe(path).declared_frames == 24
    assert frames
    assert len(frames) + len(undecodable) == 24
    assert any("does not hold it" in item.reason for item in undecodable) or share > 0.9


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("a.mkv", "libx264", "yuv420p"),
        ("a.webm", "libvpx", "yuv420p"),
        ("a.gif", "gif", "rgb8"),
        ("a.ts", "mpeg2video", "yuv420p"),
    ],
)
def test_a_cut_file_that_declares_nothing_says_that_it_breaks_off(build, name, codec, pixel_format):
    """Where no count was written down, one undecodable stands for the unknown rest."""
    path = cut(build, build.video(name, 24, codec=codec, pixel_format=pixel_format), 0.8)
    frames, undecodable = walked(path)
    assert 0 < len(frames) < 24
    assert "breaks off" in undecodable[-1].reason


def test_whole_files_do_not_break_off(build):
    """The same kinds, uncut, with junk after their end where tools put it: nothing is reported."""
    for name, codec, pixel_format, tail in (
        *[
            ("a.mkv", "libx264", "yuv420p", b""),
            ("a.webm", "libvpx", "yuv420p", b""),
            ("a.gif", "gif", "rgb8", b"\0" * 8),
        ],
        *[
            ("a.mp4", "libx264", "yuv420p", b""),
            ("a.avi", "mpeg4", "yuv420p", b"junk" * 99),
            ("a.ts", "mpeg2video", "yuv420p", b""),
        ],
    ):
        path = build.video(name, 6, codec=codec, pixel_format=pixel_format)
        path.write_bytes(path.read_bytes() + tail)
        assert [len(part) for part in walked(path)] == [6, 0], name


def test_a_fragmented_file_that_is_cut_reports_the_break(build):
    """Fragments declare no total; the last one runs past the end of the file."""
    whole = build.video("a.mp4", 24, container={"movflags": "frag_keyframe+empty_moov"}, options={"g": "6"})
    _, undecodable = walked(cut(build, whole, 0.8))
    assert undecodable


def test_damaged_frames_are_reported_in_their_place(build):
    """Noise over one frame of each codec: it comes as undecodable with its time, the rest come as frames."""
    path = build.video("a.mp4", 24, options={"g": "1", "bf": "0"}, container=FASTSTART)
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    position, size = packets[10]
    content[position + size // 3 : position + size] = bytes(251 for _ in range(size - size // 3))
    path.write_bytes(content)
    frames, undecodable = walked(path)
    assert [item.index for item in undecodable] == [10]
    assert undecodable[0].pts == pytest.approx(10 / 24)
    assert "damaged" in undecodable[0].reason or "refused" in undecodable[0].reason
    assert len(frames) == 23


def test_frames_before_the_first_keyframe_are_reported(build):
    """A broadcast joined in the middle: its first pictures lack their reference, which is said of each of them."""
    path = build.video("a.ts", 48, options={"g": "24", "bf": "0", "sc_threshold": "0"})
    content = path.read_bytes()
    with av.open(str(path)) as container:
        second = [packet.pos for packet in container.demux(video=0) if packet.size][1]
    path.write_bytes(content[: 188 * 3] + content[second:])
    frames, undecodable = walked(path)
    assert (len(frames), len(undecodable)) == (24, 23)


def test_a_file_without_frames_is_an_error_and_no_clean_pass(build):
    """Nothing to look at is never 'nothing found'."""
    path = build.video("a.mkv", 2)
    content = path.read_bytes()
    empty = build.bytes("empty.mkv", content[: content.index(b"\x1f\x43\xb6\x75")])  # up to the first cluster
    with pytest.raises(MediaError, match=r"empty\.mkv"):
        walked(build.bytes("empty.mkv", whole_segment(empty.read_bytes())))


def test_a_track_of_no_samples_is_an_error_at_the_walk(build):
    """A header with size and codec over an empty sample table describes itself, and has nothing to show."""
    content = bytearray(build.video("a.mp4", 3, options={"bf": "0"}).read_bytes())
    for table, at in ((b"stts", 8), (b"stsc", 8), (b"stsz", 12), (b"stco", 8), (b"stss", 8)):
        start = content.index(table) + at
        content[start : start + 4] = bytes(4)
    path = build.bytes("empty.mp4", bytes(content))
    assert (probe(path).width, probe(path).declared_frames) == (96, None)
    with pytest.raises(MediaError, match=r"empty\.mp4.*no frame"):
        walked(path)


def test_a_file_that_loses_its_video_between_probe_and_walk_is_an_error(build):
    """The walk opens the file anew, and takes nothing for granted."""
    path = build.video("a.mkv", 3)
    video = probe(path)
    build.sound("sound.mkv").replace(path)
    with pytest.raises(MediaError, match=r"a\.mkv"):
        list(video.frames())


def whole_segment(content: bytes) -> bytes:
    """The Matroska segment's size set to 'unknown', so that the file is whole though short."""
    at = content.index(b"\x18\x53\x80\x67") + 4
    return content[:at] + b"\x01" + b"\xff" * 7 + content[at + 8 :]


def test_sound_alone_is_no_video(build):
    """Audio files are refused by what they are."""
    for name in ("a.m4a", "a.wav", "a.mkv"):
        with pytest.raises(MediaError, match="sound and no video"):
            probe(build.sound(name))


@pytest.fixture
def with_cover(build, make_picture):
    """A file with a video track, or sound, and a cover picture: `with_cover(name, film=True)`."""

    def make(name: str, *, film: bool):
        cover = build.video("cover.apng", [make_picture(9)], codec="apng", pixel_format="rgb24")
        source_path = build.video("film.mp4", 6) if film else build.sound("song.m4a")
        path = build.folder / name
        with av.open(str(cover)) as art, av.open(str(source_path)) as source, av.open(str(path), "w") as output:
            main = output.add_stream_from_template(source.streams[0])
            still = output.add_stream("png", rate=1)
            still.width, still.height, still.pix_fmt = 96, 64, "rgb24"
            still.disposition = av.stream.Disposition.attached_pic
            packets = [packet for packet in source.demux(source.streams[0]) if packet.size]
            picture = next(art.decode(video=0)).reformat(format="rgb24")
            picture.pts = 0
            output.mux(still.encode(picture))
            output.mux(still.encode(None))
            for packet in packets:
                packet.stream = main
                output.mux(packet)
        return path

    return make


def test_a_cover_picture_is_seen_after_the_film(with_cover):
    """The picture that a gallery shows for the file is a picture in the file."""
    video = probe(with_cover("covered.mp4", film=True))
    frames = list(video.frames())
    assert (video.video_streams, video.codec) == (2, "h264")
    assert [frame.stream for frame in frames] == [0] * 6 + [1]


def test_a_song_with_a_cover_is_no_video(with_cover):
    """Sound with a cover picture is refused by what it is."""
    with pytest.raises(MediaError, match="a cover picture and no video stream"):
        probe(with_cover("song.mp4", film=False))


def test_a_codec_without_a_decoder_is_refused_by_name(build):
    """An unknown codec in the only track is a MediaError; in a second track, each of its frames is reported."""
    content = build.video("a.mp4", 3).read_bytes()
    with pytest.raises(MediaError, match=r"b\.mp4.*decoder"):
        probe(build.bytes("b.mp4", content.replace(b"avc1", b"zzz1").replace(b"avcC", b"zzzC")))
    content = build.video("two.mp4", 3, tracks=2).read_bytes()
    at = content.rindex(b"avc1")
    content = content[:at] + content[at:].replace(b"avc1", b"zzz1").replace(b"avcC", b"zzzC")
    frames, undecodable = walked(build.bytes("two.mp4", content))
    assert (len(frames), [item.stream for item in undecodable]) == (3, [1] * 3)
    assert "no decoder" in undecodable[0].reason


def test_a_stream_that_starts_in_mid_file_is_reported(build):
    """A transport stream whose second video track begins after the start: it is named, though not decoded."""
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (64, 96, 3), dtype=np.uint8) for _ in range(130)]
    one = build.video("one.ts", noise, codec="mpeg2video", options={"b": "4M"}).read_bytes()
    two = build.video("two.ts", 6, codec="mpeg2video", tracks=2).read_bytes()
    frames, undecodable = walked(build.bytes("joined.ts", one + two + one))
    assert len(frames) == 266
    assert ["starts in the middle" in item.reason for item in undecodable] == [True]


def png(width: int, height: int, rows: bytes) -> bytes:
    """A PNG that declares this size, whatever it holds."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("size", [(60_000, 60_000), (9000, 8000)])
def test_a_picture_that_declares_absurd_sizes_is_refused(build, size):
    """Above 8192 x 8192 pixels nothing is decoded, however few bytes claim it."""
    path = build.bytes("bomb.png", png(*size, b"\0" * 5000))
    with pytest.raises(MediaError, match=r"bomb\.png.*8192"):
        read_image(path)


def test_a_stream_that_grows_absurd_in_the_middle_is_reported(build, make_picture, monkeypatch):
    """The size limit holds for every frame, not only for the header's."""
    monkeypatch.setattr(media.decode, "LIMIT_PIXELS", 128 * 96 - 1)
    small = build.video("small.h264", 60).read_bytes()  # long enough that probing does not see the change
    large = build.video("large.h264", [make_picture(n, 128, 96) for n in range(3)]).read_bytes()
    frames, undecodable = walked(build.bytes("both.h264", small + large))
    assert (len(frames), len(undecodable)) == (60, 3)


def constant_samples(content: bytes, count: int) -> bytes:
    """The MP4 with its sample table replaced by 'count samples of 10 bytes each'."""
    content = bytearray(content)
    sizes, chunks, times = (content.index(kind) for kind in (b"stsz", b"stsc", b"stts"))
    content[sizes + 8 : sizes + 16] = struct.pack(">II", 10, count)
    content[chunks + 16 : chunks + 20] = struct.pack(">I", count)
    content[times + 12 : times + 16] = struct.pack(">I", count)
    return bytes(content)


def test_a_header_that_claims_billions_of_frames_is_refused(build):
    """Twenty bytes that would make the demuxer set gigabytes aside are a MediaError, before it sees them."""
    content = build.video("a.mp4", 3, options={"bf": "0"}).read_bytes()
    with pytest.raises(MediaError, match="claims 2000000000 frames"):
        probe(build.bytes("bomb.mp4", constant_samples(content, 2_000_000_000)))


def test_missing_frames_beyond_a_million_end_the_walk_with_an_error(build, monkeypatch):
    """A declared count too long to list is an error, not a walk without end."""
    monkeypatch.setattr(media.decode, "LIMIT_MISSING", 10)
    path = cut(build, build.video("a.mp4", 48, container=FASTSTART), 0.6)
    with pytest.raises(MediaError, match="frames that are not there"):
        walked(path)


def test_a_frame_whose_pixels_cannot_be_converted_is_reported(build, monkeypatch):
    """A pixel format without a way to RGB costs its frames, and says so."""

    def refuse(*_):
        raise ValueError("no such conversion")

    monkeypatch.setattr(media.decode.Developer, "develop", refuse)
    frames, undecodable = walked(build.video("a.mp4", 3))
    assert (frames, len(undecodable)) == ([], 3)
    assert "yuv420p" in undecodable[0].reason


def test_a_picture_cut_short_is_no_picture(build, make_picture):
    """Half a PNG or JPEG is a MediaError, not half a picture."""
    for codec, pixel_format, name in (("png", "rgb24", "a.png"), ("mjpeg", "yuvj420p", "a.jpg")):
        encoder = av.CodecContext.create(codec, "w")
        encoder.width, encoder.height, encoder.pix_fmt = 96, 64, pixel_format
        encoder.time_base = 1
        frame = av.VideoFrame.from_ndarray(make_picture(0), format="rgb24").reformat(format=pixel_format)
        content = b"".join(bytes(packet) for packet in encoder.encode(frame))
        assert read_image(build.bytes(name, content)).pixels.shape == (64, 96, 3)
        with pytest.raises(MediaError, match=name):
            read_image(build.bytes(name, content[: len(content) // 2]))


def test_titles_in_another_alphabet_do_not_stop_the_film(build):
    """Metadata that is no UTF-8 costs nothing but its own letters."""
    path = build.folder / "titled.avi"
    plain = build.video("plain.avi", 3, codec="mpeg4")
    with av.open(str(plain)) as source, av.open(str(path), "w") as output:
        output.metadata["title"] = "XXXX"
        track = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = track
                output.mux(packet)
    path.write_bytes(path.read_bytes().replace(b"XXXX", b"\xe9\xff\xe8\xfe"))
    assert [len(part) for part in walked(path)] == [3, 0]


def test_a_decoder_that_swallows_frames_is_found_out(build, monkeypatch):
    """100 packets in, no picture and no error out: 100 undecodable frames, each with its time."""

    class Silent:
        name = "silent"

        def decode(self, _packet):
            return []

    video = probe(build.video("a.mp4", 100, options={"bf": "0"}))
    monkeypatch.setattr(media.decode, "decoder_of", lambda *_: Silent())
    items = list(video.frames())
    assert [item.pts for item in items] == [n / 24 for n in range(100)]
    assert all("no picture" in item.reason for item in items)


def test_a_size_above_the_limit_is_refused_by_probe(build, monkeypatch):
    """A header whose size is readable and too large is refused by it."""
    monkeypatch.setattr(media.describe, "LIMIT_PIXELS", 96 * 64 - 1)
    with pytest.raises(MediaError, match=r"a\.mp4: 96x64 is too large"):
        probe(build.video("a.mp4", 2))


def test_a_seek_before_the_start_is_refused_in_ffmpegs_own_way(build):
    """A hostile offset is an error code to the demuxer, not a Python exception lost in C."""
    with build.bytes("a", b"abc").open("rb") as file:
        source = media.source._Bytes(file)
        assert source.seek(-5) < 0
        assert source.seek(1) == 1
