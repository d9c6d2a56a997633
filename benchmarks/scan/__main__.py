"""`python -m benchmarks.scan race|trunk|agree|flash|memory|mutate|text|alarms ...`; results in results.md."""

from __future__ import annotations

import argparse
import importlib
import tempfile
from fractions import Fraction
from pathlib import Path


def main() -> None:
    """Runs one benchmark and prints its table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scan", description=__doc__)
    ways = parser.add_subparsers(dest="way", required=True)
    race = ways.add_parser("race", help="every frame through our engine, beside the loops that people write")
    race.add_argument("--rounds", type=int, default=3)
    race.add_argument("--frames", type=int, default=150)
    race.add_argument("--cheap", help="module:factory of a frame classifier to race in place of the mean")
    trunk = ways.add_parser("trunk", help="the embedded trunk alone, as a share of decoding and resizing")
    trunk.add_argument("--rounds", type=int, default=7)
    trunk.add_argument("--frames", type=int, default=200)
    agree = ways.add_parser("agree", help="what NudeNet reports by its own loop and by our engine, video by video")
    agree.add_argument("videos", nargs="+", type=Path)
    flash = ways.add_parser("flash", help="what is looked at and found of a single inserted frame")
    flash.add_argument("--trials", type=int, default=30)
    flash.add_argument("--frames", type=int, default=100)
    memory = ways.add_parser("memory", help="resident memory over a long film")
    memory.add_argument("--minutes", type=float, default=60.0)
    memory.add_argument("--models", default="canary", help="comma-separated: canary, nudenet, ocr, mean")
    memory.add_argument("--rate", type=int, default=25, help="frames a second of the film")
    mutate = ways.add_parser("mutate", help="damaged files: no crash, no hang, no gigabyte")
    mutate.add_argument("--files", type=int, default=2000)
    mutate.add_argument("--seed", type=int, default=0)
    for name, about in (("text", "words over footage, found or not"), ("alarms", "false alarms in an hour of footage")):
        ways.add_parser(name, help=about).add_argument("arguments", nargs="+", help="see the module")
    for way in (race, trunk, flash, memory):
        way.add_argument("videos", nargs="+", type=Path, help="videos from which the clip is made")
        way.add_argument("--as-is", action="store_true", help="take the first video as it is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(_run(options, Path(folder)))


def _run(options: argparse.Namespace, folder: Path) -> str:
    from benchmarks.scan import clips

    if options.way in ("text", "alarms"):
        return str(importlib.import_module(f"benchmarks.scan.{options.way}").main(options.arguments))
    if options.way == "agree":
        from benchmarks.scan.race import agree

        return agree(options.videos)
    if options.way == "mutate":
        from benchmarks.scan.mutate import mutate

        return mutate(options.files, options.seed, folder)
    size = (1920, 1080) if options.way == "memory" else (1280, 720)
    frames = 250 if options.way == "memory" else options.frames
    rate = Fraction(options.rate) if options.way == "memory" else clips.RATE
    clip = options.videos[0] if options.as_is else clips.joined(options.videos, folder / "clip.mp4", size, frames, rate)
    if options.way == "race":
        from benchmarks.scan.race import race

        return race(clip, options.rounds, _made(options.cheap) if options.cheap else None)
    if options.way == "trunk":
        from benchmarks.scan.race import trunk

        return trunk(clip, options.rounds)
    if options.way == "flash":
        from benchmarks.scan.flash import flash

        return flash(clip, options.trials, folder)
    from benchmarks.scan.memory import memory

    film = clip if options.as_is else clips.looped(clip, folder / "film.mp4", options.minutes * 60, rate)
    return memory(film, options.models.split(","))


def _made(name: str):  # type: ignore[no-untyped-def]
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)()


if __name__ == "__main__":
    main()
