"""Only the file that was named is read: no network, no playlist, no pattern, no device."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from media import MediaError, probe, read_image

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>'


@pytest.fixture
def listener():
    """A local server that remembers whether anyone came."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.2)
    yield server
    server.close()


def visited(server: socket.socket) -> bool:
    try:
        server.accept()[0].close()
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4"])
def test_an_hls_playlist_reaches_nobody(build, listener, name):
    """A playlist that names a URL, under its own or a false suffix, is refused without a connection."""
    port = listener.getsockname()[1]
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n"
    path = build.bytes(name, text.encode())
    with pytest.raises(MediaError, match=name):
        probe(path)
    assert not visited(listener)


def test_playlists_of_local_files_are_refused(build):
    """An ffconcat or HLS file that names another local file shows nothing of it."""
    build.video("secret.ts", 3, codec="mpeg2video")
    secret = str(build.folder / "secret.ts")
    lists = {
        "list.ffconcat": f"ffconcat version 1.0\nfile {secret}\n",
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
        "list.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
        "list.mpd": f"<?xml version='1.0'?><MPD><Period><BaseURL>{secret}</BaseURL></Period></MPD>",
    }
    for name, text in lists.items():
        with pytest.raises(MediaError, match=name):
            probe(build.bytes(name, text.encode()))


def test_a_url_as_a_path_is_no_file(build, listener):
    """Protocols in a path are not protocols here."""
    port = listener.getsockname()[1]
    target = build.video("x.mp4", 2)
    for path in (f"http://127.0.0.1:{port}/a.mp4", f"file:{target}", f"concat:{target}|{target}", "pipe:0", ""):
        with pytest.raises(MediaError, match="no such file"):
            probe(path)
    assert not visited(listener)


def test_a_files_name_means_nothing(build):
    """Names that FFmpeg would read as a URL, a picture sequence or an option open as the one file they name."""
    content = build.video("plain.mp4", 3).read_bytes()
    for name in ("http:x.mp4", "frame%03d.png", "*.png", "-i.mp4", "concat:a|b.mp4", "ünï 😀.mp4", "no-suffix"):
        assert len(list(probe(build.bytes(name, content)).frames())) == 3


def test_folders_fifos_and_devices_are_refused(build):
    """Nothing but a regular file is opened; a FIFO nobody writes to does not hang."""
    os.mkfifo(build.folder / "fifo.mp4")
    for path in (build.folder, build.folder / "fifo.mp4", "/dev/zero", build.folder / "absent.mp4"):
        with pytest.raises(MediaError, match="not a regular file"):
            probe(path)


def test_an_unreadable_file_is_named(build, monkeypatch):
    """Permission denied is a MediaError that names the file and says what to look at."""

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    path = build.video("locked.mp4", 2)
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(MediaError, match=r"locked\.mp4.*Permission denied.*permissions"):
        probe(path)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 5000, b"hello, this is a text file\n" * 100, SVG, b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_media_is_refused_by_name(build, content):
    """Empty files, zeros, text and bare signatures end in a MediaError that names the file."""
    path = build.bytes("thing.mp4", content)
    with pytest.raises(MediaError, match=r"thing\.mp4"):
        list(probe(path).frames())


def test_a_film_is_no_image(build):
    """`read_image` takes pictures only."""
    with pytest.raises(MediaError, match="is no picture"):
        read_image(build.video("film.mp4", 2))


def test_two_walks_at_once_do_not_disturb_each_other(build):
    """Two threads that walk the same video see the same."""
    video = probe(build.video("shared.mp4", 12))
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(len(list(video.frames())))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [12, 12]
