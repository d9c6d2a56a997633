"""Every stage, broken in every way: no release, and the reason names the stage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assay.errors import StageFailed, StageTimeout, WorkerDied
from assay.pipeline import generate
from assay.request import Request
from assay.settings import Deadlines, Settings
from assay.stages import Stages
from assay.worker import TaskFailed, Worker
from media import AssayError
from safety import Absence, Action, Stage

MakeSettings = Callable[..., Settings]


def request(folder: Path, prompt: str = "a grey second") -> Request:
    return Request(prompt, folder / "out.mp4", size=(96, 64), seconds=0.5)


def stages(settings: Settings) -> Stages:
    from assay.assemble import assemble

    return assemble(settings, "worker-test", generator=True)


def nothing_left(settings: Settings, folder: Path) -> None:
    assert not (folder / "out.mp4").exists()
    assert not [path for path in folder.iterdir() if path.name != "home"]
    assert not list((settings.home / "private").rglob("*.mp4"))


def test_calm_stages_release(toy_settings: MakeSettings, tmp_path: Path) -> None:
    """With nothing broken the same request is released: the faults below are what stops it."""
    outcome = generate(request(tmp_path), stages(toy_settings()))
    assert outcome.action is Action.ALLOW
    assert outcome.asset is not None
    assert outcome.asset.path.is_file()
    assert {decision.stage for decision in outcome.decisions} == {Stage.PROMPT, Stage.FRAME}


@pytest.mark.parametrize("fault", ["RaisingPrompt", "NanPrompt", "SilentPrompt", "NothingPrompt"])
def test_broken_prompt_stage(fault: str, toy_settings: MakeSettings, tmp_path: Path) -> None:
    """A prompt classifier that breaks stops the job before anything is rendered."""
    settings = toy_settings(prompt_classifiers=(f"assay_toys:{fault}",))
    outcome = generate(request(tmp_path), stages(settings))
    assert outcome.action is Action.BLOCK
    assert outcome.record is None
    failed = [reason for reason in outcome.decisions[0].reasons if reason.absence is Absence.FAILED]
    assert failed
    assert all(reason.stage is Stage.PROMPT and fault.lower() in str(reason.source) for reason in failed)
    nothing_left(settings, tmp_path)


@pytest.mark.parametrize("fault", ["RaisingFrame", "OnceRaisingFrame", "NanFrame", "ShortFrame", "SilentFrame"])
def test_broken_frame_stage(fault: str, toy_settings: MakeSettings, tmp_path: Path) -> None:
    """A frame classifier that breaks, on all frames or on one batch, keeps the rendered video in."""
    settings = toy_settings(frame_classifiers=(f"assay_toys:{fault}",))
    outcome = generate(request(tmp_path), stages(settings))
    assert outcome.action > Action.ALLOW
    assert outcome.asset is None
    failed = [r for d in outcome.decisions for r in d.reasons if r.absence is Absence.FAILED]
    assert failed
    assert all(reason.stage is Stage.FRAME and fault.lower() in str(reason.source) for reason in failed)
    nothing_left(settings, tmp_path)


@pytest.mark.parametrize(
    "fault",
    ["RaisingGenerator", "NanGenerator", "WrongShapeGenerator", "ShortGenerator", "RecordlessGenerator",
     "EmptyGenerator"],
)  # fmt: skip
def test_broken_generator(fault: str, toy_settings: MakeSettings, tmp_path: Path) -> None:
    """A generator that breaks, or that hands over something other than it says, is an error that names it."""
    settings = toy_settings(backend=f"assay_toys:{fault}")
    with pytest.raises(StageFailed) as caught:
        generate(request(tmp_path), stages(settings))
    assert caught.value.stage == "generator"
    assert "'generator'" in str(caught.value)
    nothing_left(settings, tmp_path)


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("prompt", {"prompt_classifiers": ("assay_toys:HangingPrompt",)}),
        ("generator", {"backend": "assay_toys:HangingGenerator"}),
        ("frame", {"frame_classifiers": ("assay_toys:HangingFrame",)}),
    ],
)
def test_hanging_stage(stage: str, change: dict[str, object], toy_settings: MakeSettings, tmp_path: Path) -> None:
    """A stage that hangs past its limit is ended with its process, and the error names it."""
    settings = toy_settings(deadlines=Deadlines(**{stage: 0.5}), **change)
    with Worker(settings) as worker, pytest.raises(StageTimeout) as caught:
        worker.call("generate", (request(tmp_path), None))
    assert caught.value.stage == stage
    nothing_left(settings, tmp_path)


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("prompt", {"prompt_classifiers": ("assay_toys:DyingPrompt",)}),
        ("generator", {"backend": "assay_toys:DyingGenerator"}),
        ("frame", {"frame_classifiers": ("assay_toys:DyingFrame",)}),
    ],
)
def test_dying_stage(stage: str, change: dict[str, object], toy_settings: MakeSettings, tmp_path: Path) -> None:
    """A stage that takes its process down releases nothing; the error names it, and the job is settled as failed."""
    from assay.ledger import JobRow, Ledger, State

    settings = toy_settings(**change)
    with Worker(settings) as worker, pytest.raises(WorkerDied) as caught:
        worker.call("generate", (request(tmp_path), None))
    assert caught.value.stage == stage
    nothing_left(settings, tmp_path)
    with Ledger(settings.ledger).write() as session:
        assert [row.state for row in session.query(JobRow)] == [State.FAILED]


def test_worker_goes_on_after_a_death(toy_settings: MakeSettings, tmp_path: Path) -> None:
    """A worker that was ended serves the next call with a fresh process."""
    settings = toy_settings(prompt_classifiers=("assay_toys:DyingPrompt",))
    with Worker(settings) as worker:
        for _ in range(2):
            with pytest.raises(WorkerDied):
                worker.call("prompt", [("a", "text")])


def test_signing_key_gone(toy_settings: MakeSettings, tmp_path: Path) -> None:
    """Where signing fails the video stays in, and the error is a signing error with its own exit code."""
    from assay.errors import ExitCode

    settings = toy_settings(certificate_chain=tmp_path / "home" / "none.pem", private_key=tmp_path / "home" / "no.pem")
    with Worker(settings) as worker, pytest.raises(TaskFailed) as caught:
        worker.call("generate", (request(tmp_path), None))
    assert caught.value.failure.exit_code is ExitCode.SIGNING
    nothing_left(settings, tmp_path)


def test_file_changed_between_look_and_signature(
    toy_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was judged is what leaves: a private file that changed after it was looked at is not signed."""
    from assay.case import Case

    release = Case.release

    def tamper(case: Case, made: object, destination: Path) -> object:
        with open(made.path, "ab") as stream:  # type: ignore[attr-defined]
            stream.write(b"\x00\x00\x00\x08free")
        return release(case, made, destination)  # type: ignore[arg-type]

    monkeypatch.setattr(Case, "release", tamper)
    settings = toy_settings()
    with pytest.raises(AssayError, match="not the file that was judged"):
        generate(request(tmp_path), stages(settings))
    nothing_left(settings, tmp_path)


@pytest.mark.parametrize(("prompt", "action"), [("forbidden", Action.BLOCK), ("doubtful", Action.REVIEW)])
def test_prompt_stops_before_rendering(prompt: str, action: Action, toy_settings: MakeSettings, tmp_path: Path) -> None:
    """A prompt that is refused, or held for a person, is never rendered."""
    settings = toy_settings(backend="assay_toys:RaisingGenerator")
    outcome = generate(request(tmp_path, prompt), stages(settings))
    assert outcome.action is action
    assert (outcome.review_id is not None) == (action is Action.REVIEW)
    nothing_left(settings, tmp_path)


def test_refused_output_is_deleted(toy_settings: MakeSettings, tmp_path: Path) -> None:
    """Two red frames in the rendered file refuse it, with the seconds at which they stand; the file is gone."""
    settings = toy_settings()
    outcome = generate(request(tmp_path, "red"), stages(settings))
    assert outcome.action is Action.BLOCK
    (segment,) = (segment for decision in outcome.decisions for segment in decision.segments)
    assert segment.start_s == pytest.approx(5 / 24)
    assert segment.end_s == pytest.approx(7 / 24)
    nothing_left(settings, tmp_path)
    assert not list(settings.held.glob("*")) if settings.held.exists() else True
