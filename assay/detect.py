"""Is this file ours, is it declared synthetic, does it look synthetic? Independent witnesses, and one fused answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assay.declared import declared, maker, manifest_row
from assay.eyes import Eyes, shipped
from assay.hints import Hint, hints
from classifier import Answer, ForensicSignal, Fused, MarkSignal, MatchSignal, Signals, fuse, leading
from media import AssayError, Video, probe
from provenance import Credentials, State, Trust, read


def detect(path: Path, trust: Trust, eyes: Eyes | None = None) -> dict[str, Any]:
    """One line of `assay detect --json`; the signature is final. Raises nothing for what a path leads to.

    trust  whose manifests count (`assay.assemble.trust(settings)`)
    eyes   who looks at the pixels: `assay.eyes.configured(settings)`, which knows this deployment's threshold, once a
           process; None: the embedded detector as it shipped; `Eyes()`: nobody, the manifest alone answers

    The row: `path`, `answer` (null with an `error` where nothing could be read), `synthetic` in [0, 1] or null, `fpr`
    (of real clips, the share that the thresholds behind this answer flag), `because` (the signals it rests on),
    `generator` ({"name", "by"}: only where a manifest or a mark proves it), `segments` ({"start_s", "end_s", "value"}
    of stretches at or above the threshold), `hints` (no part of the answer), `signals` (each null where nobody looked),
    `error`.
    """
    credentials = read(path, trust)
    try:
        video = probe(path)
    except AssayError as error:
        if credentials.state in (State.ABSENT, State.UNREADABLE):
            return _row(path) | {"error": {"type": type(error).__name__, "stage": "detect", "message": str(error)}}
        return _answered(path, credentials, _Seen(pixels=str(error)))
    return _answered(path, credentials, _look(video, shipped() if eyes is None else eyes))


@dataclass(frozen=True)
class _Seen:
    """What the eyes found in the pixels; `pixels` says why nobody could look at them."""

    forensic: tuple[ForensicSignal, ...] = ()
    watermark: MarkSignal | None = None
    fingerprint: MatchSignal | None = None
    hints: tuple[Hint, ...] = ()
    pixels: str | None = None


def _look(video: Video, eyes: Eyes) -> _Seen:
    return _Seen(
        forensic=tuple(one.judge(video) for one in eyes.forensic),
        watermark=eyes.watermark.read(video) if eyes.watermark is not None else None,
        fingerprint=eyes.fingerprint.match(video) if eyes.fingerprint is not None else None,
        hints=(*hints(video), *(one.hint(video) for one in eyes.hinters)),
    )


def _row(path: Path) -> dict[str, Any]:
    nobody = {"manifest": None, "watermark": None, "fingerprint": None, "forensic": None}
    return {
        "path": str(path), "answer": None, "synthetic": None, "fpr": None, "because": [], "generator": None,
        "segments": [], "hints": [], "signals": nobody, "error": None,
    }  # fmt: skip


def _answered(path: Path, credentials: Credentials, seen: _Seen) -> dict[str, Any]:
    fused = fuse(Signals(declared(credentials), seen.watermark, seen.fingerprint, seen.forensic))
    return _row(path) | {
        "answer": fused.answer.value,
        "synthetic": fused.synthetic,
        "fpr": fused.fpr,
        "because": list(fused.because),
        "generator": _generator(fused, credentials, seen.watermark),
        "segments": _segments(seen.forensic),
        "hints": [hint.to_json() for hint in seen.hints],
        "signals": {
            "manifest": manifest_row(credentials),
            "watermark": asdict(seen.watermark) if seen.watermark is not None else None,
            "fingerprint": asdict(seen.fingerprint) if seen.fingerprint is not None else None,
            "forensic": _forensic_row(seen),
        },
    }


def _generator(fused: Fused, credentials: Credentials, mark: MarkSignal | None) -> dict[str, str] | None:
    """Which generator, and by whose word: only a proof attributes."""
    if fused.answer is not Answer.SYNTHETIC:
        return None
    if name := maker(credentials):
        return {"name": name, "by": "manifest"}
    if mark is not None and mark.proves and mark.family:
        return {"name": mark.family, "by": "watermark"}
    return None


def _segments(forensic: Sequence[ForensicSignal]) -> list[dict[str, float]]:
    """The stretches that reach the threshold of a detector that finds the file likely synthetic."""
    return [part for one in forensic if one.likely for part in _stretches(one) if part["value"] >= one.threshold]


def _stretches(one: ForensicSignal) -> list[dict[str, float]]:
    return [{"start_s": start, "end_s": end, "value": value} for start, end, value in one.segments]


def _forensic_row(seen: _Seen) -> dict[str, Any] | None:
    """The leading detector's evidence, with every detector's beside it; None where none is configured."""
    lead = leading(seen.forensic)
    if lead is None:
        return {"value": None, "absence": seen.pixels} if seen.pixels is not None else None
    each = [asdict(one) | {"segments": _stretches(one)} for one in seen.forensic]
    return each[seen.forensic.index(lead)] | {"detectors": each if len(each) > 1 else []}
