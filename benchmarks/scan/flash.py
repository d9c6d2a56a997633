"""A single inserted frame: is it looked at, at every epsilon offered, and does the canary's detector find it?

One H.264 file holds all trials, some frames of the clip apart. Each inserted frame is the clip's own next frame with
something in it: another picture altogether, the canary glyph at a random place in one of several sizes, or another
picture and the glyph faintly blended over it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media import Encoder, Frame, canary_glyph, probe
from safety import FrameScore, Stage, Track
from safety.frame import EPSILONS, CanaryClassifier, ScanOptions, examine_video

PATCHES = (160, 96, 64, 32, 24, 16)
BLENDS = (0.3, 0.1, 0.05)
KINDS = ("foreign", *(f"patch {size} px" for size in PATCHES), *(f"blend {share:g}" for share in BLENDS))
APART = 3  # frames of the clip between two inserted ones
THRESHOLD = 0.5

Picture = NDArray[np.uint8]


class Witness:
    """Says nothing, and remembers which frames it was shown."""

    name, version, licence, look = "witness", "1", "Apache-2.0", "small"
    weights_sha256, runtime, cost_ms = None, None, 0.01
    categories: tuple[str, ...] = ("canary",)

    def __init__(self) -> None:
        self.saw: set[int] = set()

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """Zeros."""
        self.saw.update(frame.index for frame in frames)
        return [{"canary": (0.0, None)} for _ in frames]


def flash(clip: Path, trials: int, folder: Path) -> str:
    """Markdown: for each kind, looked at in how many trials at each epsilon, and found in how many."""
    file, inserted = _file(clip, trials, folder / "flash.mp4")
    video = probe(file)
    looked: dict[float, set[int]] = {}
    skipped: dict[float, float] = {}
    for epsilon in EPSILONS:
        witness = Witness()
        seen = examine_video(video, "00" * 32, Stage.FRAME, [witness], ["canary"], options=ScanOptions(epsilon=epsilon))
        looked[epsilon], skipped[epsilon] = witness.saw, seen.counts.covered / seen.counts.total
    found, times = _found(file)
    lines = [
        f"{video.width}x{video.height} H.264, {len(inserted)} single inserted frames, {trials} a kind, each "
        f"{APART} frames after the last; canary threshold {THRESHOLD}.",
        "",
        "| inserted | "
        + " | ".join(f"looked at, epsilon {e:g}" for e in EPSILONS)
        + " | canary found | second right |",
        "|---|" + "---|" * (len(EPSILONS) + 2),
    ]
    for kind in KINDS:
        mine = [index for index, name in inserted.items() if name == kind]
        seen_at = [f"{sum(index in looked[e] for index in mine)}/{len(mine)}" for e in EPSILONS]
        hits = [index for index in mine if index in found]
        right = sum(abs(times[index] - index / 25) <= 1.001 / 25 for index in hits)
        said = "-" if kind == "foreign" else f"{len(hits)}/{len(mine)}"
        lines.append(f"| {kind} | {' | '.join(seen_at)} | {said} | {'-' if kind == 'foreign' else right} |")
    alarms = len(found - set(inserted))
    shares = ", ".join(f"{skipped[e]:.0%} at epsilon {e:g}" for e in EPSILONS)
    return "\n".join([*lines, "", f"Covered, of all frames: {shares}. Canary alarms on the other frames: {alarms}."])


def _file(clip: Path, trials: int, target: Path) -> tuple[Path, dict[int, str]]:
    """The file with the trials, and what was inserted at which index."""
    pictures = [frame.pixels for frame in probe(clip).frames() if isinstance(frame, Frame)]
    height, width = pictures[0].shape[:2]
    inserted: dict[int, str] = {}
    rng, stills = np.random.default_rng(0), cycle(pictures)
    order = rng.permutation(np.repeat(np.arange(len(KINDS)), trials))
    with Encoder(target, size=(width, height), rate=Fraction(25)) as encoder:
        count = 0
        for number in order:
            for _ in range(APART):
                encoder.write(next(stills))
                count += 1
            encoder.write(_specimen(KINDS[number], next(stills), pictures, rng))
            inserted[count] = KINDS[number]
            count += 1
    return target, inserted


def _specimen(kind: str, still: Picture, others: Sequence[Picture], rng: np.random.Generator) -> Picture:
    other = others[int(rng.integers(len(others)))][::-1, ::-1]  # upside down: another picture of the same look
    if kind == "foreign":
        return np.ascontiguousarray(255 - other)
    word, amount = kind.split()[:2]
    if word == "patch":
        return _stamped(still, int(amount), rng)
    share = float(amount)
    over = _stamped(other, 320, rng)
    return (still * (1 - share) + over * share).round().astype(np.uint8)


def _stamped(still: Picture, size: int, rng: np.random.Generator) -> Picture:
    """The picture with the glyph somewhere in it."""
    glyph = canary_glyph(size).astype(np.float64)
    y, x = (int(rng.integers(0, edge - size)) for edge in still.shape[:2])
    stamped = still.astype(np.float64)
    alpha = glyph[..., 3:] / 255
    stamped[y : y + size, x : x + size] *= 1 - alpha
    stamped[y : y + size, x : x + size] += glyph[..., :3] * alpha
    return stamped.round().astype(np.uint8)


def _found(file: Path) -> tuple[set[int], list[float]]:
    """The frames in which the canary's detector finds the glyph, and when each frame is shown."""
    seen = examine_video(probe(file), "00" * 32, Stage.FRAME, [CanaryClassifier()], ["canary"])
    (track,) = _tracks(seen.examination.scores)
    return set(np.flatnonzero(track.values >= THRESHOLD).tolist()), track.pts.tolist()


def _tracks(scores: Sequence[object]) -> Iterator[Track]:
    return (score for score in scores if isinstance(score, Track))
