"""Making a character of a video: its name and every frame are judged as inputs are, and one picture of it is kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.case import Case
from assay.jobs.variants import frames_at
from assay.ledger import State
from assay.request import Request
from assay.signing import sha256_of
from assay.watch import Watch, stage
from media import probe, write_image
from safety import Action

if TYPE_CHECKING:
    from assay.tasks import Bench


@dataclass(frozen=True)
class Casting:
    """A name and a video, whose they are, and where the picture goes (in a folder that is there)."""

    name: str
    video: Path
    picture: Path
    tenant: str
    actor: str | None = None
    policy: str | None = None


def cast(bench: Bench, asked: Casting, watch: Watch) -> dict[str, Any]:
    """What was decided (job, action, decisions, posture), and the sha256 of the picture; None where it is refused.

    What a person should look at is kept: nothing is shown of it, and each video made with it is judged anew.
    """
    bench = bench.under(asked.policy)
    stages = bench.scanning
    request = Request(asked.name, asked.picture, video=asked.video)
    whose = {"tenant": asked.tenant, "actor": asked.actor, "policy": asked.policy}
    job = stages.ledger.open_job("character", request.to_json(), (bench.owner, stages.lease_seconds), **whose)
    try:
        with Case.open("character", request.to_json(), stages, taken=job) as case:
            own = case.take_in(request)
            with stage(watch, "prompt"):
                named = case.judge(stages.prompt.read(own))
            with stage(watch, "input"):
                action = max(named, case.judge(stages.look_at_inputs(own, watch)))
                sha256 = None if action is Action.BLOCK or own.video is None else _kept(own.video, asked.picture)
            if action is Action.BLOCK:
                case.stop(action, request)
            else:
                case.close(action)
            decisions, posture = case.decisions, case.examination.posture
    except Exception as error:
        stages.ledger.settle(job, State.FAILED, error=f"{type(error).__name__}: {error}")
        raise
    return {
        "job": job, "action": action.word, "sha256": sha256, "neutralised": None,
        "decisions": [each.to_json() for each in decisions], "posture": [entry.to_json() for entry in posture],
    }  # fmt: skip


def _kept(video: Path, picture: Path) -> str:
    """Writes the frame in the middle; the hash of the file."""
    total = max(1, probe(video).declared_frames or 1)
    (frame,) = frames_at(video, [total // 2])
    write_image(picture, frame)
    os.chmod(picture, 0o600)
    return sha256_of(picture)
