"""Who looks at the pixels for `assay.detect`: the Protocols, and the detectors that the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from assay.hints import Hint
from assay.settings import Settings
from classifier import Calibrated, ForensicDetector, MarkSignal, MatchSignal, read_calibration
from media import UsageError, Video

if TYPE_CHECKING:  # what a run does not configure, it does not import
    from classifier import EncoderDetector, TrajectoryScore

SCORES = ("d3", "restrav", "stall")  # those that need an encoder


class WatermarkReader(Protocol):
    """Looks for an embedded mark. None ships yet: `signals.watermark` is null until one does."""

    def read(self, video: Video) -> MarkSignal | None:
        """What was found; None where it could not look. Raises nothing for what a file holds."""
        ...


class FingerprintIndex(Protocol):
    """Looks pictures up among known assets. None ships yet: `signals.fingerprint` is null until one does."""

    def match(self, video: Video) -> MatchSignal | None:
        """The closest asset, or that there is none; None where it could not look. Raises as `read` does: nothing."""
        ...


class Hinter(Protocol):
    """Looks at pixels for a hint that people see and no answer rests on."""

    def hint(self, video: Video) -> Hint:
        """What it saw, or why it saw nothing. Raises nothing for what a file holds."""
        ...


@dataclass(frozen=True)
class Eyes:
    """Who looks at pixels; made once a process, used for every file. Without anybody, the manifest alone answers."""

    forensic: Sequence[ForensicDetector] = ()
    watermark: WatermarkReader | None = None
    fingerprint: FingerprintIndex | None = None
    hinters: Sequence[Hinter] = ()


@cache
def shipped() -> Eyes:
    """The embedded detector under the threshold that it shipped with."""
    return Eyes((_embedded(),))


def configured(settings: Settings) -> Eyes:
    """The detectors that the settings name, each under this deployment's threshold where there is one.

    Raises:
        ModelUnavailable: a model, an extra, or the calibration that an encoder's score needs is missing, or a
            calibration belongs to another detector.
        UsageError: a name that is none.
    """
    hinters: tuple[Hinter, ...] = ()
    if settings.detect.zero_shot:
        from assay.zeroshot import ZeroShotHint

        hinters = (ZeroShotHint.of(settings),)
    return Eyes(tuple(_calibrated(name, settings) for name in settings.detect.detectors), hinters=hinters)


def detector(name: str, settings: Settings) -> ForensicDetector:
    """A detector as it is before this deployment's footage: under the shipped threshold, or without any."""
    if name == "embedded":
        return _embedded()
    if name in SCORES:
        return bare_score(name, settings)
    from assay.assemble import third_party

    made: ForensicDetector = third_party(name)()
    return made


def bare_score(name: str, settings: Settings) -> EncoderDetector:
    """A score on the configured encoder, not calibrated yet."""
    from classifier import D3Score, EncoderDetector, EncoderModel, RestravScore, StallScore, encoder_of

    named = settings.detect.encoder
    if named is None:
        raise UsageError(f"detect.detectors: {name!r} needs detect.encoder; no picture encoder ships with Assay")
    scores: dict[str, type[TrajectoryScore]] = {"d3": D3Score, "restrav": RestravScore, "stall": StallScore}
    return EncoderDetector(encoder_of(EncoderModel(**named.model_dump())), scores[name]())


def calibration_path(name: str, settings: Settings) -> Path:
    """Where `assay calibrate` keeps the threshold of a detector."""
    return settings.calibrations / f"{name.replace(':', '-')}.json"


def _calibrated(name: str, settings: Settings) -> ForensicDetector:
    path = calibration_path(name, settings)
    own = settings.detect.calibration == "auto" and path.exists()
    if name in SCORES:
        if not own:
            raise UsageError(
                f"detect.detectors: {name!r} gives no answer before it is calibrated; run `assay calibrate DIR "
                f"--detector {name}` on real footage"
            )
        bare = bare_score(name, settings)
        return bare.under(read_calibration(path, bare.version))
    made = detector(name, settings)
    return Calibrated(made, read_calibration(path, made.version)) if own else made


@cache
def _embedded() -> ForensicDetector:
    from classifier import EmbeddedForensic

    return EmbeddedForensic()
