"""What a worker process can be asked to do. Each task assembles what it needs once and keeps it for the next call."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from assay import banking
from assay.assemble import assemble, prompt_stage, trust
from assay.offering import neutralised
from assay.prompting import PromptStage
from assay.rows import prompt_row
from assay.settings import Settings
from assay.watch import Watch, stage
from safety import Circumstances, Examination, Item, Policy, Stage, decide, examine_texts

if TYPE_CHECKING:  # each task imports its own part of the spine: reading prompts must not wait for the rest
    from pathlib import Path

    from assay.case import Approval
    from assay.eyes import Eyes
    from assay.jobs.asking import Asked
    from assay.jobs.casting import Casting
    from assay.jobs.queue import Queue
    from assay.jobs.variants import Wanted
    from assay.moderating import PictureAsk, TextAsk
    from assay.outcome import Outcome
    from assay.report.thumbs import Thumbs
    from assay.request import Request, ScanRequest
    from assay.stages import Stages
    from provenance import Trust


class Bench:
    """The models of one process, assembled when first asked for."""

    def __init__(self, settings: Settings, owner: str) -> None:
        self.settings, self.owner = settings, owner
        self._stages: dict[bool, Stages] = {}
        self._others: dict[str, Bench] = {}
        self._prompt: PromptStage | None = None
        self._base: Bench | None = None  # whose models are used, where the policy asks for the same
        self._state: tuple[object, ...] = ()

    @cached_property
    def queue(self) -> Queue:
        """The jobs of the ledger."""
        from assay.jobs.queue import Queue
        from assay.ledger import Ledger

        return Queue(Ledger(self.settings.ledger), self.settings.serve)

    def close(self) -> None:
        """Gives the ledger's connections back."""
        for stages in self._stages.values():
            stages.ledger.close()
        if "queue" in self.__dict__:
            self.queue.ledger.close()
        for other in self._others.values():
            other.close()

    def under(self, policy: str | None) -> Bench:
        """The same models under another policy; this bench where it is None or our own."""
        if policy is None or policy == self.settings.policy:
            return self
        if policy not in self._others:
            if len(self._others) >= _OTHERS:
                self._others.clear()
            made = Bench(self.settings.model_copy(update={"policy": policy}), self.owner)
            if _same_questions(self.settings, self.prompt.policy, banking.policy(made.settings)):
                made._base = self
            else:
                self._others.clear()  # it holds models of its own: one such at a time
            self._others[policy] = made
        return self._others[policy]

    @property
    def prompt(self) -> PromptStage:
        """For texts alone."""
        self._refresh()
        if self._prompt is None:
            if self._base is not None:
                self._prompt = replace(self._base.prompt, policy=banking.policy(self.settings))
            else:
                self._prompt = prompt_stage(self.settings)
        return self._prompt

    @cached_property
    def trust(self) -> Trust:
        """Whose manifests count."""
        return trust(self.settings)

    @cached_property
    def eyes(self) -> Eyes:
        """Who judges whether pixels were generated, under this deployment's thresholds."""
        from assay.eyes import configured

        return configured(self.settings)

    @property
    def generating(self) -> Stages:
        """For the whole spine."""
        return self._assembled(generator=True)

    @property
    def scanning(self) -> Stages:
        """For existing files."""
        return self._assembled(generator=False)

    def _assembled(self, *, generator: bool) -> Stages:
        self._refresh()
        if generator not in self._stages:
            if self._base is not None:
                self._stages[generator] = replace(self._base._assembled(generator=generator), prompt=self.prompt)
            else:
                self._stages[generator] = assemble(self.settings, self.owner, generator=generator)
        return self._stages[generator]

    def _refresh(self) -> None:
        """Lets go of what was assembled where somebody has changed a bank or declared an emergency rule since."""
        state = banking.state(self.settings)
        if state != self._state:
            self._stages.clear()
            self._others.clear()
            self._prompt = None  # the policy has a rule for each bank
            self._state = state


_OTHERS = 4  # benches under other policies that share our models


def _same_questions(settings: Settings, ours: Policy, theirs: Policy) -> bool:
    """True where two policies ask the same models the same, and so differ only in what they make of the answers."""
    if settings.scan.epsilon or ours.zero_shot_digest != theirs.zero_shot_digest:
        return False  # which frames are covered depends on thresholds
    words = [{name: text.definition for name, text in one.categories.items()} for one in (ours, theirs)]
    return words[0] == words[1] and all(set(ours.categories_for(at)) == set(theirs.categories_for(at)) for at in Stage)


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
        return examine_texts([(ask.item, ask.text) for ask in asks], readers, [ask.wanted for ask in asks])


def picture(bench: Bench, ask: PictureAsk, watch: Watch) -> Examination:
    """What is said of one picture, of every picture of an animation and of what transparency hides; the worst counts.

    Its bytes are on the disk only while it is looked at.
    """
    from assay.looking import every_look
    from media import MediaError, UsageError
    from safety.frame import examine_image

    stages = bench.scanning
    stages.private.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = stages.private / f"picture-{secrets.token_hex(8)}"
    with stage(watch, "input"):
        try:
            path.write_bytes(ask.content)
            looks = [examine_image(frame, ask.item, stages.frame, ask.wanted) for frame in every_look(path)]
        except MediaError as error:
            raise UsageError(f"{ask.item.id} cannot be read as a picture; send png, jpg, webp, gif or bmp") from error
        finally:
            path.unlink(missing_ok=True)
    scores = dict.fromkeys(score for seen in looks for score in seen.scores)
    return Examination((ask.item,), tuple(scores), tuple(entry for seen in looks for entry in seen.posture))


def origins(bench: Bench, path: Path, watch: Watch) -> dict[str, Any]:
    """What independent witnesses say about where a file comes from."""
    from assay.detect import detect

    with stage(watch, "provenance"):
        return detect(path, bench.trust, bench.eyes)


def credentials(bench: Bench, path: Path, watch: Watch) -> dict[str, Any]:
    """What the Content Credentials of a file say, as `assay verify --json` tells it."""
    from provenance import read

    with stage(watch, "provenance"):
        return {"path": str(path), **read(path, bench.trust).to_json()}


def readiness(bench: Bench, argument: None, watch: Watch) -> dict[str, Any]:
    """The models of this process, loaded, and what the policy asks for that none of them evaluates."""
    from assay.readiness import gaps, models

    stages = bench.scanning
    texts, pictures = stages.prompt.classifiers, stages.frame
    return {
        "models": models([*texts, *pictures]),
        "gaps": gaps(stages.policy, texts, pictures, bench.settings.backend),
    }


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


def work(bench: Bench, argument: None, watch: Watch) -> str | None:
    """One job of the queue; its id, or None where nothing waits."""
    from assay.jobs.working import work

    return work(bench, argument, watch)


def warm(bench: Bench, argument: str, watch: Watch) -> None:
    """Loads the models of `prompt` or of `generating`, so that the first request does not wait for them."""
    getattr(bench, argument)


def ask(bench: Bench, argument: Asked, watch: Watch) -> dict[str, Any] | None:
    """The prompt stage of a request that is about to be queued: what it is refused with, or None."""
    from assay.jobs.asking import ask

    return ask(bench, argument, watch)


def draw(bench: Bench, argument: Wanted, watch: Watch) -> str:
    """A thumbnail or sheet of a signed video, signed; its path."""
    from assay.jobs.variants import draw

    return draw(bench, argument, watch)


def cast(bench: Bench, argument: Casting, watch: Watch) -> dict[str, Any]:
    """A character out of a video: what was decided, and the picture's hash where it may be kept."""
    from assay.jobs.casting import cast

    return cast(bench, argument, watch)


def thumbnails(bench: Bench, argument: Thumbs, watch: Watch) -> dict[int, bytes]:
    """Small pictures of some frames of a file that was scanned."""
    from assay.report import thumbs

    with stage(watch, "frame"):
        return thumbs.thumbnails(argument)


def _of_a_batch(name: str) -> Callable[[Bench, Any, Watch], Any]:
    """A task of `assay.batch.work`, imported when it is first asked for."""

    def task(bench: Bench, argument: Any, watch: Watch) -> Any:
        from assay.batch import work

        return getattr(work, name)(bench, argument, watch)

    return task


TASKS: Mapping[str, Callable[[Bench, Any, Watch], Any]] = {
    "prompt": judge_prompts,
    "texts": texts,
    "picture": picture,
    "origins": origins,
    "credentials": credentials,
    "readiness": readiness,
    "generate": generate,
    "scan": scan,
    "thumbnails": thumbnails,
    "scoring": _of_a_batch("scoring"),
    "scan_file": _of_a_batch("scan_one"),
    "see_to": _of_a_batch("see_to"),
    "work": work,
    "warm": warm,
    "ask": ask,
    "draw": draw,
    "cast": cast,
}
