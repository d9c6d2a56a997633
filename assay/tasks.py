"""What a worker process can be asked to do. Each task assembles what it needs once and keeps it for the next call."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from assay import banking
from assay.assemble import assemble, prompt_stage
from assay.offering import neutralised
from assay.prompting import PromptStage
from assay.rows import prompt_row
from assay.settings import Settings
from assay.watch import Watch, stage
from safety import Circumstances, Examination, Item, Stage, decide, examine_text

if TYPE_CHECKING:  # each task imports its own part of the spine: reading prompts must not wait for the rest
    from assay.case import Approval
    from assay.moderating import PictureAsk, TextAsk
    from assay.outcome import Outcome
    from assay.report.thumbs import Thumbs
    from assay.request import Request, ScanRequest
    from assay.stages import Stages


class Bench:
    """The models of one process, assembled when first asked for."""

    def __init__(self, settings: Settings, owner: str) -> None:
        self.settings, self.owner = settings, owner
        self._stages: dict[bool, Stages] = {}
        self._state: tuple[object, ...] = ()

    @cached_property
    def prompt(self) -> PromptStage:
        """For texts alone."""
        return prompt_stage(self.settings)

    @property
    def generating(self) -> Stages:
        """For the whole spine."""
        return self._assembled(generator=True)

    @property
    def scanning(self) -> Stages:
        """For existing files."""
        return self._assembled(generator=False)

    def _assembled(self, *, generator: bool) -> Stages:
        """Assembled once, and again where somebody has changed a bank: a new entry counts from the next file on."""
        state = banking.state(self.settings)
        if state != self._state:
            self._stages.clear()
            self.__dict__.pop("prompt", None)  # the policy has a rule for each bank
            self._state = state
        if generator not in self._stages:
            self._stages[generator] = assemble(self.settings, self.owner, generator=generator)
        return self._stages[generator]


def judge_prompts(bench: Bench, lines: Sequence[tuple[str | int, str]], watch: Watch) -> list[dict[str, Any]]:
    """One contract row for each (id, text), in order."""
    circumstances = Circumstances(backend=bench.settings.backend)
    rows = []
    with stage(watch, "prompt"):
        for id, text in lines:
            item = Item.text(Stage.PROMPT, str(id), text)
            seen = bench.prompt.read_text(item, text)
            decision = decide(bench.prompt.policy, [item], seen.scores, circumstances)
            rows.append(prompt_row(id, decision, seen, neutralised(bench.prompt, text, decision, circumstances)))
    return rows


def texts(bench: Bench, asks: Sequence[TextAsk], watch: Watch) -> list[Examination]:
    """What is said of each of several texts, in order; nothing is decided here."""
    readers = bench.prompt.classifiers
    with stage(watch, "prompt"):
        return [examine_text(ask.item, ask.text, readers, ask.wanted) for ask in asks]


def picture(bench: Bench, ask: PictureAsk, watch: Watch) -> Examination:
    """What is said of one picture; its bytes are on the disk only while it is looked at."""
    from media import read_image
    from safety.frame import examine_image

    stages = bench.scanning
    stages.private.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = stages.private / f"picture-{secrets.token_hex(8)}"
    with stage(watch, "input"):
        try:
            path.write_bytes(ask.content)
            return examine_image(read_image(path), ask.item, stages.frame, ask.wanted)
        finally:
            path.unlink(missing_ok=True)


def generate(bench: Bench, argument: tuple[Request, Approval | None], watch: Watch) -> Outcome:
    """The spine, for one request."""
    from assay import pipeline

    request, approval = argument
    outcome = pipeline.generate(request, bench.generating, watch, approval)
    decision = outcome.decisions[0]
    if len(outcome.decisions) > 1 or request.negative_prompt or request.image:  # not refused for the prompt alone
        return outcome
    on = Circumstances(backend=bench.settings.backend)
    return replace(outcome, neutralised=neutralised(bench.generating.prompt, request.prompt, decision, on))


def scan(bench: Bench, argument: ScanRequest, watch: Watch) -> Outcome:
    """The eyes, on one existing file."""
    from assay import pipeline

    return pipeline.scan(argument, bench.scanning, watch)


def thumbnails(bench: Bench, argument: Thumbs, watch: Watch) -> dict[int, bytes]:
    """Small pictures of some frames of a file that was scanned."""
    from assay.report import thumbs

    with stage(watch, "frame"):
        return thumbs.thumbnails(argument)


TASKS: Mapping[str, Callable[[Bench, Any, Watch], Any]] = {
    "prompt": judge_prompts,
    "texts": texts,
    "picture": picture,
    "generate": generate,
    "scan": scan,
    "thumbnails": thumbnails,
}
