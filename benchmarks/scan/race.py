"""Every frame through our engine, beside the loops that people write, in one interleaved run."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from media import Frame, probe
from safety import FrameClassifier, FrameScore, Stage, Track
from safety.frame import NudenetClassifier, examine_video
from safety.frame.nudenet import COUNTED

SHA = "00" * 32


class Mean:
    """The cheapest honest model: how bright the small picture is. It shows what the engine itself costs."""

    name, version, licence, look = "mean", "1", "Apache-2.0", "small"
    weights_sha256, runtime, cost_ms = None, None, 0.05
    categories: tuple[str, ...] = ("canary",)

    def score(self, frames: Sequence[Frame]) -> Sequence[Mapping[str, FrameScore]]:
        """One value a frame."""
        return [{"canary": (float(frame.small[::4, ::4].mean()) / 255, None)} for frame in frames]


def loop_a(path: Path, detector: Any) -> list[float]:
    """(a) cv2.VideoCapture and the detector's own `detect` for each frame."""
    import cv2

    capture, values = cv2.VideoCapture(str(path)), []
    while True:
        there, picture = capture.read()
        if not there:
            return values
        values.append(_sure(detector.detect(picture)))


def loop_c(path: Path, detector: Any) -> list[float]:
    """(c) what `ffmpeg -vf fps=1` hands over: every frame decoded, one a second converted and looked at."""
    import av

    values, due = [], 0.0
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= due:
                values.append(_sure(detector.detect(frame.to_ndarray(format="bgr24"))))
                due += 1.0
    return values


def _sure(found: Sequence[Mapping[str, Any]]) -> float:
    return max((float(one["score"]) for one in found if one["class"] in COUNTED), default=0.0)


def ours(path: Path, classifier: FrameClassifier) -> list[float]:
    """Every frame through the engine."""
    seen = examine_video(probe(path), SHA, Stage.FRAME, [classifier], classifier.categories)
    counts = seen.counts
    assert counts.scored + counts.covered == counts.total, counts
    (track,) = [s for s in seen.examination.scores if isinstance(s, Track) and s.category == classifier.categories[0]]
    return [float(value) for value in track.values]


def ceiling(path: Path) -> list[float]:
    """Decoding and one reduction to 224 pixels, in one thread, and nothing else: what no scanner can beat."""
    import av
    from av.video.reformatter import Interpolation, VideoReformatter

    reformatter, count = VideoReformatter(), 0
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for frame in container.decode(video=0):
            reformatter.reformat(frame, 224, 224, "rgb24", interpolation=Interpolation.AREA, threads=1).to_ndarray()
            count += 1
    return [0.0] * count


def race(path: Path, rounds: int, cheap: FrameClassifier | None) -> str:
    """Markdown: medians of wall and CPU over the rounds, ratios to (a), and how far scores are apart."""
    from nudenet import NudeDetector

    detector, nudenet = NudeDetector(), NudenetClassifier()
    small = cheap or Mean()
    ways: dict[str, Callable[[], list[float]]] = {
        "(a) cv2.VideoCapture + NudeNet, each frame": lambda: loop_a(path, detector),
        "(c) fps=1 + NudeNet": lambda: loop_c(path, detector),
        "ours, NudeNet, each frame": lambda: ours(path, nudenet),
        f"ours, {small.name} alone, each frame": lambda: ours(path, small),
        "decode + resize to 224, nothing else": lambda: ceiling(path),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    values: dict[str, list[float]] = {}
    loads = []
    for _ in range(rounds):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            values[name] = way()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
        loads.append(os.getloadavg()[0])
    return _table(path, times, values, nudenet.runtime or "", loads)


def agree(videos: Sequence[Path]) -> str:
    """Markdown: what NudeNet reports of every frame end to end, its own loop beside ours, video by video."""
    from nudenet import NudeDetector

    detector, nudenet = NudeDetector(), NudenetClassifier()
    lines = ["| video | frames | either reports | differ at most, both report | one reports, the other not |"]
    lines.append("|---|---|---|---|---|")
    for path in videos:
        theirs, mine = np.array(loop_a(path, detector)), np.array(ours(path, nudenet))
        if len(theirs) != len(mine):
            lines.append(f"| {path.name} | {len(theirs)} and {len(mine)}: not compared | | | |")
            continue
        both, one = (theirs > 0) & (mine > 0), (theirs > 0) ^ (mine > 0)
        apart = f"{np.abs(theirs - mine)[both].max():.4f}" if both.any() else ""
        alone = f"{one.sum()} ({np.maximum(theirs, mine)[one].max():.3f} at most)" if one.any() else "0"
        lines.append(f"| {path.name} | {len(mine)} | {(both | one).sum()} | {apart} | {alone} |")
    return "\n".join(lines)


def _table(
    path: Path, times: Mapping[str, list[tuple[float, float]]], values: Mapping[str, list[float]], runtime: str,
    loads: Sequence[float],
) -> str:  # fmt: skip
    first, _, engine, cheap, bare = times
    video = probe(path)
    medians = {
        name: tuple(statistics.median(column) for column in zip(*some, strict=True)) for name, some in times.items()
    }
    lines = [
        f"{video.width}x{video.height}, {len(values[first])} frames, {len(times[first])} interleaved rounds, load "
        f"{min(loads):.1f}-{max(loads):.1f} on {os.cpu_count()} cores. Ours ran on {runtime}.",
        "",
        "| way | frames looked at | wall s | CPU s | wall, (a) / this | CPU, (a) / this |",
        "|---|---|---|---|---|---|",
    ]
    for name, (wall, cpu) in medians.items():
        a_wall, a_cpu = medians[first]
        looked = "none" if name == bare else str(len(values[name]))
        lines.append(f"| {name} | {looked} | {wall:.2f} | {cpu:.2f} | {a_wall / wall:.2f} | {a_cpu / cpu:.2f} |")
    drift = np.abs(np.array(values[first]) - np.array(values[engine]))
    share = [b / c for b, c in zip(medians[bare], medians[cheap], strict=True)]
    lines += [
        "",
        f"Scores of ours and of (a) differ by {drift.max():.4f} at most, over {drift.size} frames; (a) found "
        f"{int((np.array(values[first]) > 0).sum())} frames above its own floor.",
        f"{cheap}: {share[0]:.0%} of the ceiling in wall time, {share[1]:.0%} in CPU time.",
    ]
    return "\n".join(lines)


def trunk(path: Path, rounds: int) -> str:
    """Markdown: the embedded trunk alone, beside the ceiling and beside the cheapest model, in turns; medians."""
    import cv2

    from safety.frame import TrunkClassifier

    ways: dict[str, Callable[[], list[float]]] = {
        "decode + resize to 224, nothing else": lambda: ceiling(path),
        "ours, mean alone": lambda: ours(path, Mean()),
        "ours, trunk alone": lambda: ours(path, model),
    }
    model = TrunkClassifier()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            count = len(way())
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    video = probe(path)
    bare = times[next(iter(ways))]
    lines = [
        f"{video.width}x{video.height}, {count} frames, {rounds} interleaved rounds, load {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} cores. Trunk on {model.runtime}; OpenCV {cv2.__version__}.",
        "",
        "| way | wall s | CPU s | CPU ms a frame | share of the ceiling, wall (range) | share, CPU (range) |",
        "|---|---|---|---|---|---|",
    ]
    for name, some in times.items():
        wall, cpu = (statistics.median(column) for column in zip(*some, strict=True))
        cells = []
        for column in (0, 1):
            shares = sorted(b[column] / o[column] for b, o in zip(bare, some, strict=True))
            cells.append(f"{statistics.median(shares):.0%} ({shares[0]:.0%} to {shares[-1]:.0%})")
        lines.append(f"| {name} | {wall:.2f} | {cpu:.2f} | {1000 * cpu / count:.2f} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)
