"""`python -m benchmarks.replay [--rows N] [--loud SHARE] [--ledger FILE]`: results.md is what it prints.

Wall and CPU seconds of one process. The ledger is made first, where the file does not exist, and kept.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from assay.ledger import Ledger
from assay.replaying.again import Replay
from assay.replaying.records import Records, run_row
from assay.replaying.scoring import Objections
from benchmarks.replay.stored import make
from safety import Policy

_SAMPLE, _ROUNDS = 1000, 3
_NEW = """extends: default
id: benchmark
version: "1"
description: every threshold of a frame rule a tenth lower
rules:
"""


def main() -> None:
    """Makes the run where there is none, and times what is done with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--loud", type=float, default=0.05)
    parser.add_argument("--ledger", type=Path, default=Path(tempfile.gettempdir()) / "assay-replay" / "ledger.sqlite")
    asked = parser.parse_args()
    policy = Policy.load("default")
    fresh = not asked.ledger.exists()
    ledger = Ledger(f"sqlite:///{asked.ledger}")
    if fresh:
        took = timed(lambda: make(ledger, asked.rows, policy, asked.loud))
        print(f"made {asked.rows} rows in {took[0]:.0f} s", file=sys.stderr)
    run = run_row(ledger, "latest").id
    new = asked.ledger.parent / "new.yaml"
    new.write_text(_NEW + "".join(lowered(policy)))
    size = asked.ledger.stat().st_size / 1e9
    print(f"{asked.rows} rows of 10 tracks x 240 frames, {size:.1f} GB, {asked.loud:.0%} of them with a loud track\n")
    print("| what | wall s | CPU s | rows | notes |\n|---|---|---|---|---|")
    for words, chosen in (("new policy", Policy.load(str(new))), ("policy of that day", policy)):
        replay = Replay(Records(ledger), chosen, Objections(chosen, None))
        same: list[bool | None] = []
        wall, cpu = timed(lambda: same.extend(one.same for one in replay.over(run)))  # noqa: B023 (called at once)
        moved = sum(n for (a, b), n in replay.counts.items() if a != b)
        notes = f"{moved} change; {replay.unfolded} tracks unpacked"
        notes += f"; {sum(one is True for one in same)} decisions reproduced" if chosen is policy else ""
        print(f"| {words}, maxima first | {wall:.1f} | {cpu:.1f} | {len(same)} | {notes} |", flush=True)
    told = [sys.executable, "-m", "assay", "policy", "replay", run, "--policy", str(new), "--as-scored"]
    environment = {"ASSAY_HOME": str(asked.ledger.parent), "PATH": "/usr/bin:/bin"}
    wall, _ = timed(lambda: subprocess.run(told, env=environment, check=True, stdout=subprocess.DEVNULL))
    print(
        f"| the command, start to end | {wall:.1f} | | {asked.rows} | `assay policy replay --as-scored` |", flush=True
    )
    against_everything(ledger, run, Policy.load(str(new)))


def against_everything(ledger: Ledger, run: str, policy: Policy) -> None:
    """The first rows by maxima first and with every score unpacked, in turns; the least of each."""
    least = {False: float("inf"), True: float("inf")}
    for _ in range(_ROUNDS):
        for whole in (False, True):
            replay = Replay(Records(ledger), policy, Objections(policy, None), whole=whole)
            rows = islice(replay.over(run), _SAMPLE)
            least[whole] = min(least[whole], timed(lambda: list(rows))[1])  # noqa: B023 (called at once)
    ratio = least[True] / least[False]
    print(f"| first {_SAMPLE}, maxima first | | {least[False]:.2f} | {_SAMPLE} | |")
    print(f"| first {_SAMPLE}, everything unpacked | | {least[True]:.2f} | {_SAMPLE} | {ratio:.0f} x the CPU |")


def lowered(policy: Policy) -> list[str]:
    """Lines of a document with every frame rule a tenth lower."""
    rules = [rule for rule in policy.rules if rule.stage.value == "frame" and rule.threshold > 0.1]
    return [f"  - {{id: {rule.id}, threshold: {rule.threshold - 0.1:.2f}}}\n" for rule in rules]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main()
