"""What came of a job: the decisions by stage, who looked, and the signed asset or None."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safety import Action, Coverage, Decision, Examination, FrameCounts, Posture, PostureEntry, Score, Waiver


@dataclass(frozen=True)
class Asset:
    """A file that left through provenance.publish."""

    path: Path
    sha256: str
    manifest_state: str

    def to_json(self) -> dict[str, Any]:
        """For the ledger."""
        return {"path": str(self.path), "sha256": self.sha256, "manifest_state": self.manifest_state}


@dataclass(frozen=True)
class Outcome:
    """The end of one job. A refusal is an outcome like any other."""

    job: str
    decisions: tuple[Decision, ...]
    examination: Examination
    asset: Asset | None = None
    record: dict[str, Any] | None = None  # how the generator made the frames
    review_id: str | None = None
    frames: FrameCounts | None = None
    sha256: str | None = None  # of the scanned file
    quarantined: tuple[str, ...] = ()  # ids of sealed evidence
    stopped: dict[str, Any] | None = None  # by its previews: at which step, and why
    neutralised: dict[str, Any] | None = None  # a refused prompt in plain words, where the policy offers that

    @property
    def action(self) -> Action:
        """The gravest of the decisions; with none, nothing is allowed."""
        return max((decision.action for decision in self.decisions), default=Action.BLOCK)

    @property
    def posture(self) -> Posture:
        """Who looked, one line per stage and model."""
        return merged(self.examination.posture)

    @property
    def waivers(self) -> tuple[Waiver, ...]:
        """The waivers that were used."""
        return tuple(dict.fromkeys(waiver for decision in self.decisions for waiver in decision.waivers))

    @property
    def scores(self) -> dict[str, float | None]:
        """The maximum per category over items and sources; None where nobody could say."""
        best: dict[str, float | None] = {}
        for score in self.examination.scores:
            value = score.value if isinstance(score, Score) else score.maximum
            known = best.get(score.category)
            best[score.category] = value if known is None else known if value is None else max(known, value)
        return dict(sorted(best.items()))


def merged(posture: Posture) -> Posture:
    """The posture with one entry per stage and model, its counts summed."""
    sums: dict[tuple[object, ...], PostureEntry] = {}
    for entry in posture:
        key = (entry.stage, entry.model, entry.version, entry.weights_sha256, entry.runtime)
        known = sums.get(key)
        items, failed = (known.items, known.failed) if known else (0, 0)
        coverage = _both(known.coverage if known else None, entry.coverage)
        sums[key] = PostureEntry(
            entry.stage, entry.model, entry.version, entry.weights_sha256, entry.runtime,
            items + entry.items, failed + entry.failed, coverage,
        )  # fmt: skip
    return tuple(sums.values())


def _both(one: Coverage | None, other: Coverage | None) -> Coverage | None:
    return one + other if one and other else one or other
