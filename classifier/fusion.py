"""One answer from independent signals. Plain values in, plain values out: who filled them is not our concern here.

The answer is never "real": absence of evidence is no evidence. A signal that could not look is None, and counts as one
that found nothing. Hints (encoder tags, strings, missing camera fields) are no argument of `fuse`, so that none of them
can move an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from classifier.signal import ForensicSignal


class Answer(StrEnum):
    """What can be said of a file."""

    SYNTHETIC = "synthetic"  # proved: a trusted signer says so and the signature holds, or a mark that is authenticated
    LIKELY_SYNTHETIC = "likely-synthetic"  # a score above a threshold that was set at a stated false-positive rate
    CONTRADICTORY = "contradictory"  # evidence that was tampered with, or that speaks against itself
    INCONCLUSIVE = "inconclusive"  # something speaks, but nobody vouches for it, or it lies between the lines
    NO_EVIDENCE = "no-evidence"


@dataclass(frozen=True)
class ManifestSignal:
    """What Content Credentials say, in provenance's words.

    state               trusted, valid, invalid, absent, unreadable or remote; besides these `expired`: whole, and
                        signed when a certificate of its tree had run out, so that nobody vouches
    declares_synthetic  somewhere in the tree of ingredients, a manifest names a synthetic source type
    vouched             one of those that name it is itself trusted, not only the newest one above it
    claims_capture      somewhere a manifest says that a camera made the pictures
    contradicts_itself  the newest manifest claims a camera, and one of its ancestors a generator
    """

    state: str
    declares_synthetic: bool
    vouched: bool = True
    claims_capture: bool = False
    contradicts_itself: bool = False

    @property
    def proves(self) -> bool:
        """Whether a signer whom we trust declares the file synthetic."""
        return self.state == "trusted" and self.declares_synthetic and self.vouched

    @property
    def broken(self) -> bool:
        """Whether it was tampered with, or tells two stories."""
        return self.state == "invalid" or (self.whole and self.contradicts_itself)

    @property
    def whole(self) -> bool:
        """Whether what it says was not changed after signing, whoever signed."""
        return self.state in ("trusted", "valid", "expired")

    @property
    def says_camera(self) -> bool:
        """Whether it claims a camera and no generator, so that pixels can speak against it."""
        return self.whole and self.claims_capture and not self.declares_synthetic

    @property
    def unvouched(self) -> bool:
        """Whether there is a manifest, or may be one, that nobody vouches for."""
        stranger = self.state == "trusted" and self.declares_synthetic and not self.vouched
        return stranger or self.state in ("valid", "expired", "unreadable", "remote")


@dataclass(frozen=True)
class MarkSignal:
    """A watermark was looked for in the pixels.

    found          a payload was read, at a false-positive rate of `fpr`
    authenticated  its payload is bound to a key of ours, so that a stranger cannot have written it
    family         the generator that it names, or None
    """

    found: bool
    authenticated: bool = False
    fpr: float | None = None
    family: str | None = None
    source: str = ""  # name@version of the reader

    @property
    def proves(self) -> bool:
        """Whether the mark is one that only we can have written."""
        return self.found and self.authenticated


@dataclass(frozen=True)
class MatchSignal:
    """The pictures were looked up among known assets by their fingerprint. Alike is not the same: it proves nothing.

    found               an asset is as close as strangers are at a rate of `fpr`
    declared_synthetic  that asset was signed as synthetic
    """

    found: bool
    declared_synthetic: bool = False
    fpr: float | None = None
    asset: str | None = None
    source: str = ""  # name@version of the index

    @property
    def speaks(self) -> bool:
        """Whether it resembles an asset that was declared synthetic, at a rate that is known."""
        return self.found and self.declared_synthetic and self.fpr is not None


@dataclass(frozen=True)
class Signals:
    """What independent witnesses found; None where nobody could look. Several detectors may judge the pixels."""

    manifest: ManifestSignal | None = None
    watermark: MarkSignal | None = None
    fingerprint: MatchSignal | None = None
    forensic: Sequence[ForensicSignal] = ()


@dataclass(frozen=True)
class Fused:
    """The fused answer and the names of the signals that it rests on.

    synthetic  1.0 where it is proved, the leading detector's value where pixels were judged, else None
    fpr        the false-positive rate at which the thresholds that were held against the pixels were set; of several
               detectors the sum of theirs, since each may be wrong about other files. None for proofs
    """

    answer: Answer
    synthetic: float | None
    fpr: float | None
    because: tuple[str, ...] = ()


def fuse(signals: Signals) -> Fused:
    """The answer that the signals support. Contradiction comes before proof, proof before likelihood."""
    manifest, mark = signals.manifest or ManifestSignal("absent", False), signals.watermark or MarkSignal(False)
    lead, speaking, rate = leading(signals.forensic), _speaking(signals), _rate(signals)
    value = lead.value if lead is not None else None
    marked = ("watermark",) if mark.found else ()
    if manifest.broken:
        return Fused(Answer.CONTRADICTORY, value, rate, ("manifest",))
    if manifest.says_camera and (marked or speaking):
        return Fused(Answer.CONTRADICTORY, value, rate, ("manifest", *marked, *speaking))
    if proofs := tuple(name for name, one in (("manifest", manifest), ("watermark", mark)) if one.proves):
        return Fused(Answer.SYNTHETIC, 1.0, None, proofs)
    if speaking:
        return Fused(Answer.LIKELY_SYNTHETIC, value, rate, speaking)
    between = any(one.value is not None and one.likely is None for one in signals.forensic)
    doubts = (*(("manifest",) if manifest.unvouched else ()), *marked, *(("forensic",) if between else ()))
    return Fused(Answer.INCONCLUSIVE if doubts else Answer.NO_EVIDENCE, value, rate, doubts)


def leading(forensic: Sequence[ForensicSignal]) -> ForensicSignal | None:
    """The detector that speaks loudest: likely before unlikely before undecided before silent, the first of equals."""
    ranks = {True: 3, False: 2, None: 1}
    return max(forensic, key=lambda one: 0 if one.value is None else ranks[one.likely], default=None)


def _speaking(signals: Signals) -> tuple[str, ...]:
    """Who finds the file likely synthetic."""
    match = signals.fingerprint
    pixels = any(one.likely for one in signals.forensic)
    return (*(("forensic",) if pixels else ()), *(("fingerprint",) if match is not None and match.speaks else ()))


def _rate(signals: Signals) -> float | None:
    """How often a real clip would be called likely by any of those who looked; None where nobody did."""
    rates = [one.fpr for one in signals.forensic if one.value is not None]
    match = signals.fingerprint
    if match is not None and match.speaks and match.fpr is not None:
        rates.append(match.fpr)
    return min(1.0, sum(rates)) if rates else None
