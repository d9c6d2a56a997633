"""Pictures that come in are judged like those that go out; of the worst material no picture is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assay.assemble import assemble
from assay.errors import NoPicture
from assay.outcome import Outcome
from assay.pipeline import generate
from assay.report.sheet import publish_sheet
from assay.request import Request
from assay.settings import Settings
from assay.stages import Stages
from media import write_image
from provenance import read
from safety import Absence, Action, Decision, Examination, Reason, Stage

MakeSettings = Callable[..., Settings]


@pytest.fixture
def stages(toy_settings: MakeSettings) -> Stages:
    return assemble(toy_settings(), "worker-test", generator=True)


def picture(path: Path, colour: tuple[int, int, int]) -> Path:
    write_image(path, np.full((64, 96, 3), colour, np.uint8))
    return path


def with_image(folder: Path, colour: tuple[int, int, int]) -> Request:
    image = picture(folder / "input.png", colour)
    return Request("a grey second", folder / "out.mp4", image=image, size=(96, 64), seconds=0.5)


def test_harmless_input_becomes_an_ingredient(stages: Stages, tmp_path: Path) -> None:
    """A picture that passed is named in the manifest as an input, and its judgement stands among the decisions."""
    outcome = generate(with_image(tmp_path, (90, 90, 90)), stages)
    assert outcome.asset is not None
    assert [d.stage for d in outcome.decisions] == [Stage.PROMPT, Stage.INPUT_IMAGE, Stage.FRAME]
    credentials = read(outcome.asset.path, stages.signer.trust)
    assert credentials.state.value == "trusted"
    assert len(credentials.ingredients) == 1
    assert outcome.record is not None
    assert outcome.record["mode"] == "image-to-video"


def test_waivers_do_not_hold_for_a_request_with_a_picture(toy_settings: MakeSettings, tmp_path: Path) -> None:
    """What a picture brings in is outside the vocabulary that a waiver speaks of: without picture models, review."""
    blind = toy_settings(backend="procedural", frame_classifiers=())
    own = assemble(blind, "worker-test", generator=True)
    without = generate(Request("a red ball", tmp_path / "out.mp4", size=(96, 64), seconds=0.5), own)
    assert without.asset is not None
    assert without.waivers
    outcome = generate(with_image(tmp_path, (90, 90, 90)), own)
    assert outcome.action is Action.REVIEW
    assert not outcome.waivers


def test_violating_input_is_refused_before_rendering(stages: Stages, tmp_path: Path) -> None:
    """A red picture is refused at the input image stage; nothing is rendered."""
    outcome = generate(with_image(tmp_path, (255, 0, 0)), stages)
    assert outcome.action is Action.BLOCK
    assert outcome.record is None
    assert {r.stage for d in outcome.decisions for r in d.reasons} == {Stage.INPUT_IMAGE}


def test_held_input_can_be_approved(stages: Stages, tmp_path: Path) -> None:
    """A doubtful picture holds the request; an approval lets that very picture through, and no other."""
    from assay import review

    outcome = generate(with_image(tmp_path, (255, 110, 110)), stages)
    assert outcome.action is Action.REVIEW
    assert outcome.review_id is not None
    request, approval = review.approve_prompt(stages.ledger, outcome.review_id, "r7", "a pink picture")
    assert generate(request, stages, approval=approval).asset is not None
    picture(tmp_path / "input.png", (255, 112, 112))
    assert generate(request, stages, approval=approval).action is Action.REVIEW


def test_input_that_is_no_picture(stages: Stages, tmp_path: Path) -> None:
    """An input that cannot be read is an error that names the stage; nothing is rendered."""
    (tmp_path / "input.png").write_bytes(b"no picture")
    request = Request("grey", tmp_path / "out.mp4", image=tmp_path / "input.png", size=(96, 64), seconds=0.5)
    with pytest.raises(Exception, match="'input'"):
        generate(request, stages)
    assert not (tmp_path / "out.mp4").exists()


def worst(outcome: Outcome, *, value: float | None) -> Outcome:
    absence = None if value is not None else Absence.NOT_CONFIGURED
    reason = Reason("frame-sexual-minors-block", "sexual/minors", Stage.FRAME, Action.BLOCK, "toy@1", value, absence)
    first: Decision = outcome.decisions[0]
    return Outcome(
        "job", (replace(first, reasons=(reason,), action=Action.BLOCK),), Examination(), frames=outcome.frames
    )


def test_of_the_worst_no_picture_is_made(stages: Stages, toy_settings: MakeSettings, tmp_path: Path) -> None:
    """A hit under sexual/minors draws nothing; that nobody looked for it is no hit."""
    outcome = generate(Request("grey", tmp_path / "out.mp4", size=(96, 64), seconds=0.5), stages)
    with pytest.raises(NoPicture):
        publish_sheet(tmp_path / "out.mp4", worst(outcome, value=0.9), tmp_path / "sheet.png", toy_settings())
    assert not (tmp_path / "sheet.png").exists()
    publish_sheet(tmp_path / "out.mp4", worst(outcome, value=None), tmp_path / "sheet.png", toy_settings())
    assert (tmp_path / "sheet.png").exists()
    assert read(tmp_path / "sheet.png", stages.signer.trust).state.value == "absent"
