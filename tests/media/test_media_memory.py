"""Memory does not grow with the length of a film."""

from __future__ import annotations

import gc
import subprocess
import sys
from types import SimpleNamespace

import pytest

from media import probe
from media.picture import _Turns

SCRIPT = """
import resource, sys
from fractions import Fraction
import numpy as np
from media import Encoder, probe

def peak(frames, path):
    pixels = np.random.default_rng(0).integers(0, 255, (180, 320, 3), dtype=np.uint8)
    with Encoder(path, size=(320, 180), rate=Fraction(24)) as encoder:
        for n in range(frames):
            encoder.write(np.ascontiguousarray(np.roll(pixels, n, axis=1)))
    seen = sum(1 for _ in probe(path).frames())
    assert seen == frames, seen
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

peak(10, sys.argv[1])  # libraries, tables, pools
short = peak(100, sys.argv[1])
long = peak(int(sys.argv[2]), sys.argv[1])
print(short, long)
"""


@pytest.mark.full
def test_a_film_twelve_times_as_long_takes_no_more_memory(tmp_path):
    """Encoding and walking 1,200 frames peaks within 24 MB of 100 frames; kept frames would be 190 MB."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "long.mp4"), "1200"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    short, long = map(float, answer.stdout.split())
    assert long - short < 24


def test_frames_are_freed_without_the_garbage_collector(build, make_picture):
    """A decoded frame that nobody holds is gone at once: knots of references would keep hundreds of megabytes."""
    path = build.video("a.mp4", [make_picture(number) for number in range(60)])
    gc.collect()
    gc.disable()
    try:
        for _ in probe(path).frames(looks=("small",)):
            pass
        left = sum(type(one).__name__ == "VideoFrame" for one in gc.get_objects())
    finally:
        gc.enable()
    assert left <= 6  # the first, whose way up is read, and a few of the description's


def test_the_way_up_is_read_again_where_it_may_have_changed(monkeypatch):
    """It is read of the first frame, of one whose rotation changed, and of a key frame after a while."""
    read = []
    monkeypatch.setattr("media.picture.orientation", lambda frame: read.append(frame.index) or (False, True, False))
    turns = _Turns()
    for index in range(200):
        frame = SimpleNamespace(index=index, key_frame=index % 50 == 0, rotation=90 if index >= 170 else 0)
        assert turns.of(frame) == (False, True, False)
    assert read == [0, 100, 170]
