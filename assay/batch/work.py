"""What a worker process does for a batch: one file in, plain values out. The seam that every engine calls.

    scan_one(task, ...) -> Looked      every frame of one file, by the spine that `assay generate` looks at outputs with
    see_to(task, ...) -> extras        what belongs to the path alone, of a content that is known already

Nothing is written to the ledger here: whoever asked writes, for all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.banking import found_worst
from assay.batch.recording import Notebook, Recorded
from assay.evidence import evidence_of
from assay.outcome import Outcome
from assay.request import ScanRequest
from assay.signing import scanned_origin
from assay.watch import Watch, stage
from media import AssayError
from provenance import GateRecord, digests_of
from safety import Action

if TYPE_CHECKING:
    from assay.stages import Stages
    from assay.tasks import Bench

RIDERS = ("provenance", "detect")


class ScoringChanged(AssayError):
    """A worker would score otherwise than the run does: another model, bank or setting on its machine."""


@dataclass(frozen=True)
class Wish:
    """What a run asks of every file.

    riders          of `RIDERS`: what rides along in the row
    policy_digest   the document that the writer has already
    scoring_digest  how scores must be made; None: as they are made here (what a bank gains meanwhile counts)
    """

    require_complete: bool = False
    quarantine: bool = False
    riders: tuple[str, ...] = ()
    policy_digest: str | None = None
    scoring_digest: str | None = None


@dataclass(frozen=True)
class FileTask:
    """One file to look at. path: where it lies here; uri: what its row calls it."""

    uri: str
    path: Path
    wish: Wish
    signed_copy: Path | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Looked:
    """What came of one file: its content's record, and what belongs to the path."""

    recorded: Recorded
    extras: dict[str, Any]


def scoring(bench: Bench, argument: None, watch: Watch) -> str:
    """How this process would score."""
    return bench.scanning.scoring_digest


def scan_one(bench: Bench, task: FileTask, watch: Watch) -> Looked:
    """Looks at every frame of the file, decides, signs a copy where that was asked for and it passed."""
    from assay import pipeline

    stages, wish = bench.scanning, task.wish
    if wish.scoring_digest not in (None, stages.scoring_digest):
        raise ScoringChanged(
            f"scores would be made under {stages.scoring_digest[:12]} here, and the run is made under "
            f"{(wish.scoring_digest or '')[:12]}: give every machine the same models, banks and settings"
        )
    notebook = Notebook()
    request = ScanRequest(task.path, wish.require_complete, task.signed_copy, wish.quarantine)
    outcome = pipeline.scan(request, replace(stages, ledger=notebook), watch)
    extras = _of_the_path(outcome) | riders(bench, task, watch)
    return Looked(notebook.recorded(outcome, wish.policy_digest), extras)


def see_to(bench: Bench, argument: tuple[FileTask, Outcome | None], watch: Watch) -> dict[str, Any]:
    """Signs, seals and reads along for a path whose content was judged before.

    The outcome is that judgement; None: it is not needed. Raises AssayError where the file is another one now.
    """
    task, outcome = argument
    if outcome is not None:
        with stage(watch, "provenance"):
            outcome = _seal(outcome, task, bench.scanning)
            outcome = _sign(outcome, task, bench.scanning)
    return (_of_the_path(outcome) if outcome is not None else {}) | riders(bench, task, watch)


def _seal(outcome: Outcome, task: FileTask, stages: Stages) -> Outcome:
    if not task.wish.quarantine or not found_worst(outcome, stages.worst):
        return outcome
    if stages.quarantine is None:
        raise AssayError("no quarantine is assembled, and this material may be kept nowhere else")
    evidence = evidence_of(outcome, "existing", task.path.name)
    return replace(outcome, quarantined=(stages.quarantine().put(evidence, task.path),))


def _sign(outcome: Outcome, task: FileTask, stages: Stages) -> Outcome:
    """Signs a copy of a file that is, byte for byte, what passed."""
    if task.signed_copy is None or outcome.action is not Action.ALLOW:
        return outcome
    judged = digests_of(task.path)
    if judged.sha256 != outcome.sha256:
        raise AssayError(f"{task.path} changed while it was scanned; scan it again")
    gate = GateRecord.of(outcome.decisions, outcome.posture, None)
    return replace(outcome, asset=stages.signer.release(task.path, task.signed_copy, scanned_origin(), gate, judged))


def riders(bench: Bench, task: FileTask, watch: Watch) -> dict[str, Any]:
    """What rides along: the lines of `verify` and `detect`, without their path."""
    said: dict[str, Any] = {}
    if "provenance" in task.wish.riders:
        from provenance import read

        with stage(watch, "provenance"):
            said["provenance"] = _pathless(read(task.path, bench.trust).to_json())
    if "detect" in task.wish.riders:
        from assay.detect import detect

        with stage(watch, "frame"):  # its detectors look at pixels, and take as long
            said["detect"] = _pathless(detect(task.path, bench.trust, bench.eyes))
    return said


def _of_the_path(outcome: Outcome) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if outcome.asset is not None:
        asset = outcome.asset
        extras["signed"] = {"path": str(asset.path), "sha256": asset.sha256, "manifest_state": asset.manifest_state}
    if outcome.quarantined:
        extras["quarantined"] = list(outcome.quarantined)
    return extras


def _pathless(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "path"}
