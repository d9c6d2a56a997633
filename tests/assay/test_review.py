"""What is held is private until a person approves it, refuses it, or nobody comes in time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from assay import review
from assay.assemble import assemble
from assay.auditing.reading import LedgerChain
from assay.auditing.sealing import remembered, seal
from assay.auditing.signing import known_keys
from assay.auditing.verifying import verify
from assay.errors import JobNotFound, ReviewClosed
from assay.ledger import HeldRow, JobRow, Ledger, State, now
from assay.outcome import Outcome
from assay.pipeline import generate
from assay.request import Request
from assay.settings import Settings
from assay.stages import Stages
from media import AssayError
from provenance import read
from safety import Action, CorruptRecord

MakeSettings = Callable[..., Settings]


@pytest.fixture
def stages(toy_settings: MakeSettings) -> Stages:
    return assemble(toy_settings(), "worker-test", generator=True)


def held_output(stages: Stages, folder: Path) -> Outcome:
    outcome = generate(Request("pink", folder / "out.mp4", size=(96, 64), seconds=0.5), stages)
    assert outcome.action is Action.REVIEW
    assert outcome.review_id is not None
    assert not (folder / "out.mp4").exists()
    return outcome


def state_of(stages: Stages, job: str) -> tuple[str, str | None]:
    with stages.ledger.write() as session:
        row = session.get(JobRow, job)
        assert row is not None
        return row.state, row.action


def test_approved_output_is_signed_with_both_decisions(stages: Stages, tmp_path: Path) -> None:
    """A person's approval publishes the very file that was held, and the manifest cites the approval."""
    outcome = held_output(stages, tmp_path)
    (one,) = review.waiting(stages.ledger)
    assert one.row.id == outcome.review_id
    assert state_of(stages, outcome.job) == (State.HELD, "review")
    asset = review.approve_output(stages.ledger, one.row.id, "reviewer-7", "a pink square, harmless", stages.signer)
    credentials = read(asset.path, stages.signer.trust)
    assert credentials.state.value == "trusted"
    assert credentials.decision is not None
    assert credentials.decision["human"]["reference"] == one.row.id
    assert [d["action"] for d in credentials.decision["decisions"]] == ["review", "allow"] or [
        d["action"] for d in credentials.decision["decisions"]
    ] == ["allow", "review"]
    assert "reviewer-7" not in asset.path.read_bytes().decode("latin-1")
    assert state_of(stages, outcome.job) == (State.COMPLETED, "allow")
    assert not list(stages.held.iterdir())
    with pytest.raises(ReviewClosed):
        review.approve_output(stages.ledger, one.row.id, "reviewer-8", "again", stages.signer)


def test_refused_output_is_deleted(stages: Stages, tmp_path: Path) -> None:
    """A refusal deletes the held file and keeps the record of who refused and why."""
    outcome = held_output(stages, tmp_path)
    assert outcome.review_id is not None
    review.refuse(stages.ledger, outcome.review_id, "reviewer-7", "too pink")
    assert not list(stages.held.iterdir())
    assert state_of(stages, outcome.job) == (State.COMPLETED, "block")
    last = stages.ledger.job(outcome.job).decisions[-1]
    assert last.body == {"reviewer": "reviewer-7", "action": "block", "reason": "too pink"}
    assert not review.waiting(stages.ledger)


def test_nobody_comes(stages: Stages, tmp_path: Path) -> None:
    """What nobody reviewed in time is refused, and its file deleted."""
    outcome = held_output(stages, tmp_path)
    with stages.ledger.write() as session:
        row = session.get(HeldRow, outcome.review_id)
        assert row is not None
        row.expires = now() - timedelta(seconds=1)
    assert review.waiting(stages.ledger) == []
    assert not list(stages.held.iterdir())
    assert state_of(stages, outcome.job) == (State.COMPLETED, "block")
    assert outcome.review_id is not None
    with pytest.raises(ReviewClosed):
        review.approve_output(stages.ledger, outcome.review_id, "late", "late", stages.signer)


def test_held_file_that_was_changed_is_not_signed(stages: Stages, tmp_path: Path) -> None:
    """An approval signs what was looked at, or nothing."""
    outcome = held_output(stages, tmp_path)
    assert outcome.review_id is not None
    (kept,) = stages.held.iterdir()
    kept.write_bytes(kept.read_bytes() + b"\x00\x00\x00\x08free")
    with pytest.raises(AssayError, match="not the file that was judged"):
        review.approve_output(stages.ledger, outcome.review_id, "reviewer-7", "fine", stages.signer)
    assert not (tmp_path / "out.mp4").exists()
    assert state_of(stages, outcome.job)[0] == State.HELD


def test_record_that_was_changed_is_noticed(stages: Stages, tmp_path: Path) -> None:
    """Scores edited in the ledger no longer lead to the recorded decision, and nothing is approved on them."""
    from sqlalchemy import update

    from assay.ledger import ItemRow

    outcome = held_output(stages, tmp_path)
    assert outcome.review_id is not None
    with stages.ledger.write() as session:
        session.execute(update(ItemRow).where(ItemRow.stage == "frame").values(sha256="0" * 64))
    with pytest.raises(CorruptRecord):
        review.approve_output(stages.ledger, outcome.review_id, "reviewer-7", "fine", stages.signer)


def test_approved_prompt_is_generated_and_still_looked_at(stages: Stages, tmp_path: Path) -> None:
    """An approved prompt passes the prompt stage only: its frames are judged like any others."""
    request = Request("doubtful", tmp_path / "out.mp4", size=(96, 64), seconds=0.5)
    outcome = generate(request, stages)
    assert outcome.review_id is not None
    assert outcome.record is None
    again, approval = review.approve_prompt(stages.ledger, outcome.review_id, "reviewer-7", "a harmless doubt")
    assert again == request
    released = generate(again, stages, approval=approval)
    assert released.asset is not None
    credentials = read(released.asset.path, stages.signer.trust)
    assert credentials.decision is not None
    assert credentials.decision["human"]["reference"] == outcome.review_id


def test_approval_holds_only_for_what_was_seen(stages: Stages, tmp_path: Path) -> None:
    """An approval of one text does not let another text through."""
    outcome = generate(Request("doubtful", tmp_path / "out.mp4", size=(96, 64), seconds=0.5), stages)
    assert outcome.review_id is not None
    _, approval = review.approve_prompt(stages.ledger, outcome.review_id, "reviewer-7", "fine")
    other = generate(Request("doubtful too", tmp_path / "two.mp4", size=(96, 64), seconds=0.5), stages, None, approval)
    assert other.action is Action.REVIEW
    assert other.asset is None


def test_kinds_are_not_mixed_up(stages: Stages, tmp_path: Path) -> None:
    """A held prompt cannot be published as an output, nor an output generated as a prompt; an unknown id says so."""
    output = held_output(stages, tmp_path)
    prompt = generate(Request("doubtful", tmp_path / "p.mp4", size=(96, 64), seconds=0.5), stages)
    assert output.review_id is not None
    assert prompt.review_id is not None
    with pytest.raises(ReviewClosed, match="holds a prompt"):
        review.approve_output(stages.ledger, prompt.review_id, "r", "x", stages.signer)
    with pytest.raises(ReviewClosed, match="holds an output"):
        review.approve_prompt(stages.ledger, output.review_id, "r", "x")
    with pytest.raises(JobNotFound):
        review.held(Ledger(str(stages.ledger.engine.url)), "rev_none")


@pytest.mark.parametrize("word", ["approve", "refuse"])
def test_the_chain_is_sound_after_a_persons_decision(stages: Stages, tmp_path: Path, word: str) -> None:
    """What a person decided about an output that models looked at is in the audit chain, and the chain verifies."""
    outcome = held_output(stages, tmp_path)
    assert outcome.review_id is not None
    if word == "approve":
        review.approve_output(stages.ledger, outcome.review_id, "reviewer-7", "harmless", stages.signer)
    else:
        review.refuse(stages.ledger, outcome.review_id, "reviewer-7", "not that")
    folder = tmp_path / "audit"
    seal(stages.ledger, folder)
    walk = verify(LedgerChain(stages.ledger), known_keys(folder), remembered(folder)[-1:])
    assert walk.sound, walk.faults
