"""One job while it is worked on: its decisions, its private folder, and its line in the ledger.

Whatever way a case ends, the ledger says how, and the private folder is gone.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from assay import emergency
from assay.auditing.erasing import erase_ended_job
from assay.banking import found_worst
from assay.evidence import evidence_of
from assay.ledger import Brought, HeldRow, State, new_id, now
from assay.outcome import Asset, Outcome
from assay.previewing import Stopped
from assay.request import Request, ScanRequest
from assay.signing import origin_to_json, scanned_origin
from assay.stages import Looked, Made, Stages
from generator import Preview
from media import AssayError, UsageError
from provenance import Digests, GateRecord, HumanDecision, Origin
from safety import Action, Circumstances, Decision, Examination, Policy, Stage, decide


@dataclass(frozen=True)
class Approval:
    """A person's approval of a held prompt, and the very texts and pictures (by sha256) that the person saw."""

    human: HumanDecision
    seen: frozenset[str]


class Case:
    """The decisions and evidence of one job; see `Case.open`."""

    def __init__(self, job: str, folder: Path, stages: Stages, circumstances: Circumstances) -> None:
        self.job, self.folder, self.stages, self.circumstances = job, folder, stages, circumstances
        self.decisions: tuple[Decision, ...] = ()
        self.examination = Examination()
        self.looked: Looked | None = None
        self.human: HumanDecision | None = None
        self.quarantined: tuple[str, ...] = ()

    @classmethod
    @contextmanager
    def open(
        cls, kind: str, request: dict[str, Any], stages: Stages, require_complete: bool = True, taken: str | None = None
    ) -> Iterator[Case]:
        """A case in the ledger with a private folder; an error inside settles the job as failed.

        `taken` is a job that this process took from the queue: then whoever took it settles its errors.
        """
        job = taken or stages.ledger.open_job(kind, request, (stages.owner, stages.lease_seconds))
        folder = stages.private / job
        folder.mkdir(mode=0o700, parents=True)
        # With media brought along, the back-end draws more than its vocabulary names: its waivers do not hold.
        closed = kind == "generate" and not request.get("image") and not request.get("video")
        backend = stages.generator_backend if closed else None
        case = cls(job, folder, stages, Circumstances(backend=backend, require_complete=require_complete))
        try:
            yield case
        except BaseException as error:
            if taken is None:
                stages.ledger.settle(job, State.FAILED, error=f"{type(error).__name__}: {error}")
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            case.forget()

    def forget(self) -> None:
        """Erases the words of a job that has ended, where the settings say that they are not kept."""
        left = self.stages.prompts
        if left != "full" and hasattr(self.stages.ledger, "engine"):
            with self.stages.ledger.write() as session:
                erase_ended_job(session, self.job, left)

    def take_in(self, request: Request) -> Request:
        """The request with its own copy of what it brings along: what is judged is what the generator is given."""
        image, video = self._taken(request.image, "input"), self._taken(request.video, "input-video")
        return replace(request, image=image, video=video)

    def _taken(self, path: Path | None, name: str) -> Path | None:
        if path is None:
            return None
        taken = self.folder / f"{name}{path.suffix.lower()}"
        try:
            shutil.copyfile(path, taken)
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
        return taken

    def judge(self, seen: Examination | Looked) -> Action:
        """Decides about what a stage saw, one decision a stage, and keeps both; the gravest action of this call."""
        if isinstance(seen, Looked):
            self.looked, seen = seen, seen.examination
        policy = self._policy()
        by_stage = groupby(sorted(seen.items, key=lambda item: item.stage), key=lambda item: item.stage)
        made = [decide(policy, list(items), seen.scores, self.circumstances) for _, items in by_stage]
        self.stages.ledger.record(self.job, seen, made, policy, self.stages.scoring_digest)
        self.decisions += tuple(made)
        self.examination += seen
        return max((decision.action for decision in made), default=Action.ALLOW)

    def _policy(self) -> Policy:
        """The policy with emergency rules that came since it was assembled.

        A ledger without a database is that of a scan of many files, which asks anew at each file.
        """
        ledger = self.stages.ledger
        return emergency.in_force(ledger, self.stages.policy) if hasattr(ledger, "engine") else self.stages.policy

    def allowed(self, asked: Action, given: Action, approval: Approval | None) -> bool:
        """True where prompt and inputs may go on: allowed by policy, or in review and approved by a person."""
        gravest = max(asked, given)
        judged = {item.sha256 for item in self.examination.items}
        if gravest is Action.REVIEW and approval is not None and judged <= approval.seen:
            reviewed = {decision.id for decision in self.decisions if decision.action is Action.REVIEW}
            self.human = replace(approval.human, approves=approval.human.approves | reviewed)
            return True
        return gravest is Action.ALLOW

    def stop(self, action: Action, request: Request) -> Outcome:
        """Ends before anything was rendered: refused, or held until a person has read the prompt.

        The worst is sealed: a picture whatever the action, since no person is to look at it here, a prompt where it is
        refused.
        """
        pictures = [each for each in self.folder.glob("input*") if self._worst(Stage.INPUT_IMAGE, Stage.INPUT_VIDEO)]
        if pictures or (action is Action.BLOCK and self._worst(Stage.PROMPT, Stage.NEGATIVE_PROMPT)):
            self._seal("prompt", "request.json", json.dumps(request.to_json()).encode())
            for each in pictures:
                self._seal("input", each.name, each)
            return self.close(Action.BLOCK)
        if action is Action.BLOCK:
            return self.close(action)
        return self._hold(HeldRow(stage="prompt", path=None, sha256=None, context={"request": request.to_json()}))

    def showing(self, request: Request) -> Callable[[Preview], None] | None:
        """Whoever shows previews of this job to its client, once they are judged; None where none were asked for."""
        if not request.preview:
            return None
        from assay.showing import Showing  # each preview is a case of its own

        return Showing(self.stages, self.job, request, self.circumstances)

    def stop_early(self, stopped: Stopped) -> Outcome:
        """Ends a job that its previews stopped: their decision is kept, and nothing was finished."""
        self.judge(stopped.examination)
        return replace(self.close(Action.BLOCK), stopped=stopped.to_json())

    def hold(self, action: Action, made: Made, request: Request) -> Outcome:
        """Withholds a rendered video: deleted where it is refused, kept privately where a person must look.

        The worst is sealed instead, with what it was made from; nobody reviews it here.
        """
        if self._worst():
            self._seal("prompt", "request.json", json.dumps(request.to_json()).encode())
            for kind, path in (("output", made.path), *(("input", path) for path in made.origin.inputs)):
                self._seal(kind, path.name, path)
            return replace(self.close(Action.BLOCK), record=made.record)
        if action is Action.BLOCK:
            return replace(self.close(action), record=made.record)
        self.stages.held.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = self._keep(made.path)
        origin = replace(made.origin, inputs=tuple(self._keep(path) for path in made.origin.inputs))
        digests = self._examined()
        context: dict[str, Any] = {"origin": origin_to_json(origin), "destination": str(request.destination)}
        context |= {"record": made.record, "blocks": digests.blocks}
        row = HeldRow(stage="frame", path=str(kept), sha256=digests.sha256, context=context)
        return replace(self._hold(row), record=made.record)

    def set_aside(self, request: ScanRequest) -> None:
        """Seals a copy of an existing file with the worst material, where that was asked for; it stays where it is."""
        if request.quarantine and self._worst():
            self._seal("existing", request.path.name, request.path)

    def _worst(self, *stages: Stage) -> bool:
        """True where something was found of which no picture may be made; at these stages, or at any."""
        found = self._outcome()
        if stages:
            found = replace(found, decisions=tuple(each for each in self.decisions if each.stage in stages))
        return found_worst(found, self.stages.worst)

    def _seal(self, kind: str, name: str, content: Path | bytes) -> None:
        if self.stages.quarantine is None:
            raise AssayError("no quarantine is assembled, and this material may be kept nowhere else")
        put = self.stages.quarantine().put
        self.quarantined += (put(evidence_of(self._outcome(), kind, name), content),)

    def release(self, made: Made, destination: Path) -> Outcome:
        """Signs the very file that was looked at, reads it back and publishes it."""
        asset = self._publish(made.path, destination, made.origin)
        return replace(self.close(Action.ALLOW, asset), record=made.record)

    def sign_off(self, path: Path, destination: Path) -> Outcome:
        """Publishes a signed copy of an existing file that passed; the original is not touched."""
        return self.close(Action.ALLOW, self._publish(path, destination, scanned_origin()))

    def close(self, action: Action, asset: Asset | None = None) -> Outcome:
        """Settles the job; an action of ours is a completed job, whatever it is, unless it waits for a person."""
        brought = Brought(self.stages.owner, asset.to_json() if asset else None)
        self.stages.ledger.settle(self.job, State.COMPLETED, action=action.word, brought=brought)
        return self._outcome(asset)

    def _publish(self, path: Path, destination: Path, origin: Origin) -> Asset:
        gate = GateRecord.of(self.decisions, self._outcome().posture, self.human)
        return self.stages.signer.release(path, destination, origin, gate, self._examined())

    def _examined(self) -> Digests:
        """The digests of the file whose frames were looked at; nothing else may leave."""
        if self.looked is None:
            raise AssayError("nothing may be published before its frames were looked at")
        return self.looked.digests

    def _keep(self, path: Path) -> Path:
        """Moves a private file to where held files wait."""
        kept = self.stages.held / f"{self.job}-{path.name}"
        os.replace(path, kept)
        return kept

    def _hold(self, row: HeldRow) -> Outcome:
        row.id, row.job, row.created = new_id("rev"), self.job, now()
        row.expires = now() + timedelta(hours=self.stages.review_expiry_hours)
        brought = Brought(self.stages.owner, held=row)
        self.stages.ledger.settle(self.job, State.HELD, action=Action.REVIEW.word, brought=brought)
        return replace(self._outcome(), review_id=row.id)

    def _outcome(self, asset: Asset | None = None) -> Outcome:
        frames, sha256 = (self.looked.frames, self.looked.sha256) if self.looked else (None, None)
        return Outcome(
            self.job, self.decisions, self.examination, asset,
            frames=frames, sha256=sha256, quarantined=self.quarantined,
        )  # fmt: skip
