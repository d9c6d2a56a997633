"""The fused answer: proof needs a trusted signer; nothing is ever called real."""

from __future__ import annotations

import pytest

from classifier import Answer, ManifestSignal, fuse


@pytest.mark.parametrize(
    ("state", "declares", "answer"),
    [
        ("trusted", True, Answer.SYNTHETIC),
        ("trusted", False, Answer.NO_EVIDENCE),
        ("valid", True, Answer.INCONCLUSIVE),
        ("valid", False, Answer.INCONCLUSIVE),
        ("invalid", True, Answer.CONTRADICTORY),
        ("invalid", False, Answer.CONTRADICTORY),
        ("unreadable", False, Answer.INCONCLUSIVE),
        ("remote", False, Answer.INCONCLUSIVE),
        ("absent", False, Answer.NO_EVIDENCE),
    ],
)
def test_answer_by_manifest(state: str, declares: bool, answer: Answer) -> None:
    """Only a trusted manifest that declares it proves synthetic media; a broken one is contradictory."""
    fused = fuse(ManifestSignal(state, declares))
    assert fused.answer is answer
    assert (fused.synthetic == 1.0) == (answer is Answer.SYNTHETIC)


def test_nobody_looked() -> None:
    """No signal at all is no evidence."""
    assert fuse(None).answer is Answer.NO_EVIDENCE


def test_no_answer_says_real() -> None:
    """There is no word for authentic among the answers."""
    assert not {"real", "authentic", "human"} & {answer.value for answer in Answer}
