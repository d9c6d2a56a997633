"""Training examples of the forensic detector: every clip of a folder in several canonical copies, each worn otherwise.

What is done to a copy (cut, size, skipped frames, codec, palette, blur) is drawn from one distribution for both
classes, so that nothing of it tells them apart. Copies are kept as the H.264 streams of the canonical form.
"""

from __future__ import annotations

import csv
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifier import degrade
from classifier.canonical import LONGEST, SHORTEST, encode, sampled, skip, square
from classifier.mimic import MIMICS, Mimic
from media import Frame, MediaError, Video, probe

Clip = NDArray[np.uint8]
COPIES = 6
_HELD = 540  # pixels of the shorter side that are kept while a clip is worn


@dataclass(frozen=True)
class Origin:
    """A clip before it is copied: where its class and its groups come from."""

    name: str
    generated: bool
    family: str  # unit that is left out as a whole
    source: str  # unit of weight and of the threshold: one generator, one camera or repository
    path: str
    canonical: str  # a canonical copy that others made, or ""
    gif: bool


@dataclass(frozen=True)
class Copy:
    """One example: `how` it was made, and where its canonical stream stands."""

    origin: Origin
    how: str  # native-0, native-1, canonical, worn-0 ..., or the name of a mimic
    generated: bool
    side: int
    steps: str


def listed(folder: Path) -> list[Origin]:
    """The clips of a folder with an index.csv like that of the project's shared data."""
    with (folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Origin(
            row["id"],
            row["label"] == "generated",
            row["family"],
            row["source"],
            str(folder / (row["native"] or row["canonical"])),
            str(folder / row["canonical"]),
            row["container"] in {"gif", "webp"},
        )
        for row in rows
    ]


def seed_of(*words: object) -> np.random.Generator:
    """A generator of random numbers for exactly these words."""
    return np.random.default_rng(zlib.crc32("|".join(map(str, words)).encode()))


def copies(origin: Origin, decoder: Mapping[str, Mimic], worn: int = COPIES) -> Iterator[tuple[Copy, bytes]]:
    """Every copy of one clip: as it is, as canonical file, `worn` ones, and mimics by `decoder` where it is real."""
    video = _probed(origin.path)
    if video is None:
        return
    for number, squares in enumerate(list(sampled(video.frames(looks=())))[:2]):
        if origin.path != origin.canonical:
            yield Copy(origin, f"native-{number}", origin.generated, squares.side, ""), encode(squares.pixels)
    if origin.canonical and (found := _probed(origin.canonical)):
        for squares in list(sampled(found.frames(looks=())))[:1]:
            yield Copy(origin, "canonical", origin.generated, squares.side, ""), encode(squares.pixels)
    frames, step = _taken(video)
    for number in range(worn):
        yield from _worn(origin, frames, step, f"worn-{number}", None)
    if not origin.generated and decoder:
        names = list(decoder)
        for number in range(worn):
            name = names[int(seed_of(origin.name, number, "mimic").integers(len(names)))]
            yield from _worn(origin, frames, step, f"worn-{number}", (name, decoder[name]))


def _probed(path: str) -> Video | None:
    try:
        return probe(path)
    except MediaError:
        return None  # animated WebP is not read; such a clip is listed with its canonical copy alone


def _taken(video: Video) -> tuple[list[Clip], int]:
    """All pictures of up to six seconds, reduced to _HELD, and the step that makes about 8 a second."""
    frames, times = [], []
    for frame in video.frames(looks=()):
        if isinstance(frame, Frame) and frame.principal:
            pixels = frame.pixels
            if min(pixels.shape[:2]) > _HELD:
                pixels = degrade.resize(pixels[None], _HELD)[0]
            frames.append(pixels)
            times.append(frame.pts)
        if times[-1:] > [6.0] or len(frames) >= 160:
            break
    return frames, skip(times[:9])


def _worn(
    origin: Origin, frames: list[Clip], step: int, how: str, mimic: tuple[str, Mimic] | None
) -> Iterator[tuple[Copy, bytes]]:
    rng = seed_of(origin.name, how)
    step = step * (2 if rng.random() < 0.2 and len(frames) >= 2 * step * SHORTEST else 1)
    latest = max(0, len(frames) - step * LONGEST)
    start = int(rng.integers(latest + 1))
    chosen = [one for one in frames[start::step] if one.shape == frames[start].shape][:LONGEST]
    if len(chosen) < SHORTEST:
        return
    length = int(rng.integers(12, LONGEST + 1)) if rng.random() < 0.5 else LONGEST
    clip = np.stack(chosen[:length])
    said: list[str] = [f"step {step}"]
    clip = _framed(clip, rng, said)
    name = how
    if mimic:
        name = f"{mimic[0]}@{how}"
        clip = mimic[1](clip, seed_of(origin.name, how, mimic[0]))
        if len(clip) < SHORTEST:
            return
    clip = _spoilt(clip, rng, said)
    side = min(clip.shape[1:3])
    made = encode(np.stack([square(one) for one in clip]))
    yield Copy(origin, name, origin.generated or bool(mimic), side, "; ".join(said)), made


def _framed(clip: Clip, rng: np.random.Generator, said: list[str]) -> Clip:
    """A cut, a mirror image and another size."""
    if rng.random() < 0.6:
        share, across, down = float(rng.uniform(0.6, 1)), float(rng.random()), float(rng.random())
        clip = degrade.crop(clip, share, across, down)
        said.append(f"crop {share:.2f}")
    if rng.random() < 0.5:
        clip = clip[:, :, ::-1]
    short = int(rng.choice([208, 240, 256, 256, 288, 320, 360, 400, 480]))
    if short != min(clip.shape[1:3]):
        clip = degrade.resize(clip, short)
        said.append(f"short {short}")
    return np.ascontiguousarray(clip)


_SPOILERS: Mapping[str, Callable[[Clip, np.random.Generator], Clip]] = {
    "h264": lambda clip, rng: degrade.recode(clip, "h264", int(rng.integers(20, 35))),
    "hevc": lambda clip, rng: degrade.recode(clip, "hevc", int(rng.integers(22, 34))),
    "vp9": lambda clip, rng: degrade.recode(clip, "vp9", int(rng.integers(26, 46))),
    "av1": lambda clip, rng: degrade.recode(clip, "av1", int(rng.integers(26, 50))),
    "vp8": lambda clip, rng: degrade.recode(clip, "vp8", int(rng.integers(15, 45))),
    "mpeg4": lambda clip, rng: degrade.recode(clip, "mpeg4", int(rng.integers(2, 9))),
    "gif-diffuse": lambda clip, rng: degrade.palette(clip, "diffuse", int(rng.choice([128, 256]))),
    "gif-ordered": lambda clip, rng: degrade.palette(clip, "ordered", 256),
    "gif-plain": lambda clip, rng: degrade.palette(clip, "none", 256),
    "kept": lambda clip, rng: clip,
}
_ODDS = np.array([6, 2, 2, 2, 1, 1, 2, 1, 1, 2]) / 20


def _spoilt(clip: Clip, rng: np.random.Generator, said: list[str]) -> Clip:
    """Blur or sharpening, one pass of a codec or palette, and now and then a second."""
    chance = rng.random()
    if chance < 0.1:
        clip = degrade.blur(clip, float(rng.uniform(0.5, 1.2)))
        said.append("blur")
    elif chance < 0.2:
        clip = degrade.sharpen(clip, float(rng.uniform(0.3, 1.0)))
        said.append("sharpen")
    for _ in range(2 if rng.random() < 0.25 else 1):
        name = str(rng.choice(list(_SPOILERS), p=_ODDS))
        clip = _SPOILERS[name](clip, rng)
        said.append(name)
    return clip


def build(origins: list[Origin], folder: Path, decoder: Mapping[str, Mimic] = MIMICS, worn: int = COPIES) -> None:
    """Writes every copy under `folder` (streams, and a line of JSON a copy); what is there already is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for origin in origins:
        table = folder / f"{origin.name}.jsonl"
        if table.exists():
            continue
        lines = []
        for copy, stream in copies(origin, decoder, worn):
            (folder / f"{origin.name}.{copy.how}.h264").write_bytes(stream)
            lines.append(json.dumps({**asdict(copy.origin), **asdict(copy), "origin": origin.name}))
        table.write_text("".join(line + "\n" for line in lines))
