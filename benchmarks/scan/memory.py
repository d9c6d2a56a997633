"""Resident memory while a long film is scanned, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import json, resource, sys, time
from pathlib import Path
from media import probe
from safety import Stage
from safety.frame import CanaryClassifier, NudenetClassifier, OcrClassifier, examine_video

def resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20

def made(name):
    if name == "ocr":
        from safety.prompt import EmbeddedPromptClassifier
        return OcrClassifier([EmbeddedPromptClassifier()])
    if name == "mean":
        from benchmarks.scan.race import Mean
        return Mean()
    return {"canary": CanaryClassifier, "nudenet": NudenetClassifier}[name]()

path, models, limit = Path(sys.argv[1]), [made(name) for name in sys.argv[2].split(",")], float(sys.argv[3])
wanted = tuple({category for model in models for category in model.categories})
track, started, ends = [], time.monotonic(), time.monotonic() + limit

def note(done):
    if not track or done - track[-1][0] >= 250:
        track.append((done, resident()))

cancel = (lambda: time.monotonic() > ends) if limit else None
seen = examine_video(probe(path), "00" * 32, Stage.FRAME, models, wanted, progress=note, cancel=cancel)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
cpu = time.process_time()
print(json.dumps({"track": track, "peak": peak, "counts": vars(seen.counts), "stopped": seen.stopped,
                  "wall": time.monotonic() - started, "cpu": cpu}))
"""


def memory(film: Path, models: list[str], limit_s: float = 0.0) -> str:
    """Markdown: resident memory by frames done, and its peak."""
    command = [sys.executable, "-c", _SCRIPT, str(film), ",".join(models), str(limit_s)]
    said = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    track = said["track"]
    tenths = [track[round(share * (len(track) - 1))] for share in (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)]
    steps = ", ".join(f"{int(done)}: {mb:.0f}" for done, mb in tenths)
    done = track[-1][0]
    return (
        f"{', '.join(models)}: {done} frames of {said['counts']['total']} in {said['wall']:.0f} s wall, "
        f"{said['cpu']:.0f} s CPU; MB resident after frames {steps}; peak {said['peak']:.0f} MB; "
        f"{said['counts']}; ended: {said['stopped'] or 'at the end of the film'}"
    )
