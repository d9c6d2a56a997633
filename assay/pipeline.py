"""The spine: a prompt goes in; a signed, gated video comes out, or a decision that says why not.

Score the prompt and any input picture -> decide -> generate -> encode into a private file -> look at every frame of
that file -> decide -> sign, read back, publish. What was judged is what leaves. `scan` is the same eyes on an existing
file.
"""

from __future__ import annotations

from assay.case import Approval, Case
from assay.outcome import Outcome
from assay.previewing import Stopped
from assay.request import Request, ScanRequest
from assay.stages import Stages
from assay.watch import Silent, Watch, stage
from safety import Action


def generate(
    request: Request,
    stages: Stages,
    watch: Watch | None = None,
    approval: Approval | None = None,
    taken: str | None = None,
) -> Outcome:
    """One request from prompt to published file.

    `approval` lets a prompt pass that a person has reviewed; `taken` is the job, where it comes from the queue.
    """
    watch = watch or Silent()
    with Case.open("generate", request.to_json(), stages, taken=taken) as case:
        own = stages.write_out(case.take_in(request))
        with stage(watch, "prompt"):
            asked = case.judge(stages.prompt.read(own))
        with stage(watch, "input"):
            given = case.judge(stages.look_at_inputs(own, watch))
        if not case.allowed(asked, given, approval):
            return case.stop(max(asked, given), request)
        with stage(watch, "generator"):
            made = stages.render(own, case.folder, watch, case.circumstances, case.showing(own) if taken else None)
        if isinstance(made, Stopped):
            return case.stop_early(made)
        with stage(watch, "frame"):
            seen = case.judge(stages.look_at_frames(made.path, watch))
        if seen is not Action.ALLOW:
            return case.hold(seen, made, request)
        with stage(watch, "provenance"):
            return case.release(made, request.destination)


def scan(request: ScanRequest, stages: Stages, watch: Watch | None = None) -> Outcome:
    """Every frame of an existing file, judged by the same eyes."""
    watch = watch or Silent()
    require_complete = request.require_complete or request.signed_copy is not None
    with Case.open("scan", {"path": str(request.path)}, stages, require_complete) as case:
        with stage(watch, "frame"):
            seen = case.judge(stages.look_at_frames(request.path, watch))
            case.set_aside(request)
        if request.signed_copy is None or seen is not Action.ALLOW:
            return case.close(seen)
        with stage(watch, "provenance"):
            return case.sign_off(request.path, request.signed_copy)
