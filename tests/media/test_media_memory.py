"""Memory does not grow with the length of a film."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
