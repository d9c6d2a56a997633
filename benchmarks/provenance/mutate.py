"""`python -m benchmarks.provenance.mutate 20000`: damaged copies of signed files, read one after another.

Counts the states they read as, the slowest read, and every copy that still reads trusted or valid with the region that
was changed: C2PA leaves the `ftyp` body, the headers of JUMBF boxes and the padding of the signature unprotected.
"""

from __future__ import annotations

import collections
import random
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.provenance.__main__ import peak
from benchmarks.provenance.subjects import manifest, samples
from provenance import DevelopmentKeys, State, Trust, publish, read

_LONG_HEADS = b"\x5a\x7a\x9a\xba"  # CBOR: bytes, text, array and map with a length of 32 bits


def main(count: int) -> None:
    """Prints a table of states, the slowest read in seconds, and where unnoticed changes lie."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        keys = DevelopmentKeys.load_or_create(folder / "keys")
        trust, wholes = Trust.of(keys.identity), {}
        for path in samples(folder):
            publish(path, folder / f"signed-{path.name}", manifest(), keys.identity)
            wholes[path.name] = (folder / f"signed-{path.name}").read_bytes()
        chance, states, unnoticed, slowest = random.Random(5), collections.Counter(), collections.Counter(), 0.0
        busiest = largest = 0.0
        for _ in range(count):
            name = chance.choice(list(wholes))
            content = damaged(wholes[name], chance)
            target = folder / f"damaged-{name}"
            target.write_bytes(content)
            Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
            before, begin, cpu = peak(), time.perf_counter(), time.process_time()
            found = read(target, trust)
            slowest = max(slowest, time.perf_counter() - begin)
            busiest = max(busiest, time.process_time() - cpu)
            largest = max(largest, peak() - before)
            states[str(found.state)] += 1
            if found.state in (State.TRUSTED, State.VALID):
                unnoticed[f"{name}: {region(wholes[name], content)}"] += 1
    print(f"{count} damaged files: {dict(states)}")
    print(f"the worst read took {slowest:.2f} s, {busiest:.2f} s CPU, {largest:.0f} MB")
    for place, times in sorted(unnoticed.items()):
        print(f"  not noticed {times:5d} times in {place}")


def damaged(content: bytes, chance: random.Random) -> bytes:
    """A copy that differs, by one to three changes: a bit, a patch, a CBOR length, a cut, an insertion, a lost end."""
    spoiled = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(spoiled))
        kind = chance.random()
        if kind < 0.5:
            spoiled[at] ^= 1 << chance.randrange(8)
        elif kind < 0.6:
            spoiled[at : at + 5] = bytes([chance.choice(_LONG_HEADS)]) + chance.randbytes(4)
        elif kind < 0.7:
            spoiled[at : at + chance.randrange(40)] = chance.randbytes(chance.randrange(40))
        elif kind < 0.8:
            del spoiled[at : at + chance.randrange(200)]
        elif kind < 0.9:
            del spoiled[max(1, at) :]
        else:
            spoiled[at:at] = chance.randbytes(4)
        if not spoiled:
            spoiled = bytearray(b"\0")
    return bytes(spoiled) if spoiled != content else damaged(content, chance)


def region(whole: bytes, changed: bytes) -> str:
    """Where the first and the last difference lie: in `ftyp`, in the manifest's container, or in COVERED bytes."""
    begin = whole.find(b"jumb") - 4
    end = begin + int.from_bytes(whole[begin : begin + 4])
    first = next((at for at, (a, b) in enumerate(zip(whole, changed, strict=False)) if a != b), len(changed))
    tail = next((at for at, (a, b) in enumerate(zip(whole[::-1], changed[::-1], strict=False)) if a != b), 0)
    last = len(whole) - 1 - tail
    if begin - 40 <= first and last < end + 8:  # 40: the longest head of a container around the store
        return "the manifest's container"
    if whole[4:8] == b"ftyp" and last < begin - 40 and last < int.from_bytes(whole[:4]):
        return "ftyp"
    if whole[4:8] == b"ftyp" and first < int.from_bytes(whole[:4]) and last < end + 8:
        return "ftyp and the manifest's container"
    return f"COVERED bytes, {first} to {last} of {len(whole)}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
