"""One answer from independent signals. Plain values in, plain values out: who filled them is not our concern here.

The answer is never "real": absence of evidence is no evidence. A signal that could not look is None, and adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """What can be said of a file."""

    SYNTHETIC = "synthetic"  # proved: a trusted signer says so, and the signature holds
    LIKELY_SYNTHETIC = "likely-synthetic"  # a score above a threshold that was set at a stated false-positive rate
    CONTRADICTORY = "contradictory"  # evidence that was tampered with, or that speaks against itself
    INCONCLUSIVE = "inconclusive"  # something speaks, but nobody vouches for it
    NO_EVIDENCE = "no-evidence"


@dataclass(frozen=True)
class ManifestSignal:
    """What Content Credentials say: their state in provenance's words, and whether they declare synthetic media."""

    state: str  # trusted, valid, invalid, absent, unreadable, remote
    declares_synthetic: bool


@dataclass(frozen=True)
class Fused:
    """The fused answer. `synthetic` is 1.0 where it is proved, else None until a calibrated score exists.

    `fpr` is the false-positive rate at which a score's threshold was set; a proof has none.
    """

    answer: Answer
    synthetic: float | None
    fpr: float | None


def fuse(manifest: ManifestSignal | None) -> Fused:
    """The answer that the signals support. There is no forensic model yet, so nothing is ever merely likely."""
    if manifest is None or manifest.state == "absent":
        return Fused(Answer.NO_EVIDENCE, None, None)
    if manifest.state == "invalid":
        return Fused(Answer.CONTRADICTORY, None, None)
    if manifest.state == "trusted":
        if manifest.declares_synthetic:
            return Fused(Answer.SYNTHETIC, 1.0, None)
        return Fused(Answer.NO_EVIDENCE, None, None)
    return Fused(Answer.INCONCLUSIVE, None, None)
