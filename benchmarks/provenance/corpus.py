"""Third-party files, read one by one and held against what their source says of them.

    python -m benchmarks.provenance.corpus DIR

DIR holds the files, an index.csv (file, expected, expected_basis) and trust/*.pem. Exits with 1 where a file whose
state its own source documents is read otherwise; files that the index only observed are listed, not judged.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from provenance import State, Trust, read, read_fragment

# The words of the index -> the states that agree with them. Trust is ours to give, so "valid" may be either.
AGREES = {
    "valid": {State.TRUSTED, State.VALID},
    "untrusted": {State.VALID},
    "invalid": {State.INVALID},
    "see_note": {State.INVALID},  # the defect is in an ingredient, which the library itself does not count
    "no_manifest": {State.ABSENT},
    "remote": {State.REMOTE},
    "error": {State.UNREADABLE, State.INVALID},
    "fragment": {State.UNREADABLE},  # alone; beside its first file it is read below
    "valid_with_fragment_only": {State.INVALID, State.UNREADABLE},
}
UNDOCUMENTED = "none documented"


def main(folder: Path) -> int:
    """Prints a line a file and a summary; the number of documented states that were read otherwise."""
    trust = Trust.from_files(
        [folder / "trust" / "c2pa-rs_test_cert_root_bundle.pem", folder / "trust" / "C2PA-TRUST-LIST.pem"]
    )
    wrong = documented = 0
    slowest = 0.0
    for row in csv.DictReader((folder / "index.csv").open(encoding="utf-8")):
        began = time.perf_counter()
        found = read(folder / row["file"], trust)
        slowest = max(slowest, time.perf_counter() - began)
        agrees = found.state in AGREES.get(row["expected"], set())
        judged = not row["expected_basis"].startswith(UNDOCUMENTED)
        documented += judged
        wrong += judged and not agrees
        mark = "" if agrees else "  <- differs" if judged else "  <- differs from an observation"
        print(f"{row['file']:64} {row['expected']:26} {found.state.value:10} {', '.join(found.codes)[:60]}{mark}")
    for line in _pair(folder):
        print(line)
    print(f"{documented} documented states, {wrong} read otherwise; slowest {slowest:.2f} s")
    return wrong


def _pair(folder: Path) -> Iterator[str]:
    """A DASH pair by another vendor: as it is, and with one bit of its segment changed."""
    init, segment = folder / "c2pa-js__dashinit.mp4", folder / "c2pa-js__dash1.m4s"
    if init.exists() and segment.exists():
        yield f"{'DASH pair':64} {'valid':26} {read_fragment(init, segment, Trust()).state.value}"
        content = bytearray(segment.read_bytes())
        content[-1] ^= 1  # of the media
        with tempfile.TemporaryDirectory() as folder_:
            changed = Path(folder_) / segment.name
            changed.write_bytes(content)
            found = read_fragment(init, changed, Trust())
        yield f"{'DASH pair, one bit changed':64} {'invalid':26} {found.state.value:10} {', '.join(found.codes)[:60]}"


if __name__ == "__main__":
    sys.exit(min(main(Path(sys.argv[1])), 1))
