"""`python -m benchmarks.batch workers|ledger|again|memory`; results in results.md."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.batch import measure
from benchmarks.batch.folders import folder_of, moving_clip


def main() -> None:
    """Makes a folder, runs one measurement and prints its line of a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__)
    parser.add_argument("way", choices=("workers", "ledger", "again", "memory"))
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", default="canary", help="comma-separated: canary, ocr, trunk")
    options = parser.parse_args()
    models = tuple(word for word in options.models.split(",") if word)
    width, height = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as scratch:
        clip = moving_clip(Path(scratch) / "clip.mp4", (width, height), options.frames)
        folder = folder_of(clip, Path(scratch) / "clips", options.files)
        rounds = {"rounds": options.rounds} if options.way == "workers" else {}
        print(getattr(measure, options.way)(folder, Path(scratch), models=models, **rounds))


if __name__ == "__main__":
    main()
