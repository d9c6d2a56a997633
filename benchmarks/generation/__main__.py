"""`python -m benchmarks.generation minute|seams|codecs`: 1080p in bounded memory, steps at window borders, compression.

minute  makes and encodes one minute of 1920x1080 and prints wall seconds, CPU seconds and the peak of resident memory
seams   frame differences at window borders against the median of clips that move, over seeds and prompts
codecs  the linear codec against a small causal autoencoder trained here for 6 CPU minutes
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.generation.codecs import codecs
from generator import EmbeddedGenerator, Frames, GenerationRequest
from media import Encoder, probe

PROMPTS = (
    "a red ball moves left over the sea",
    "a yellow bird moves right in the sky, camera pans left",
    "a white boat bounces at night",
    "a green car moves right in the desert",
)


def minute() -> None:
    """One minute of 1080p at 24 frames a second, into an mp4."""
    request = GenerationRequest(PROMPTS[0], size=(1920, 1080), seconds=60, fps=Fraction(24))
    began, cpu = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "minute.mp4"
        with Encoder(path, size=request.size, rate=request.fps) as encoder:
            for event in EmbeddedGenerator().generate(request):
                if isinstance(event, Frames):
                    for pixels in event.pixels:
                        encoder.write(pixels)
        video = probe(path)
        print(f"{video.width}x{video.height}, {video.duration_s:g} s, {video.declared_frames} frames")
    print(f"wall {time.monotonic() - began:.0f} s, CPU {time.process_time() - cpu:.0f} s")
    print(f"peak resident {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def seams() -> None:
    """Six seconds each, three seeds."""
    print("| prompt | median | at borders / median, mean | largest |\n|---|---|---|---|")
    for prompt in PROMPTS:
        ratios, medians = [], []
        for seed in range(3):
            request = GenerationRequest(prompt, size=(64, 40), seconds=6, fps=Fraction(8), seed=seed)
            events = EmbeddedGenerator().generate(request)
            clip = np.concatenate([e.pixels for e in events if isinstance(e, Frames)]).astype(float)
            steps = np.abs(np.diff(clip, axis=0)).mean((1, 2, 3))  # (47,)
            medians.append(np.median(steps))
            ratios += list(steps[7::8] / np.median(steps))
        print(f"| {prompt} | {np.mean(medians):.1f} | {np.mean(ratios):.2f} | {max(ratios):.2f} |")


if __name__ == "__main__":
    {"minute": minute, "seams": seams, "codecs": codecs}[sys.argv[1] if len(sys.argv) > 1 else "minute"]()
