"""Damaged files: each is scanned in a process whose memory is bounded, and must end in an account or a clear error."""

from __future__ import annotations

import contextlib
import json
import random
import resource
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

LIMIT_S = 20.0
LIMIT_BYTES = 1 << 30  # beyond what the process holds before it opens the first file
KINDS = ("flip", "cut", "swap", "huge", "zero", "rate", "lengths", "tail")

# Scans each path that it reads, and says what came of it; a crash ends it, and only the last file is lost.
_SCRIPT = """
import json, resource, sys, time
from pathlib import Path
from media import AssayError, probe
from safety import Stage
from safety.frame import CanaryClassifier, examine_video

held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + int(sys.argv[1]), held + int(sys.argv[1])))
eye = CanaryClassifier()
for line in sys.stdin:
    path, started = Path(line.strip()), time.monotonic()
    try:
        seen = examine_video(probe(path), "00" * 32, Stage.FRAME, [eye], ["canary"])
        counts = seen.counts
        said = "seen" if not (counts.undecodable or counts.failed) else "seen in part"
        words = ""
    except AssayError as error:
        said, words = "refused", str(error)
    except BaseException as error:
        said, words = "raised " + type(error).__name__, str(error)[:200]
    print(json.dumps([said, words, time.monotonic() - started]), flush=True)
"""


@dataclass(frozen=True)
class Fate:
    """What came of one damaged file."""

    kind: str
    name: str
    said: str  # seen, seen in part, refused; or crash, hang, raised ..., vague
    seconds: float

    @property
    def sound(self) -> bool:
        """Whether that is how a scan may end."""
        return self.said in {"seen", "seen in part", "refused"} and self.seconds <= LIMIT_S


def originals(folder: Path) -> dict[str, bytes]:
    """Small whole files of several containers and codecs, by name."""
    import av

    made = {}
    kinds = (
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mkv", "libx264", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.mov", "mjpeg", "yuvj420p"),
        ("a.ts", "mpeg2video", "yuv420p"),
        ("a.gif", "gif", "rgb8"),
    )
    for name, codec, pixel_format in kinds:
        path = folder / name
        with av.open(str(path), "w", options={"movflags": "+faststart"} if name == "a.mp4" else {}) as out:
            stream = out.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt, stream.thread_count = 96, 64, pixel_format, 1
            for number in range(12):
                pixels = np.full((64, 96, 3), 40 + 10 * number, np.uint8)
                pixels[8:24, 4 * number : 4 * number + 16] = 250
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pixel_format)
                frame.pts, frame.time_base = number, Fraction(1, 25)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        made[name] = path.read_bytes()
    return made


def damaged(kind: str, content: bytes, rng: random.Random) -> bytes:
    """The file with one kind of damage."""
    return _DAMAGES[kind](bytearray(content), rng)


def _flip(content: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 4, 32, 256))):
        at = rng.randrange(len(content) if rng.random() < 0.5 else min(len(content), 2048))
        content[at] ^= 1 << rng.randrange(8)
    return bytes(content)


def _cut(content: bytearray, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    if rng.random() < 0.5:
        return bytes(content[:start])
    return bytes(content[:start] + content[start + rng.randrange(1, 4096) :])


def _swap(content: bytearray, rng: random.Random) -> bytes:
    """Two stretches change places; in MP4, two boxes of the top level, or the names of two boxes."""
    names = [at for word in (b"moov", b"mdat", b"trak", b"stbl", b"stsz", b"stco", b"stts", b"avcC", b"mdia")
             if (at := content.find(word)) >= 0]  # fmt: skip
    if len(names) >= 2 and rng.random() < 0.7:
        one, other = rng.sample(names, 2)
        content[one : one + 4], content[other : other + 4] = content[other : other + 4], content[one : one + 4]
        return bytes(content)
    length = rng.randrange(8, max(9, len(content) // 4))
    one, other = sorted(rng.randrange(len(content) - length) for _ in range(2))
    content[one : one + length], content[other : other + length] = (
        content[other : other + length], content[one : one + length],
    )  # fmt: skip
    return bytes(content)


def _numbers(content: bytearray, rng: random.Random, values: tuple[int, ...], words: tuple[bytes, ...]) -> bytes:
    """A 16 or 32 bit number in a header is replaced, near a known word where there is one."""
    places = [at for word in words if (at := content.find(word)) >= 0]
    for _ in range(rng.choice((1, 2, 4))):
        at = rng.choice(places) + rng.randrange(0, 96) if places and rng.random() < 0.8 else rng.randrange(512)
        at = min(at, len(content) - 4)
        struct.pack_into(rng.choice(("<I", ">I")), content, at, rng.choice(values))
    return bytes(content)


_HEADERS = (b"tkhd", b"avc1", b"jpeg", b"avcC", b"strf", b"avih", b"\xb0\x81", b"\x53\xc0", b"stsd", b"GIF8", b"vmhd")
_CLOCKS = (b"mvhd", b"mdhd", b"stts", b"avih", b"strh", b"\x2a\xd7\xb1", b"elst", b"\x23\xe3\x83")
_TABLES = (b"stsz", b"stco", b"stsc", b"stts", b"trun", b"mdat", b"moov", b"idx1", b"movi", b"LIST")


def _tail(content: bytearray, rng: random.Random) -> bytes:
    junk = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 4096)))
    return bytes(content) + junk if rng.random() < 0.5 else junk + bytes(content)


_DAMAGES: dict[str, Callable[[bytearray, random.Random], bytes]] = {
    "flip": _flip,
    "cut": _cut,
    "swap": _swap,
    "huge": lambda c, r: _numbers(c, r, (0x7FFFFFFF, 0xFFFFFFFF, 0xFFFF0000, 65535, 32768, 16384 << 16), _HEADERS),
    "zero": lambda c, r: _numbers(c, r, (0, 1), _HEADERS),
    "rate": lambda c, r: _numbers(c, r, (10**9, 1, 0, 0xFFFFFFFF, 0x7FFFFFFF), _CLOCKS),
    "lengths": lambda c, r: _numbers(c, r, (0, 1, 7, 0x7FFFFFFF, 0xFFFFFFFF, 0x10000000), _TABLES),
    "tail": _tail,
}


def fates(files: int, seed: int, folder: Path) -> list[Fate]:
    """What came of so many damaged files, scanned one after the other."""
    whole = originals(folder)
    rng = random.Random(seed)
    scanner = _Scanner()
    ended = []
    try:
        for number in range(files):
            kind, name = KINDS[number % len(KINDS)], rng.choice(sorted(whole))
            path = folder / f"damaged-{name}"
            path.write_bytes(damaged(kind, whole[name], rng))
            said, words, seconds = scanner.scan(path)
            if said == "refused" and path.name not in words:
                said = "vague"  # an error that does not name its file
            ended.append(Fate(kind, name, said, seconds))
            if not ended[-1].sound:
                path.rename(folder / f"unsound-{number}-{kind}-{name}")
    finally:
        scanner.end()
    return ended


class _Scanner:
    """The process that scans; a new one where it crashed or hung."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def scan(self, path: Path) -> tuple[str, str, float]:
        """What it said, in which words, after how many seconds."""
        import select

        if self._process is None:
            command = [sys.executable, "-c", _SCRIPT, str(LIMIT_BYTES)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        process, started = self._process, time.monotonic()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], LIMIT_S + 10)
        line = process.stdout.readline() if ready else ""
        if line:
            said, words, seconds = json.loads(line)
            return said, words, seconds
        self.end()
        return ("crash" if ready else "hang"), "", time.monotonic() - started

    def end(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout) if self._process else ():
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self._process = None


def mutate(files: int, seed: int, folder: Path) -> str:
    """Markdown: what came of the files, by kind of damage."""
    ended = fates(files, seed, folder)
    words = sorted({fate.said for fate in ended})
    lines = [
        f"{files} files, seed {seed}; bounded to {LIMIT_BYTES >> 20} MB beyond the start and {LIMIT_S:g} s a file.",
        "",
        "| damage | files | " + " | ".join(words) + " | slowest, s |",
        "|---|---|" + "---|" * (len(words) + 1),
    ]
    for kind in KINDS:
        mine = [fate for fate in ended if fate.kind == kind]
        said = Counter(fate.said for fate in mine)
        counts = " | ".join(str(said[word]) for word in words)
        lines.append(f"| {kind} | {len(mine)} | {counts} | {max(fate.seconds for fate in mine):.1f} |")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    unsound = sum(not fate.sound for fate in ended)
    return "\n".join([*lines, "", f"Unsound: {unsound}. Peak resident memory of a scanning process: {peak:.0f} MB."])
