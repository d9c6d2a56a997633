"""`python -m benchmarks.scan alarms DIR[,DIR...] [MODELS] [POLICY]`: false alarms in an hour of benign footage.

Everything under DIR is held to be benign. Each file is scanned by MODELS (canary,nudenet,ocr, or module:factory), and
every segment that a rule of POLICY opens is one false alarm (of a rule with `scope: file`, the file is). Beside the
rules as they stand, other thresholds and temporal rules are tried on the same tracks, so that a threshold is chosen by
what it costs an hour and not a frame: 1 % of frames would be 864 alarms an hour. Upper bounds are exact (Poisson,
one-sided, 95 %).
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scan.intervals import events_upper
from media import MediaError, UsageError, probe
from safety import Action, FrameClassifier, Policy, Rule, Stage, Temporal, Track, segments
from safety.frame import CanaryClassifier, NudenetClassifier, OcrClassifier, examine_video
from safety.prompt import EmbeddedPromptClassifier

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
TEMPORALS = {
    "one frame": Temporal(),
    "2 of 3": Temporal(k=2, n=3),
    "3 of 5": Temporal(k=3, n=5),
    "3 of 5 in a shot": Temporal(k=3, n=5, scope="shot"),
    "a tenth of the file": Temporal(scope="file", share=0.1),
}
KNOWN: dict[str, Callable[[], FrameClassifier]] = {
    "canary": CanaryClassifier,
    "nudenet": NudenetClassifier,
    "ocr": lambda: OcrClassifier([EmbeddedPromptClassifier()]),
}


@dataclass(frozen=True)
class Footage:
    """The tracks of benign videos, how long they are together, and how many there are."""

    tracks: tuple[Track, ...]
    hours: float
    videos: int


def watched(folders: Iterable[Path], models: Sequence[FrameClassifier]) -> Footage:
    """Scans everything that can be read; frames that failed are no part of the hours."""
    tracks: list[Track] = []
    seconds, videos = 0.0, 0
    for path in _files(folders):
        try:
            seen = examine_video(probe(path), "00" * 32, Stage.FRAME, models, [])
        except MediaError:
            continue
        own = [score for score in seen.examination.scores if isinstance(score, Track)]
        if not own:
            continue
        tracks += own
        videos += 1
        seconds += duration_s(own[0])
    return Footage(tuple(tracks), seconds / 3600, videos)


def duration_s(track: Track) -> float:
    """Seconds of the frames that have a time, the last one's included."""
    known = sorted(track.pts[track.pts == track.pts].tolist())
    steps = sorted(b - a for a, b in itertools.pairwise(known))
    return known[-1] - known[0] + steps[len(steps) // 2] if steps else 0.0


def alarms(track: Track, threshold: float, temporal: Temporal) -> int:
    """How often a rule speaks of one track."""
    found = len(segments(track, threshold, temporal))
    return min(found, 1) if temporal.scope == "file" else found


def by_rule(footage: Footage, rules: Sequence[Rule]) -> list[str]:
    """A row a rule and model: alarms, alarms an hour, the upper bound, the share of videos."""
    rows = ["| rule | model | alarms | an hour | at most (95 %) | videos |", "|---|---|---|---|---|---|"]
    for rule in rules:
        for source, tracks in _by_source(footage.tracks, rule.category):
            if rule.matches(source) and rule.action > Action.ALLOW:
                found = [alarms(track, rule.threshold, rule.temporal) for track in tracks]
                rows.append(f"| {rule.id} | {source} | {_counted(sum(found), footage.hours)} | {_share(found)} |")
    return rows


def by_threshold(footage: Footage) -> list[str]:
    """A row a category, model and temporal rule; a column a threshold: alarms an hour."""
    rows = [
        "| category | model | opens at | " + " | ".join(map(str, THRESHOLDS)) + " |",
        "|" + "---|" * (3 + len(THRESHOLDS)),
    ]
    for category in sorted({track.category for track in footage.tracks}):
        for source, tracks in _by_source(footage.tracks, category):
            for name, temporal in TEMPORALS.items():
                counts = [sum(alarms(track, t, temporal) for track in tracks) for t in THRESHOLDS]
                if any(counts):
                    cells = " | ".join(f"{count / footage.hours:.0f}" for count in counts)
                    rows.append(f"| {category} | {source} | {name} | {cells} |")
    return rows


def _counted(alarms: int, hours: float) -> str:
    return f"{alarms} | {alarms / hours:.1f} | {events_upper(alarms) / hours:.1f}"


def _share(found: Sequence[int]) -> str:
    return f"{sum(count > 0 for count in found)} of {len(found)}"


def _by_source(tracks: Sequence[Track], category: str) -> Iterator[tuple[str, list[Track]]]:
    sources = sorted({track.source for track in tracks if track.category == category})
    for source in sources:
        yield source, [track for track in tracks if (track.category, track.source) == (category, source)]


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(p for p in folder.rglob("*") if p.suffix in (".mp4", ".avi", ".gif", ".webm", ".mkv", ".mpg"))


def _model(name: str) -> FrameClassifier:
    if name in KNOWN:
        return KNOWN[name]()
    module, colon, attribute = name.partition(":")
    if not colon:
        raise UsageError(f"{name!r} is none of {', '.join(KNOWN)}, nor module:factory")
    made: FrameClassifier = getattr(importlib.import_module(module), attribute)()
    return made


def main(arguments: Sequence[str]) -> str:
    """The tables as Markdown."""
    if not arguments:
        raise UsageError("which folder holds benign footage? python -m benchmarks.scan alarms DIR [MODELS] [POLICY]")
    names = arguments[1] if len(arguments) > 1 else "canary,nudenet,ocr"
    policy = Policy.load(arguments[2] if len(arguments) > 2 else "demo")
    footage = watched(map(Path, arguments[0].split(",")), [_model(name) for name in names.split(",")])
    if not footage.tracks:
        raise UsageError(f"{arguments[0]}: no video there can be read")
    head = f"{footage.videos} videos, {footage.hours:.3f} hours; policy {policy.id}@{policy.version}"
    return "\n".join([head, "", *by_rule(footage, policy.rules_for(Stage.FRAME)), "", *by_threshold(footage)])
