"""The prompt stage of a request before it is queued: what would be refused is refused now, before it costs anything.

A refusal is a job like any other, with its decision in the ledger. What is not refused is judged again when its turn
comes: this look lets nothing pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from assay import assemble, banking
from assay.case import Case
from assay.ledger import State
from assay.offering import neutralised
from assay.request import Request
from assay.stages import Stages
from assay.watch import Watch, stage
from safety import Action, Circumstances, Decision, Examination, decide

if TYPE_CHECKING:
    from assay.tasks import Bench


@dataclass(frozen=True)
class Asked:
    """A request and whose it is."""

    request: Request
    tenant: str
    actor: str | None = None
    policy: str | None = None


def ask(bench: Bench, asked: Asked, watch: Watch) -> dict[str, Any] | None:
    """The refusal (job, decisions, posture, the prompt in plain words where the policy offers it), or None."""
    bench, request = bench.under(asked.policy), asked.request
    on = Circumstances(backend=None if request.brings_media else bench.settings.backend)
    with stage(watch, "prompt"):
        seen = bench.prompt.read(request)
        decisions = _decisions(bench, seen, on)
    if max(each.action for each in decisions) < Action.BLOCK:
        return None
    job = _record(bench, asked, seen)
    alone = len(decisions) == 1 and not request.brings_media
    return {
        "job": job,
        "decisions": [each.to_json() for each in decisions],
        "posture": [entry.to_json() for entry in seen.posture],
        "neutralised": neutralised(bench.prompt, request.prompt, decisions[0], on) if alone else None,
    }


def _decisions(bench: Bench, seen: Examination, on: Circumstances) -> Sequence[Decision]:
    by_stage = groupby(sorted(seen.items, key=lambda item: item.stage), key=lambda item: item.stage)
    return [decide(bench.prompt.policy, list(items), seen.scores, on) for _, items in by_stage]


def _record(bench: Bench, asked: Asked, seen: Examination) -> str:
    """Keeps the refusal as the spine keeps one: the worst is sealed, the rest is a row."""
    stages = _stages(bench)
    whose = {"tenant": asked.tenant, "actor": asked.actor, "policy": asked.policy}
    request = asked.request.to_json()
    job = stages.ledger.open_job("generate", request, (bench.owner, stages.lease_seconds), **whose)
    try:
        with Case.open("generate", request, stages, taken=job) as case:
            case.judge(seen)
            case.stop(Action.BLOCK, asked.request)
    except Exception as error:
        stages.ledger.settle(job, State.FAILED, error=f"{type(error).__name__}: {error}")
        raise
    return job


def _stages(bench: Bench) -> Stages:
    """As much of the spine as a refusal of words needs: nothing looks, nothing is made."""
    settings = bench.settings
    return Stages(
        prompt=bench.prompt, frame=(), banks=banking.Banks((), ()), generator=None, generator_backend=settings.backend,
        signer=assemble.signer(settings), ledger=bench.queue.ledger, private=settings.private / bench.owner,
        held=settings.held, owner=bench.owner, quarantine=lambda: assemble.quarantine(settings),
        worst=banking.worst_categories(settings),
        scoring_digest=assemble.scoring_digest(bench.prompt.classifiers, bench.prompt.policy.zero_shot_digest),
    )  # fmt: skip
