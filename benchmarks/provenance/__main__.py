"""`python -m benchmarks.provenance [MB ...]`: what signing and verifying cost beside a copy that is hashed.

Five rounds, each way in a process of its own in each round. CPU and wall seconds: the fastest; "x copy": the median of
the rounds' ratios; RSS: the highest peak beyond what a process holds that has signed one small file. Results, with the
machine: `results.md` beside this file.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.provenance.subjects import manifest, video
from provenance import DevelopmentKeys, Digests, Trust, digests_of, publish, read

REPEATS = 5
WAYS = (
    *("copy + sha256", "Builder.sign", "publish", "publish, source judged", "publish, judged by sha256 alone"),
    *("library verify", "read"),
)


def copied(source: Path, target: Path) -> None:
    """One pass: read, hash, write."""
    digest, buffer = hashlib.sha256(), memoryview(bytearray(2**20))
    with source.open("rb", buffering=0) as file, target.open("wb", buffering=0) as out:
        while size := file.readinto(buffer):
            digest.update(buffer[:size])
            out.write(buffer[:size])


def library_signed(source: Path, target: Path, keys: DevelopmentKeys) -> None:
    """The library's own way, without reading back."""
    import c2pa

    identity = keys.identity
    with (
        c2pa.Context.from_dict(Trust.of(identity).settings()) as context,
        c2pa.Signer.from_info(c2pa.C2paSignerInfo(identity.alg, identity.chain_pem, identity.key_pem, None)) as signer,
        c2pa.Builder(json.dumps(dict(manifest().definition)), context=context) as builder,
        source.open("rb") as file,
        target.open("w+b") as out,
    ):
        builder.sign(signer, "video/mp4", file, out)


def library_verified(path: Path, trust: Trust) -> None:
    """The library's reader on a file, whichever hash it has."""
    import c2pa

    with path.open("rb") as file, c2pa.Context.from_dict(trust.settings()) as context:
        c2pa.Reader("video/mp4", file, context=context).json()


def measured(way: str, source: Path, folder: Path) -> dict[str, float]:
    """One way on one file, in this process."""
    keys = DevelopmentKeys.load_or_create(folder / "keys")
    trust, target = Trust.of(keys.identity), folder / "out.mp4"
    publish(video(folder / "warm.mp4", 0), folder / "warm-signed.mp4", manifest(), keys.identity)
    if way == "library verify":
        library_signed(source, target, keys)
    elif way == "read":
        publish(source, target, manifest(), keys.identity)
    judged = digests_of(source)
    ways: dict[str, Callable[[], object]] = {
        "copy + sha256": lambda: copied(source, target),
        "Builder.sign": lambda: library_signed(source, target, keys),
        "publish": lambda: publish(source, target, manifest(), keys.identity),
        "publish, source judged": lambda: publish(source, target, manifest(), keys.identity, judged=judged),
        "publish, judged by sha256 alone": lambda: publish(
            source, target, manifest(), keys.identity, judged=Digests(judged.sha256)
        ),
        "library verify": lambda: library_verified(target, trust),
        "read": lambda: read(target, trust),
    }
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, cpu, wall = peak(), time.process_time(), time.perf_counter()
    ways[way]()
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "rss": peak() - before}


def peak() -> float:
    """The peak of resident memory since it was last cleared, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM"))


def main(sizes: list[int]) -> None:
    """Prints the table in Markdown."""
    print("| MB | way | CPU s | x copy | wall s | RSS + MB |\n|---|---|---|---|---|---|")
    for megabytes in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            source = video(Path(scratch) / "source.mp4", megabytes)
            command = [sys.executable, "-m", "benchmarks.provenance", "--one"]
            runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
            for _ in range(REPEATS):  # interleaved: a busy minute falls on every way alike
                for way in WAYS:
                    runs[way].append(json.loads(subprocess.check_output([*command, way, str(source), scratch])))
            for way, found in runs.items():
                cpu, wall = (min(run[key] for run in found) for key in ("cpu", "wall"))
                rss = max(run["rss"] for run in found)
                ratio = statistics.median(
                    run["cpu"] / base["cpu"] for run, base in zip(found, runs[WAYS[0]], strict=True)
                )
                print(f"| {megabytes} | {way} | {cpu:.3f} | {ratio:.2f} | {wall:.3f} | {rss:.0f} |")
            sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))))
    else:
        main([int(size) for size in sys.argv[1:]] or [1, 20, 100, 500])
